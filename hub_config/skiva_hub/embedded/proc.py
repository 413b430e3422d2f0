"""Processes, told apart by number and start time, so that nobody else's is ever signalled."""

import os
import signal
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Process:
    """One process; `started` is in the kernel's clock ticks since boot."""

    pid: int
    started: int

    @classmethod
    def of(cls, pid: int) -> "Process | None":
        """The process that has this number now; None where there is none or only its remains."""
        fields = _stat(pid)
        return cls(pid, int(fields[19])) if fields and fields[0] != "Z" else None

    @classmethod
    def recorded(cls, given: Mapping[str, Any]) -> "Process":
        """What `record()` wrote."""
        return cls(int(given["pid"]), int(given["started"]))

    def record(self) -> dict[str, int]:
        """For a file that outlives this program."""
        return {"pid": self.pid, "started": self.started}

    def alive(self) -> bool:
        """Whether it is this process that still runs."""
        return Process.of(self.pid) == self

    def signal(self, number: int) -> bool:
        """Send a signal; False where the process is gone."""
        try:
            descriptor = os.pidfd_open(self.pid)
        except OSError:
            return False
        try:
            if not self.alive():
                return False
            signal.pidfd_send_signal(descriptor, number)
        except ProcessLookupError:
            return False
        finally:
            os.close(descriptor)
        return True


def parents() -> dict[int, int]:
    """Every process's parent."""
    found: dict[int, int] = {}
    for entry in _PROC.iterdir():
        if entry.name.isdigit() and (fields := _stat(int(entry.name))):
            found[int(entry.name)] = int(fields[1])
    return found


def descendants(root: int, family: Mapping[int, int] | None = None) -> list[Process]:
    """All that a process and its children started, as far as it has not been adopted by another.

    `family` is what `parents()` said, where the caller has just asked.
    """
    children: dict[int, list[int]] = {}
    for pid, parent in (parents() if family is None else family).items():
        children.setdefault(parent, []).append(pid)
    below, todo = [], list(children.get(root, ()))
    while todo:
        pid = todo.pop()
        todo += children.get(pid, ())
        below.append(Process.of(pid))
    return [p for p in below if p is not None]


def adopted(own: Collection[int], family: Mapping[int, int] | None = None) -> list[int]:
    """Children of this process that it did not start: orphans of what it started, and their remains."""
    me, family = os.getpid(), parents() if family is None else family
    return [pid for pid, parent in family.items() if parent == me and pid not in own]


def environment(pid: int) -> dict[str, str]:
    """What a process was started with; empty where it cannot be read."""
    try:
        text = (_PROC / str(pid) / "environ").read_bytes().decode(errors="replace")
    except OSError:
        return {}
    return dict(entry.partition("=")[::2] for entry in text.split("\0") if entry)


def program(pid: int) -> str:
    """The path of what a process runs; empty where it cannot be read."""
    try:
        return str((_PROC / str(pid) / "exe").readlink())
    except OSError:
        return ""


def age(process: Process) -> float:
    """Seconds since a process was started."""
    up = float((_PROC / "uptime").read_text().split()[0])
    return up - process.started / os.sysconf("SC_CLK_TCK")


def owner(pid: int) -> str:
    """The account of a process; empty where the process is gone."""
    try:
        return (_PROC / str(pid)).owner()
    except (OSError, KeyError):
        return ""


def kill(processes: Iterable[Process], *, grace: float = 0.0) -> None:
    """End processes: SIGTERM and `grace` seconds, where given, then SIGKILL."""
    left = [p for p in processes if p.alive()]
    if grace:
        left = [p for p in left if p.signal(signal.SIGTERM)]
        wait_gone(left, grace)
    for process in left:
        process.signal(signal.SIGKILL)
    wait_gone(left, 5.0)


def wait_gone(processes: Collection[Process], seconds: float) -> bool:
    """Whether all have ended before the time is over."""
    end = time.monotonic() + seconds
    while any(p.alive() for p in processes):
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def adopt_orphans() -> None:
    """Make this process the parent of whatever its descendants leave behind."""
    import ctypes

    set_child_subreaper = 36
    if ctypes.CDLL(None, use_errno=True).prctl(set_child_subreaper, 1, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the command's name; empty where there is no such process."""
    try:
        text = (_PROC / str(pid) / "stat").read_text()
    except (OSError, UnicodeDecodeError):
        return []
    return text.rpartition(")")[2].split()
