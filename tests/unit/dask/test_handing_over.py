"""Workers that leave: what they are at comes to its end, if Slurm leaves time for it."""

import asyncio
import time
from types import SimpleNamespace
from typing import Any

from skiva.dask.handing_over import hand_over


class _Scheduler:
    """One worker that computes one long task; notes whether it was still at it when it was closed."""

    def __init__(self) -> None:
        self.task = object()
        self.worker = SimpleNamespace(
            name="w", processing={self.task}, executing={self.task: 1.0}, last_seen=time.time() + 60
        )
        self.workers = {"tls://w": self.worker}
        self.closed_at_work: bool | None = None

    async def retire_workers(self, *, names: list[str], close_workers: bool, remove: bool) -> None:
        assert names == ["w"]
        assert close_workers is remove
        if close_workers:
            self.closed_at_work = bool(self.worker.processing)

    def end_task(self) -> None:
        self.worker.processing.clear()


async def _closed_at_work(ends: float | None, task: float) -> bool | None:
    scheduler: Any = _Scheduler()
    asyncio.get_running_loop().call_later(task, scheduler.end_task)
    async with asyncio.timeout(5):
        await hand_over(scheduler, {"w"}, ends)
    return bool(scheduler.closed_at_work)


async def test_a_task_may_end_where_the_job_goes_on() -> None:
    """With hours before Slurm's limit, or none, the worker is closed after its task and not before."""
    assert await _closed_at_work(time.time() + 7200, 0.4) is False
    assert await _closed_at_work(None, 0.4) is False


async def test_shortly_before_the_limit_nobody_waits() -> None:
    """Of a job that Slurm ends in a moment the worker goes at once, whatever it is at."""
    assert await _closed_at_work(time.time() + 5, 3) is True
