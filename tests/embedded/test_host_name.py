"""`up` on machines whose own name stands for 127.0.1.1, for an outer address or for nothing."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.support.box import HOSTS, on_box
from tests.support.hub import HubClient

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a machine another name"),
]


@pytest.mark.parametrize("hosts", HOSTS.values(), ids=HOSTS.keys())
def test_it_comes_up_on_loopback_alone_whatever_the_machine_is_called(
    hosts: str, tmp_path: Path, new_dir: Any, free_port: int, running: Any
) -> None:
    """A session starts in Slurm, and nothing of it listens anywhere but on 127.0.0.1."""
    directory: Path = new_dir()
    python = str(directory / "venv/hub/bin/python")
    up = ["up", "--detach", f"--dir={directory}", f"--port={free_port}"]
    done = subprocess.run(
        [*on_box(tmp_path, hosts), python, "-I", "-m", "skiva_hub.cli", *up],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
        cwd="/",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"  stop      ./skiva down --dir {directory}" in done.stdout, (
        "there is no Ctrl-C in the background"
    )
    cluster = running(directory, free_port)
    with HubClient(cluster.url, cluster.admin_token) as hub:
        hub.start_server(cluster.people[0], {"slice": "1g.10gb"})
        hub.wait_ready(cluster.people[0])
    listening = _listening({process["pid"] for process in cluster.status()["processes"].values()})
    assert len(listening) >= 8, listening
    assert {address.rpartition(":")[0] for address in listening} == {"127.0.0.1"}, listening


def _listening(pids: set[int]) -> list[str]:
    """The addresses on which these processes take connections."""
    text = subprocess.run(["/usr/bin/ss", "-Hltnp"], capture_output=True, text=True, check=True).stdout
    return [line.split()[3] for line in text.splitlines() if any(f"pid={pid}," in line for pid in pids)]


def test_who_may_not_rename_the_machine_is_told_what_to_do_at_once(tmp_path: Path) -> None:
    """Without a namespace to be had, one sentence names the line that /etc/hosts needs."""
    told = subprocess.run(
        [
            *on_box(tmp_path, HOSTS["an outer address"]),
            *("/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"),
            *(sys.executable, "-c", _TRY),
        ],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert "Add the line '127.0.0.1 box' to /etc/hosts" in told.stdout, told.stdout + told.stderr


_TRY = """
from skiva_hub.embedded import view
from skiva_hub.embedded.errors import CannotStart

view.unshare = lambda *, root: ("/usr/bin/unshare", "--uts")  # as where users may make no namespaces
try:
    view.host_name(root=False)
except CannotStart as problem:
    print(problem)
"""
