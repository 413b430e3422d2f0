"""Work on disks and with Slurm, either of which may hang, such that nobody waits for ever."""

import asyncio
import threading
from collections.abc import Callable
from typing import TypeVar

from .problems import Problem
from .threads import in_thread

__all__ = ["Turns"]

_Answer = TypeVar("_Answer")
_AT_ONCE = 4
"""Submissions and the like that go on at the same time; others wait for their turn."""
_DISK = 20.0
"""Seconds after which a disk is no longer waited for."""
_PATIENCE = 40.0
"""Seconds for which an answer may be waited for."""


class Turns:
    """Every look at files is made in a thread, one at a time; what may take long, a few at a time."""

    def __init__(self, what: str) -> None:
        """`what` the disk holds, such as `runs`."""
        self._what = what
        self._turn = asyncio.Lock()
        self._alone = threading.Lock()
        self._few = asyncio.Semaphore(_AT_ONCE)

    async def look(self, work: Callable[[], _Answer]) -> _Answer:
        """Look at files, when those before have. Raises Problem where the disk does not answer."""
        try:
            async with asyncio.timeout(_DISK), self._turn:
                return await asyncio.shield(in_thread(lambda: self._looked(work)))
        except TimeoutError:
            raise self._no_disk() from None

    def _looked(self, work: Callable[[], _Answer]) -> _Answer:
        # One whose turn was given up may still be at work, on a disk that does not answer.
        if not self._alone.acquire(timeout=_DISK):
            raise self._no_disk()
        try:
            return work()
        except LookupError as missing:
            raise Problem(404, str(missing)) from None
        except OSError as problem:
            raise Problem(503, f"The {self._what} cannot be read: {problem.strerror or problem}.") from None
        finally:
            self._alone.release()

    def _no_disk(self) -> Problem:
        return Problem(503, f"The disk with your {self._what} does not answer; please try again in a minute.")

    async def apart(self, work: Callable[[], _Answer]) -> _Answer:
        """Do something that may take long, without holding up anything else.

        Raises:
            Problem: it has not come to an end while somebody waits for the answer; it goes on.
        """
        try:
            async with asyncio.timeout(_PATIENCE), self._few:
                return await asyncio.shield(in_thread(work))
        except TimeoutError:
            raise Problem(
                503, f"Slurm has not answered yet. The list of {self._what} will tell what came of it."
            ) from None
