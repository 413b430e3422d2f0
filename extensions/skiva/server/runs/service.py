"""What the runs' handlers need: every look at files or at Slurm is made in a thread, one at a time."""

import asyncio
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from skiva.server.problems import Problem
from skiva.server.threads import in_thread
from skiva.server.turns import Turns

from .queue import QueueFacts

if TYPE_CHECKING:
    from .index import Index

__all__ = ["Problem", "RunsService"]

_Answer = TypeVar("_Answer")
_ASK_EVERY = 5.0
"""Seconds between two questions to Slurm where no hub tells."""


class RunsService:
    """The runs of the person whose server this is."""

    def __init__(self, queue: QueueFacts, served: Path | None = None, root: Path | None = None) -> None:
        self.queue = queue
        self.served = served
        self._root = root
        self._index: Index | None = None
        self._turns = Turns("runs")
        self._asking: asyncio.Future[Any] | None = None
        self._asked = 0.0
        self._told: Any = None

    @property
    def root(self) -> Path:
        """The directory of runs. In a thread."""
        if self._root is None:
            from skiva.runs.listing import here

            self._root = here()
        return self._root

    async def look(self, work: Callable[["Index", Any], _Answer]) -> _Answer:
        """Do something with the index and what is known of the queue; never waits for Slurm."""
        self._ask_if_nobody_tells()
        return await self._turns.look(lambda: self._with_index(work))

    def _with_index(self, work: Callable[["Index", Any], _Answer]) -> _Answer:
        if self._index is None:
            from .index import Index

            names = (self.served, Path(os.path.realpath(self.served))) if self.served else ()
            self._index = Index(Path(os.path.realpath(self.root)), names)
        return work(self._index, self.queue.reading() or self._told)

    async def apart(self, work: Callable[[Path], _Answer]) -> _Answer:
        """Do something with the directory of runs that may take long, without holding up anything else.

        Raises:
            Problem: it has not come to an end while somebody waits for the answer; it goes on.
        """
        return await self._turns.apart(lambda: work(self.root))

    def _ask_if_nobody_tells(self) -> None:
        now = time.monotonic()
        busy = self._asking is not None and not self._asking.done()
        if self.queue.followed or busy or (self._asked and now - self._asked < _ASK_EVERY):
            return
        self._asked = now
        self._asking = in_thread(self._ask)

    def _ask(self) -> None:
        try:
            self._told = self.queue.ask()
        except Exception as problem:  # noqa: BLE001 - what is known stays; the next question may be answered
            self._told = _with_trouble(self._told, str(problem))


def _with_trouble(reading: Any, sentence: str) -> Any:
    if reading is None:
        return None
    from skiva.runs.queue import Reading

    return Reading(reading.taken, reading.jobs, sentence or "Slurm is not answering.")
