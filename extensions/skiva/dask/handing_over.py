"""How workers leave: what they hold goes to others first, and what they are at may come to its end."""

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

__all__ = ["hand_over"]

_LONGEST = 300.0
"""Seconds for which a task that runs may go on where Slurm sets no end."""
_LAST = 8.0
"""Seconds before Slurm's end at which a task that runs is given up, and computed elsewhere."""
_LOOK = 0.1


async def hand_over(scheduler: Any, workers: set[str], ends: float | None) -> None:
    """Retire the workers with these names; returns when they are gone, or nothing more can be done.

    New tasks go elsewhere from the beginning, and those that have not begun yet at the end.
    """
    begun = time.time()
    until = begun + _LONGEST if ends is None else ends - _LAST
    names, last = sorted(workers), {name: _Word(begun) for name in workers}
    with suppress(Exception):  # what cannot be retired is ended; Dask computes again what was lost
        await scheduler.retire_workers(names=names, close_workers=False, remove=False)
        while time.time() < until and _at_work(scheduler, last):  # noqa: ASYNC110
            await asyncio.sleep(_LOOK)
        await scheduler.retire_workers(names=names, close_workers=True, remove=True)


def _at_work(scheduler: Any, last: Mapping[str, "_Word"]) -> int:
    """How many of them are at work, or may be; each is looked at each time."""
    there = [worker for worker in scheduler.workers.values() if str(worker.name) in last]
    return sum(last[str(worker.name)].is_at_work(worker) for worker in there)


class _Word:
    """What one worker that leaves has told since something changed.

    It tells what it is at with each heartbeat. Until it has heard that it leaves, the end of a task lets it
    begin one that it had only kept: so a word counts if it is later than the last change, and names no task
    that has ended.
    """

    def __init__(self, begun: float) -> None:
        self._changed = begun
        self._kept: frozenset[Any] = frozenset()

    def is_at_work(self, worker: Any) -> bool:
        """Whether a task runs on it, or may."""
        kept = frozenset(worker.processing)
        if kept != self._kept:
            self._kept, self._changed = kept, max(self._changed, time.time())
        return bool(kept) and (worker.last_seen <= self._changed or bool(worker.executing))
