"""Runs laid out on the disk as submitters and jobs leave them, and a queue that speaks of them."""

import json
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from skiva.runs.queue import QueueJob, Reading
from skiva.runs.spec import Spec

DAY = "261122"


def run_id(number: int, day: str = DAY) -> str:
    """An id that sorts by its number within a day only by chance, as real ones do."""
    return f"{day}-{number * 7919 % 100_000_000:08d}"


def lay(root: Path, run: str, *, end: str | None = "completed", job_id: int | None = 7, **spec: Any) -> Path:
    """A run's directory: submitted, begun, and ended unless `end` is None."""
    now = time.time()
    known: dict[str, Any] = {"kind": "function", "name": "fit", "slice": "cpu", "hours": 1.0, "cwd": "/"}
    place = root / run
    place.mkdir(parents=True, mode=0o700)
    whole = Spec(id=run, created=now - 100, **(known | spec))
    (place / "spec.json").write_text(json.dumps(whole.to_json()))
    if job_id is not None:
        write(place / "submission.json", {"job_id": job_id, "at": now - 99})
    if end is not None:
        note(place, "started", at=now - 90, node="n1")
        note(place, "ended", at=now - 10, how=end, exit=0, sentence=f"It {end}.")
    return place


def write(path: Path, values: Any) -> None:
    """A JSON file, put in place as a whole."""
    draft = path.with_name(f".{path.name}.draft")
    draft.write_text(json.dumps(values))
    draft.replace(path)


def note(place: Path, event: str, **details: Any) -> None:
    """One more line in a run's journal."""
    with (place / "state.jsonl").open("a") as file:
        file.write(json.dumps({"event": event, "at": time.time(), **details}) + "\n")


def reading(*jobs: QueueJob, taken: float | None = None, trouble: str = "") -> Reading:
    """What the queue says, by default just now."""
    return Reading(time.time() if taken is None else taken, jobs, trouble)


class Clock:
    """A time that only tests move on; always later than any file's, as if every file were old."""

    def __init__(self) -> None:
        self.ahead = 100.0

    def __call__(self) -> float:
        """Now."""
        return time.time() + self.ahead


@contextmanager
def opens() -> Iterator[list[str]]:
    """The files that this thread opens meanwhile, or tries to."""
    found: list[str] = []
    here = threading.get_ident()
    live = True

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if live and event == "open" and isinstance(args[0], str) and threading.get_ident() == here:
            found.append(args[0])

    sys.addaudithook(hook)
    try:
        yield found
    finally:
        live = False
