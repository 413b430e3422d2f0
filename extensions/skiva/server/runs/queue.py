"""What this server knows of the queue: what the hub's stream tells, kept for kernels too, or Slurm itself."""

import asyncio
import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from skiva.runs.files import write_json

if TYPE_CHECKING:
    from skiva.runs.queue import Queue, Reading

__all__ = ["QueueFacts"]

FILE_NAME = "queue.json"
_TRUSTED = 40.0
"""Seconds without a word from the hub after which its last one is no longer the present."""
_QUIET = 5.0
"""Seconds between two writings of the file where nothing but life was told."""


class QueueFacts:
    """The newest event of the hub's stream, and `queue.json` in the session's directory made from it."""

    def __init__(
        self, environ: Mapping[str, str] = os.environ, clock: Callable[[], float] = time.time
    ) -> None:
        directory = environ.get("SKIVA_RUN_DIR", "")
        self._path = Path(directory) / FILE_NAME if directory else None
        self._environ = environ
        self._clock = clock
        self._event: dict[str, Any] = {}
        self._heard = 0.0
        self._written = 0.0
        self._dirty = False
        self._writing: asyncio.Task[None] | None = None
        self._reading: Reading | None = None
        self._own: Queue | None = None

    # -- told by the stream, on the loop ---------------------------------------------------

    def told(self, data: str) -> None:
        """Take one event."""
        try:
            event = json.loads(data)
        except (ValueError, RecursionError):
            return
        if isinstance(event, dict) and isinstance(event.get("jobs"), list):
            self._event, self._reading = event, None
            self._live(at_once=True)

    def alive(self, comment: str) -> None:
        """Take a comment: nothing has changed, and where it says so, the queue was read again."""
        if not self._event:
            return
        word, _, rest = comment.partition(" ")
        if word == "taken" and not self._event.get("trouble"):
            self._read_again(rest)
        self._live(at_once=False)

    def _read_again(self, text: str) -> None:
        try:
            taken = float(text)
        except ValueError:
            return
        old = self._event.get("taken")
        if isinstance(old, (int, float)) and old < taken < float("inf"):
            self._event, self._reading = {**self._event, "taken": taken}, None

    def _live(self, *, at_once: bool) -> None:
        self._heard = self._clock()
        if self._path is not None and (at_once or self._heard - self._written >= _QUIET):
            self._dirty = True
            if self._writing is None or self._writing.done():
                self._writing = asyncio.ensure_future(self._write())

    async def _write(self) -> None:
        while self._dirty and self._path is not None:
            self._dirty, self._written = False, self._heard
            event = self._event
            known = {name: event.get(name) for name in ("taken", "trouble", "jobs")}
            # Who reads it asks Slurm where this is missing, so nothing is lost with it.
            await asyncio.to_thread(_put, self._path, {"at": self._heard, **known})

    # -- asked by the handlers -------------------------------------------------------------

    @property
    def followed(self) -> bool:
        """Whether the hub tells, so that nobody else need be asked."""
        return bool(self._event) and abs(self._clock() - self._heard) < _TRUSTED

    @property
    def slices(self) -> list[Any]:
        """The slices of the newest event; nothing where it is not the present."""
        found = self._event.get("slices") if self.followed else None
        return found if isinstance(found, list) else []

    def reading(self) -> "Reading | None":
        """The jobs of this person, as far as they are known without asking anybody. In a thread."""
        if not self.followed:
            return None
        if self._reading is None:
            from skiva.runs.queue import from_event

            self._reading = from_event(self._event)
        return self._reading

    def ask(self) -> "Reading | None":
        """What Slurm itself says; asks at most every few seconds, and may take as long. In a thread."""
        from skiva.runs.offer import NoOffer
        from skiva.runs.queue import Queue

        if self._own is None:
            self._own = Queue(self._environ)
        try:
            return self._own.reading()
        except NoOffer:
            return None


def _put(path: Path, values: Mapping[str, Any]) -> None:
    try:
        write_json(path, values, sync=False)
    except (OSError, ValueError):
        return
