"""The world of its own that each process of the tests has."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests.support import world

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make one")

_HERE, _INSTALLED = Path(__file__).resolve(), Path(sys.prefix).resolve()
_LOOK = """
import json, os, pwd, subprocess, sys
from pathlib import Path
subprocess.run(["/usr/sbin/useradd", "--create-home", "researcher1"], check=True)
Path("/tmp/mine").touch()
left = subprocess.Popen(["/usr/bin/sleep", "987654"], start_new_session=True)
left.returncode = 0  # nobody waits for it
print(json.dumps({
    "pids": sorted(int(name) for name in os.listdir("/proc") if name.isdigit()),
    "homes": os.listdir("/home"),
    "owner": Path("/home/researcher1").owner(),
    "tmp": os.listdir("/tmp"),
    "given": sys.argv[1:],
}))
"""


def test_it_sees_nothing_of_others_and_leaves_nothing(wait_for: Any) -> None:
    """Accounts, homes, temporary files and processes are its own, and end with it, the ones let loose too."""
    mark = Path("/tmp") / f"skiva-world-{time.monotonic_ns()}"  # noqa: S108 - the name is the point
    mark.touch()
    try:
        done = subprocess.run(
            [*world.command(), "-c", _LOOK, "a b"], capture_output=True, text=True, check=False, timeout=60
        )
    finally:
        mark.unlink()
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert max(told["pids"]) < 100, "process numbers begin anew"
    mine = {
        path.relative_to("/home").parts[0] for path in (_HERE, _INSTALLED) if path.is_relative_to("/home")
    }
    assert (set(told["homes"]) - mine, told["owner"]) == ({"researcher1"}, "researcher1")
    assert "mine" in told["tmp"]
    assert mark.name not in told["tmp"]
    assert told["given"] == ["a b"]
    assert not Path("/tmp/mine").exists()  # noqa: S108
    sleeps = ["/usr/bin/pgrep", "--full", "--exact", "/usr/bin/sleep 987654"]
    wait_for(lambda: subprocess.run(sleeps, check=False, capture_output=True).returncode == 1)


def test_its_status_is_that_of_what_runs_in_it() -> None:
    """A failure in it is seen outside."""
    done = subprocess.run([*world.command(), "-c", "raise SystemExit(7)"], check=False, timeout=60)
    assert done.returncode == 7
