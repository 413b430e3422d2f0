"""What Dask does by itself where Skiva is installed: its ports are their owner's alone."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from dask.config import collect_yaml

from skiva.dask.guard import account_of, is_own, on_this_node

ROOT = Path(__file__).parents[3]
SETTINGS = ROOT / "extensions/skiva/etc/dask/skiva.yaml"
TABLE = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 1 1
   1: 0100007F:1F90 0100007F:C350 01 00000000:00000000 00:00000000 00000000  1000        0 2 1
   2: 0100007F:C350 0100007F:1F90 01 00000000:00000000 00:00000000 00000000  1001        0 3 1
"""
TABLE6 = TABLE.replace("0100007F", "00000000000000000000000001000000").replace("1001", "1002")

_CLUSTER = """
import json
from distributed import LocalCluster

if __name__ == "__main__":
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=":0") as cluster:
        ports = [part.address.rpartition(":")[2] for part in (cluster.scheduler, cluster.workers[0])]
        ports.append(next(iter(cluster.scheduler.workers)).rpartition(":")[2])
        print(json.dumps([cluster.scheduler.http_server.address, cluster.scheduler.http_server.port, *ports]))
        print(cluster.workers[0].worker_dir, flush=True)
        input()
"""
_VISIT = """
import socket, sys
for port in sys.argv[1:]:
    with socket.create_connection(("127.0.0.1", int(port)), 10) as connection:
        try:
            connection.sendall(b"GET /health HTTP/1.0\\r\\n\\r\\n")
            print(bool(connection.recv(1)))
        except ConnectionError:
            print(False)
"""


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[list[Any]]:
    """A plain LocalCluster: where its pages are, their port, those of scheduler, nanny and worker."""
    (tmp_path / "cluster.py").write_text(_CLUSTER)
    with subprocess.Popen(
        [sys.executable, tmp_path / "cluster.py"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"DASK_CONFIG": str(SETTINGS.parent)},
    ) as process:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
        process.communicate("\n", timeout=60)


@pytest.mark.parametrize("own", [False, True])
def test_what_a_local_cluster_spills_is_where_nobody_else_can_write(tmp_path: Path, own: bool) -> None:
    """Whoever has made Dask's own place before gets nothing; who names a place has it; nothing is left."""
    place = tmp_path / "place"
    for name in ("dask-scratch-space", f"dask-scratch-space-{os.getuid()}"):
        (tmp_path / name).mkdir()
        (tmp_path / name).chmod(0o777)
    (tmp_path / "cluster.py").write_text(_CLUSTER)
    env = os.environ | {"DASK_CONFIG": str(SETTINGS.parent), "TMPDIR": str(tmp_path)}
    env |= {"DASK_TEMPORARY_DIRECTORY": str(place)} if own else {}
    argv = [sys.executable, str(tmp_path / "cluster.py")]
    done = subprocess.run(argv, input="\n", capture_output=True, text=True, env=env, timeout=120, check=True)
    used = Path(done.stdout.splitlines()[1])
    if own:
        assert used.is_relative_to(place)
        return
    assert used.is_relative_to(tmp_path)
    assert used.relative_to(tmp_path).parts[0].startswith("skiva-dask-")
    assert not list(tmp_path.glob("skiva-dask-*"))
    assert not list(tmp_path.glob("dask-scratch-space*/*"))


def _visit(ports: list[Any], *prefix: str) -> list[str]:
    argv = [*prefix, "/usr/bin/python3", "-I", "-c", _VISIT, *map(str, ports)]
    return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=60).stdout.split()


@pytest.mark.skipif(os.geteuid() != 0, reason="acts as another account")
def test_local_cluster_answers_its_own_account_alone(cluster: list[Any]) -> None:
    """Pages, scheduler, nanny and worker speak to their owner, and to nobody else on the node."""
    address, *ports = cluster
    assert address == "127.0.0.1"
    assert _visit(ports) == ["True"] * 4
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--"]
    assert _visit(ports, *nobody) == ["False"] * 4


def test_account_is_that_of_the_other_end() -> None:
    """Neither the listening socket nor the near end of the same connection is taken for it."""
    assert account_of(("127.0.0.1", 50000), ("127.0.0.1", 8080), [TABLE]) == 1001
    assert account_of(("::ffff:127.0.0.1", 50000), ("::ffff:127.0.0.1", 8080), [TABLE]) == 1001
    mapped = TABLE.replace("0100007F", "0000000000000000FFFF00000100007F")
    assert account_of(("::ffff:127.0.0.1", 50000), ("::ffff:127.0.0.1", 8080), [mapped]) == 1001
    assert account_of(("127.0.0.1", 50000), ("127.0.0.1", 8080), [mapped]) == 1001
    assert account_of(("::1", 50000), ("::1", 8080), [TABLE, TABLE6]) == 1002
    assert account_of(("127.0.0.1", 50001), ("127.0.0.1", 8080), [TABLE]) is None


@pytest.mark.parametrize(
    ("peer", "here", "taken"),
    [
        ("127.0.0.1", "127.0.0.1", False),
        ("::ffff:127.0.0.1", "::ffff:127.0.0.1", False),
        ("::1", "::1", False),
        ("10.0.0.1", "10.0.0.1", False),
        ("::ffff:10.0.0.1", "::ffff:10.0.0.1", False),
        ("10.0.0.2", "10.0.0.1", True),
        ("::ffff:10.0.0.2", "::ffff:10.0.0.1", True),
    ],
)
def test_who_is_on_this_node_must_be_known(peer: str, here: str, taken: bool) -> None:
    """Of a connection from this node that the kernel does not tell the account of, nothing is assumed."""
    connection = SimpleNamespace(getpeername=lambda: (peer, 1), getsockname=lambda: (here, 2))
    assert is_own(connection) == taken  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("asked", "served"),
    [("", "127.0.0.1"), (None, "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("10.0.0.1", "10.0.0.1")],  # noqa: S104
)
def test_pages_stay_on_the_node(asked: str | None, served: str) -> None:
    """All interfaces becomes loopback; who names an address gets it."""
    assert on_this_node([{"address": asked, "port": 8787}]) == [(served, 8787)]


def test_settings_are_ones_that_dask_has() -> None:
    """No setting is misspelt, and every page is one that Dask has by default."""
    import distributed

    known, settings = collect_yaml(
        [str(Path(distributed.__file__).with_name("distributed.yaml")), str(SETTINGS)]
    )

    def unknown(ours: Any, theirs: Any) -> list[str]:
        if not isinstance(ours, dict):
            return []
        return [key for key in ours if key not in theirs] + [
            deeper for key in ours if key in theirs for deeper in unknown(ours[key], theirs[key])
        ]

    assert unknown(settings, known) == []
    pages = (each["distributed"]["scheduler"]["http"]["routes"] for each in (settings, known))
    assert set(next(pages)) < set(next(pages))
