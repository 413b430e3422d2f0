"""What the runs' handlers need: every look at files or at Slurm is made in a thread, one at a time."""

import asyncio
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from .queue import QueueFacts
from .threads import in_thread

if TYPE_CHECKING:
    from .index import Index

__all__ = ["Problem", "RunsService"]

_Answer = TypeVar("_Answer")
_ASK_EVERY = 5.0
"""Seconds between two questions to Slurm where no hub tells."""
_AT_ONCE = 4
"""Submissions and the like that go on at the same time; others wait for their turn."""
_DISK = 20.0
"""Seconds after which a disk is no longer waited for."""
_NO_DISK = "The disk with your runs does not answer; please try again in a minute."
_PATIENCE = 40.0
"""Seconds for which an answer may be waited for."""


class Problem(Exception):
    """An answer that is an error: its status, and one sentence for the person."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


class RunsService:
    """The runs of the person whose server this is."""

    def __init__(self, queue: QueueFacts, served: Path | None = None, root: Path | None = None) -> None:
        self.queue = queue
        self.served = served
        self._root = root
        self._index: Index | None = None
        self._turn = asyncio.Lock()
        self._alone = threading.Lock()
        self._few = asyncio.Semaphore(_AT_ONCE)
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
        try:
            async with asyncio.timeout(_DISK), self._turn:
                return await asyncio.shield(in_thread(lambda: self._with_index(work)))
        except TimeoutError:
            raise Problem(503, _NO_DISK) from None

    def _with_index(self, work: Callable[["Index", Any], _Answer]) -> _Answer:
        # One whose turn was given up may still be at work, on a disk that does not answer.
        if not self._alone.acquire(timeout=_DISK):
            raise Problem(503, _NO_DISK)
        try:
            return self._done_with_index(work)
        finally:
            self._alone.release()

    def _done_with_index(self, work: Callable[["Index", Any], _Answer]) -> _Answer:
        if self._index is None:
            from .index import Index

            names = (self.served, Path(os.path.realpath(self.served))) if self.served else ()
            self._index = Index(Path(os.path.realpath(self.root)), names)
        try:
            return work(self._index, self.queue.reading() or self._told)
        except LookupError as missing:
            raise Problem(404, str(missing)) from None
        except OSError as problem:
            raise Problem(503, f"The runs cannot be read: {problem.strerror or problem}.") from None

    async def apart(self, work: Callable[[Path], _Answer]) -> _Answer:
        """Do something with the directory of runs that may take long, without holding up anything else.

        Raises:
            Problem: it has not come to an end while somebody waits for the answer; it goes on.
        """
        try:
            async with asyncio.timeout(_PATIENCE), self._few:
                doing = in_thread(lambda: work(self.root))
                return await asyncio.shield(doing)
        except TimeoutError:
            raise Problem(
                503, "Slurm has not answered yet. The list of runs will tell what came of it."
            ) from None

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
