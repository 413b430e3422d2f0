"""What is written down about a running cluster, so that another command can find it and end it."""

import fcntl
import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skiva_hub.embedded.files import write
from skiva_hub.embedded.proc import Process

_NAME = "run.json"


@dataclass(frozen=True, slots=True)
class Running:
    """A cluster that was started and has not been taken down.

    Attributes:
        guard: ends everything when the supervisor is gone.
        supervisor: starts everything and keeps it running.
        parts: each part's process, restarts and start time.
        others: what the parts have started in turn.
        url: where people sign in.
        accounts: who may sign in.
        ready: whether it has answered.
    """

    guard: Process
    supervisor: Process
    parts: Mapping[str, Mapping[str, Any]]
    others: tuple[Process, ...]
    url: str
    accounts: tuple[str, ...]
    ready: bool

    def processes(self) -> list[Process]:
        """Every process of the parts and below them."""
        return [*(Process.recorded(part) for part in self.parts.values()), *self.others]


def save(directory: Path, running: Running) -> None:
    """Write it down."""
    told = {
        "guard": running.guard.record(),
        "supervisor": running.supervisor.record(),
        "parts": running.parts,
        "others": [process.record() for process in running.others],
        "url": running.url,
        "accounts": running.accounts,
        "ready": running.ready,
    }
    write(directory / _NAME, json.dumps(told, indent=1) + "\n")


def load(directory: Path) -> Running | None:
    """What was written down last; None where nothing runs or it cannot be read."""
    try:
        told = json.loads((directory / _NAME).read_text())
        return Running(
            guard=Process.recorded(told["guard"]),
            supervisor=Process.recorded(told["supervisor"]),
            parts=told["parts"],
            others=tuple(Process.recorded(process) for process in told["others"]),
            url=told["url"],
            accounts=tuple(told["accounts"]),
            ready=told["ready"],
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def forget(directory: Path) -> None:
    """Say that nothing runs."""
    (directory / _NAME).unlink(missing_ok=True)


def lock(directory: Path, *, seconds: float = 0.0) -> int | None:
    """Hold the directory: guard and supervisor do for as long as either lives.

    Returns:
        A descriptor to hold or hand on, or None where another cluster still holds it after `seconds`.
    """
    descriptor = os.open(directory / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    end = time.monotonic() + seconds
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= end:
                os.close(descriptor)
                return None
            time.sleep(0.05)
        else:
            return descriptor
