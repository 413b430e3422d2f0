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

    New tasks go elsewhere from the beginning. A worker that alone holds a result stays as long as it can.
    """
    until = time.time() + _LONGEST if ends is None else min(ends - _LAST, time.time() + _LONGEST)
    with suppress(Exception):  # what cannot be retired is ended; Dask computes again what was lost
        while there := _there(scheduler, workers):
            await scheduler.retire_workers(names=sorted(workers), close_workers=False, remove=False)
            if not any(worker.processing for worker in there) or time.time() >= until:
                break
            await asyncio.sleep(_LOOK)
        await scheduler.retire_workers(names=sorted(workers), close_workers=True, remove=True)


def _there(scheduler: Any, names: set[str]) -> list[Any]:
    return [worker for worker in scheduler.workers.values() if str(worker.name) in names]
