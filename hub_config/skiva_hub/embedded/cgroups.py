"""The cgroups of an embedded cluster: whether there can be any, and what its nodes and its hub leave."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from skiva_hub.embedded.proc import Process

_MOUNT = Path("/sys/fs/cgroup")
_NEEDED = ("devices", "freezer", "memory")


def version() -> int:
    """2 where the machine has the unified hierarchy, 1 where it has the older one, 0 for neither.

    A machine that has both counts as 1, as it does for Slurm.
    """
    if (_MOUNT / "cgroup.controllers").exists():
        return 2
    return 1 if all((_MOUNT / name / "cgroup.procs").exists() for name in _NEEDED) else 0


def can_fence() -> bool:
    """Whether root may make cgroups here; in many containers it may not."""
    match version():
        case 2:
            controllers = (_MOUNT / "cgroup.controllers").read_text().split()
            return "memory" in controllers and os.access(_MOUNT, os.W_OK)
        case 1:
            return all(os.access(_MOUNT / name, os.W_OK) for name in _NEEDED)
        case _:
            return False


def prepare() -> None:
    """Make the place below which slurmd puts its cgroups where no systemd has made it."""
    if version() == 2:
        (_MOUNT / "system.slice").mkdir(exist_ok=True)


def hubs(cluster_id: str) -> tuple[Path, ...]:
    """Where the hub of one cluster is put, whether it is there or not."""
    tops = ("devices", "memory") if version() == 1 else ("system.slice",)
    return tuple(_MOUNT / top / f"skiva_hub-{cluster_id}" for top in tops)


def left(cluster_id: str) -> list[Path]:
    """The cgroups of one cluster: of its nodes and its hub."""
    patterns = (
        f"*/slurm_*-{cluster_id}",
        f"system.slice/*-{cluster_id}_slurmstepd.scope",
        f"*/skiva_hub-{cluster_id}",
    )
    return sorted(path for pattern in patterns for path in _MOUNT.glob(pattern))


def clear(cluster_id: str, *, seconds: float = 10.0) -> list[Path]:
    """Kill whatever runs in a cluster's cgroups and remove them; returns those that would not go."""
    end = time.monotonic() + seconds
    while tops := left(cluster_id):
        for top in tops:
            for process in members(top):
                process.signal(signal.SIGKILL)
            _thaw(top)
        for path in (p for top in tops for p in _deepest_first(top)):
            try:
                path.rmdir()
            except OSError:
                continue
        if time.monotonic() > end:
            return left(cluster_id)
        time.sleep(0.02)
    return []


def members(top: Path) -> Iterator[Process]:
    """The processes in a cgroup and below it."""
    for path in _deepest_first(top):
        try:
            pids = (path / "cgroup.procs").read_text().split()
        except OSError:
            continue
        yield from (p for p in (Process.of(int(pid)) for pid in pids) if p)


def _thaw(top: Path) -> None:
    for state in top.rglob("freezer.state"):
        try:
            state.write_text("THAWED")
        except OSError:
            continue


def _deepest_first(top: Path) -> list[Path]:
    return [Path(here) for here, _, _ in os.walk(top, topdown=False)]
