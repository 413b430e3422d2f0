"""A cluster of one person without root: the same parts, nothing fenced, and it says so."""

import json
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.box import HOSTS, on_box
from tests.support.hub import HubClient

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can make an account"),
]


@pytest.fixture(scope="module")
def person() -> Iterator[str]:
    """A temporary account with a home."""
    name = f"skivatest{os.getpid() % 100000}"
    home = tempfile.mkdtemp(prefix="skiva-home-", dir="/var/tmp")
    subprocess.run(["/usr/sbin/useradd", "--home-dir", home, name], check=True)
    shutil.chown(home, name, name)
    yield name
    subprocess.run(["/usr/sbin/userdel", "--force", name], check=True, capture_output=True)
    shutil.rmtree(home)


@pytest.fixture
def mine(person: str, new_dir: Any, free_port: int) -> Iterator[Any]:
    """Runs `skiva COMMAND …` and other commands as that person, on a directory of theirs."""
    directory: Path = new_dir()
    shutil.chown(directory, person, person)
    directory.chmod(
        0o775
    )  # as with the umask that many distributions give a person with a group of their own
    entry = pwd.getpwnam(person)

    class Mine:
        dir = directory
        port = free_port

        def run(self, *argv: str) -> subprocess.CompletedProcess[str]:
            return subprocess.run(
                argv,
                user=entry.pw_uid,
                group=entry.pw_gid,
                extra_groups=[],
                env={
                    "HOME": entry.pw_dir,
                    "PATH": "/usr/bin:/bin",
                    "SLURM_CONF": f"{directory}/slurm/slurm.conf",
                },
                cwd=entry.pw_dir,
                capture_output=True,
                text=True,
                timeout=120,
                check=False,
            )

        def skiva(self, command: str, *options: str) -> subprocess.CompletedProcess[str]:
            python = str(directory / "venv/hub/bin/python")
            return self.run(python, "-I", "-m", "skiva_hub.cli", command, "--dir", str(directory), *options)

        def processes(self) -> list[int]:
            found = self.run("/usr/bin/pgrep", "-u", person).stdout.split()
            return [int(pid) for pid in found]

    yield Mine()
    Mine().skiva("down", "--purge")


def test_it_serves_that_person_and_says_what_is_missing(mine: Any, person: str, wait_for: Any) -> None:
    """The hub answers, one person may sign in, no slice is called fenced, the doctor proves each."""
    done = mine.skiva("up", "--detach", f"--port={mine.port}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "without root, devices and memory are not fenced" in done.stdout
    assert f"accounts  {person}" in done.stdout
    site = (mine.dir / "site.toml").read_text()
    assert "fenced = false" in site
    assert "nothing keeps one session from another's slice" in site
    assert 'isolation = "exclusive"' not in site
    slices = json.loads(mine.skiva("status", "--json").stdout)["slices"]
    assert {name: count["free"] for name, count in slices.items()} == {
        "cpu": 16,
        "1g.10gb": 7,
        "h100": 4,
        "2xh100": 2,
        "shard": 8,
    }
    mine.dir.chmod(0o755)  # whoever else may change the helper is a mistake that the doctor tells
    doctor = mine.skiva("doctor", "--json")
    assert doctor.returncode == 0, doctor.stdout + doctor.stderr
    proved = [f["sentence"] for f in json.loads(doctor.stdout)["findings"] if f["group"] == "Probe jobs"]
    assert any(sentence.startswith("Slice h100 on ") for sentence in proved), proved
    assert f"{person} could extend a job of {person}." in proved
    assert mine.skiva("down").returncode == 0
    wait_for(lambda: not mine.processes(), what="nothing is left")


def test_it_comes_up_where_the_machine_has_another_address(
    mine: Any, person: str, tmp_path: Path, running: Any
) -> None:
    """Where the machine's name is no name of 127.0.0.1, Slurm sees another; a session starts all the same."""
    as_person = ("/usr/bin/setpriv", f"--reuid={person}", f"--regid={person}", "--clear-groups", "--")
    python = str(mine.dir / "venv/hub/bin/python")
    up = (python, "-I", "-m", "skiva_hub.cli", "up", "--detach", f"--port={mine.port}", f"--dir={mine.dir}")
    done = subprocess.run(
        [*on_box(tmp_path, HOSTS["an outer address"]), *as_person, *up],
        env={"HOME": pwd.getpwnam(person).pw_dir, "PATH": "/usr/bin:/bin"},
        cwd="/",
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    cluster = running(mine.dir, mine.port)
    with HubClient(cluster.url, cluster.admin_token) as hub:
        hub.start_server(person, {"slice": "cpu"})
        hub.wait_ready(person)


@pytest.mark.parametrize("victims", [("supervisor",), ("guard",), ("guard", "supervisor")])
def test_nothing_is_left_of_it(mine: Any, victims: tuple[str, ...], wait_for: Any) -> None:
    """Killed, and then taken down, it leaves no process, not even one that its job let loose."""
    assert mine.skiva("up", "--detach", "--no-hub", f"--port={mine.port}").returncode == 0
    done = mine.run(
        "/usr/bin/sbatch",
        "--partition=slices",
        "--gres=gpu:1g.10gb:1",
        "--output=/dev/null",
        "--wrap",
        "sleep 1000",
    )
    assert done.returncode == 0, done.stderr
    wait_for(lambda: mine.run("/usr/bin/squeue", "-h", "-t", "R").stdout)
    assert len(mine.processes()) > 5
    running = json.loads((mine.dir / "run.json").read_text())
    for victim in victims:
        os.kill(running[victim]["pid"], signal.SIGSTOP)
    for victim in victims:
        os.kill(running[victim]["pid"], signal.SIGKILL)
    if len(victims) == 2:
        assert mine.skiva("down").returncode == 0
    wait_for(lambda: not mine.processes(), what="nothing is left")
