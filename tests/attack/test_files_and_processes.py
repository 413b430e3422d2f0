"""What another account on the same node can see of a session: nothing."""

import json
import stat
from pathlib import Path
from typing import Any

import psutil
from tests.support.sessions import Session
from tests.support.waiting import wait_until

_TRY = """\
import json, os, socket, sys

def opened(path):
    with open(path, "rb") as file:
        file.read(1)

def listed(path):
    os.listdir(path)

def connected(path):
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(path)

def traced(pid):
    os.readlink(f"/proc/{pid}/cwd")

done = []
for kind, target in json.load(sys.stdin):
    try:
        globals()[kind](target)
    except OSError:
        continue
    done.append([kind, target])
print(json.dumps(done))
"""


def _managed(cluster: Any, user: str, tries: list[tuple[str, str]]) -> list[list[str]]:
    done = cluster.run_as(user, ["/usr/bin/python3", "-I", "-c", _TRY], stdin=json.dumps(tries))
    assert done.returncode == 0, done.stderr
    found: list[list[str]] = json.loads(done.stdout)
    return found


def _sockets(directory: Path) -> list[Path]:
    """A kernel's five; nothing as long as it has not made them all."""
    found = sorted(path for path in directory.iterdir() if stat.S_ISSOCK(path.stat().st_mode))
    return found if len(found) >= 5 else []


def _targets(victim: Session) -> list[tuple[str, str]]:
    runtime = victim.connection_file.parent
    sockets = wait_until(lambda: _sockets(runtime), 60, "the kernel listens on its sockets")
    files = [victim.run_dir / name for name in ("server.json", "log", "session.json", "offer.json")]
    files += [victim.connection_file, runtime / "jupyter_cookie_secret"]
    return [
        *(("listed", str(path)) for path in (victim.run_dir, victim.run_dir.parent, runtime)),
        *(("opened", str(path)) for path in files),
        *(("opened", f"/proc/{pid}/{name}") for pid in victim.pids for name in ("environ", "maps")),
        *(("traced", str(pid)) for pid in victim.pids),
        *(("connected", str(path)) for path in sockets),
    ]


def test_another_account_reads_and_reaches_nothing(cluster: Any, victim: Session, intruder: Session) -> None:
    """Run directory, private file, log, facts, kernel sockets and processes are closed to everybody else."""
    targets = _targets(victim)
    assert _managed(cluster, intruder.user, targets) == []
    # The same tries by the owner show that there was something to find.
    own = {tuple(target) for target in _managed(cluster, victim.user, targets)}
    assert own == set(targets)


def test_private_files_are_closed_by_their_modes(victim: Session) -> None:
    """Not the home's mode alone guards them: each is closed to group and others by itself."""
    runtime = victim.connection_file.parent
    private = [victim.run_dir / name for name in ("server.json", "offer.json")]
    for path in (victim.run_dir, *private, runtime, victim.connection_file):
        assert path.stat().st_mode & 0o077 == 0, path
        assert path.stat().st_uid == victim.run_dir.stat().st_uid, path


def test_a_kernels_channels_are_on_no_port(victim: Session) -> None:
    """They are sockets in a private directory, which no account of the node can connect to.

    The most that the process listens on is one port of ipykernel's own, to which forked processes bring
    their output with a secret; what others bring there is not shown, but ends up in the session's log.
    """
    told = json.loads(victim.connection_file.read_text())
    assert told["transport"] == "ipc"
    assert Path(told["ip"]).parent == victim.connection_file.parent
    kernel = psutil.Process(victim.pids[0])
    listening = [one.laddr.ip for one in kernel.net_connections("inet") if one.status == psutil.CONN_LISTEN]
    assert listening in ([], ["127.0.0.1"])
