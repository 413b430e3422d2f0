"""What code that runs in a job may know of its run."""

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from skiva.runs.files import read_json, read_lines, write_json
from skiva.runs.journal import STARTS
from skiva.runs.paths import RunDir
from skiva.runs.spec import Spec

__all__ = ["PLACE", "ThisRun", "enter", "progress", "this_run"]

PLACE = "SKIVA_RUN_PLACE"
"""The variable that tells a notebook's kernel in which directory its run is."""
_EVERY = 0.5
"""Seconds between two notes of progress; those in between are not written down."""


@dataclass(slots=True)
class ThisRun:
    """The run that this program is part of."""

    id: str
    name: str
    restarts: int
    """How often it has begun before: 0 the first time."""
    task: int | None
    """Which item of a map this is, from 0."""
    directory: Path
    """Where the run keeps its files; one's own may lie there too."""
    warned: bool = False
    """Whether Slurm has announced the end of this job."""


_current: ThisRun | None = None
_noted = 0.0


def this_run() -> ThisRun | None:
    """The run that this code runs in; None outside a job."""
    if _current is None and (place := os.environ.get(PLACE)):
        return _around(RunDir(Path(place)))
    return _current


def _around(run: RunDir) -> ThisRun | None:
    """The run of a notebook whose kernel this is: another program than the one that was told."""
    values = read_json(run.spec)
    return (
        None if values is None else ThisRun(run.id, str(values.get("name", "")), _begun(run), None, run.path)
    )


def _begun(place: RunDir) -> int:
    starts = sum(1 for event in read_lines(place.journal) if event.get("event") == STARTS)
    return max(0, starts - 1)


def progress(done: float, total: float | None = None, text: str = "") -> None:
    """Tell how far the run is, e.g. `skiva.progress(epoch + 1, 20, "loss 0.31")`; nothing outside a job."""
    global _noted  # noqa: PLW0603
    now = time.monotonic()
    finished = total is not None and done >= total
    if _current is None or (now - _noted < _EVERY and not finished):
        return
    _noted = now
    values = {"at": time.time(), "done": done, "total": total, "text": str(text)[:200], "unit": ""}
    with suppress(OSError):  # a full disk is no reason to end what computes
        write_json(_place(_current).progress, values, sync=False)


def _place(current: ThisRun) -> RunDir:
    run = RunDir(current.directory)
    return run if current.task is None else run.task(current.task)


def enter(run: RunDir, place: RunDir, spec: Spec, task: int | None) -> None:
    """Make this process know which run it is in, and listen to Slurm's warning."""
    global _current  # noqa: PLW0603
    _current = ThisRun(run.id, spec.name, _begun(place), task, run.path)
    signal.signal(signal.SIGUSR1, _warn)


def _warn(*_: object) -> None:
    if _current is not None:
        _current.warned = True
