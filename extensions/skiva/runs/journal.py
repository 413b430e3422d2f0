"""The states of a run or of one of its tasks, as its job writes them down: one writer, one line each."""

import time
from pathlib import Path
from typing import Any

from skiva.runs.files import append_line, read_lines

__all__ = ["STARTS", "Journal"]

STARTS = "started"
"""Written right before the user's code begins, so its absence means that nothing was repeated."""


class Journal:
    """`state.jsonl`: what happened before, and a way to add to it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.events = read_lines(path)

    @property
    def starts(self) -> int:
        """How often user code has begun."""
        return sum(1 for event in self.events if event.get("event") == STARTS)

    @property
    def ended(self) -> bool:
        """Whether this run is over for good."""
        return any(event.get("event") == "ended" for event in self.events)

    def note(self, event: str, **details: Any) -> None:
        """Write a line down for good. Raises OSError where the disk does not take it."""
        line = {"event": event, "at": time.time(), **details}
        append_line(self._path, line)
        self.events.append(line)

    def end(self, how: str, sentence: str, exit_status: int | None = None) -> None:
        """The last line."""
        self.note("ended", how=how, exit=exit_status, sentence=sentence)
