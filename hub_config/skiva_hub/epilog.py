#!/usr/bin/python3 -I
"""Slurm's epilog: ends what a job has left in its cgroups, before anybody else gets its devices.

Slurm gives a part of a job's cgroups to the job's user, who can make others below them and move processes
there. Slurm does not find these at the end of the job, and they keep what they have opened. This runs as root
on the node when a job has ended. Where something does not end, its exit status makes Slurm drain the node.

It uses the standard library alone, so that a copy that belongs to root can be all that a node needs.
"""

import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

_CGROUPS = Path("/sys/fs/cgroup")
_SECONDS = 10.0


def main() -> int:
    """End what is left of the job that Slurm names; 1 where something stays."""
    job, node = os.environ.get("SLURM_JOB_ID", ""), os.environ.get("SLURMD_NODENAME", "")
    if not re.fullmatch(r"[1-9][0-9]*", job):
        return 0
    if left := clear(cgroups_of(_CGROUPS, job, node), _SECONDS):
        sys.stderr.write(f"skiva: processes of job {job} did not end: {sorted(left)}\n")
        return 1
    return 0


def cgroups_of(root: Path, job: str, node: str) -> list[Path]:
    """The cgroups of a job, of version 1 (one for each controller) or 2, on a node of possibly several."""
    name = node if re.fullmatch(r"[A-Za-z0-9._-]+", node) else ""
    tops = ["*/slurm/uid_*", "system.slice/slurmstepd.scope"]
    if name:
        tops += [f"*/slurm_{name}/uid_*", f"system.slice/{name}_slurmstepd.scope"]
    return [path for top in tops for path in root.glob(f"{top}/job_{job}")]


def clear(tops: list[Path], seconds: float) -> set[int]:
    """Kill what is in these cgroups or below them, and remove them; the processes that stay."""
    end = time.monotonic() + seconds
    while True:
        left: set[int] = set()
        for path in (path for top in tops for path in _deepest_first(top)):
            members = set(_members(path))
            for pid in members:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            if members:
                _thaw(path)
            else:
                with suppress(OSError):
                    path.rmdir()
            left |= members
        if not left or time.monotonic() > end:
            return left
        time.sleep(0.02)


def _deepest_first(top: Path) -> list[Path]:
    return [Path(path) for path, _, _ in os.walk(top, topdown=False)]


def _members(path: Path) -> Iterator[int]:
    """The processes of people: what is root's is Slurm's own, which is about to go."""
    with suppress(OSError):
        for word in (path / "cgroup.procs").read_text().split():
            with suppress(OSError):
                if Path("/proc", word).stat().st_uid:
                    yield int(word)


def _thaw(path: Path) -> None:
    """What is frozen does not end."""
    for name, word in (("freezer.state", "THAWED"), ("cgroup.freeze", "0")):
        with suppress(OSError):
            if (path / name).exists():
                (path / name).write_text(word)


if __name__ == "__main__":
    raise SystemExit(main())
