"""How workers leave: what they hold goes to others first, and what they are at may come to its end."""

import asyncio
import time
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
    names = sorted(workers)
    with suppress(Exception):  # what cannot be retired is ended; Dask computes again what was lost
        await scheduler.retire_workers(names=names, close_workers=False, remove=False)
        while time.time() < until and any(_is_at_work(one, begun) for one in _there(scheduler, workers)):  # noqa: ASYNC110
            await asyncio.sleep(_LOOK)
        await scheduler.retire_workers(names=names, close_workers=True, remove=True)


def _there(scheduler: Any, names: set[str]) -> list[Any]:
    return [worker for worker in scheduler.workers.values() if str(worker.name) in names]


def _is_at_work(worker: Any, begun: float) -> bool:
    """Whether a task runs on it; before its first word since it was told to leave that is not known."""
    if not worker.processing:
        return False
    return worker.last_seen <= begun or not worker.processing.isdisjoint(worker.executing)
