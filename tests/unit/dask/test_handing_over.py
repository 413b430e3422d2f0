"""Workers that leave: what they are at comes to its end, if Slurm leaves time for it."""

import asyncio
import time
from types import SimpleNamespace
from typing import Any

import pytest

from skiva.dask.handing_over import hand_over

_SOON = 0.05


@pytest.fixture(autouse=True)
def _looks_often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten times for each task of a test."""
    monkeypatch.setattr("skiva.dask.handing_over._LOOK", _SOON / 10)


class _Scheduler:
    """Workers that compute one long task each; notes what it was told, and who was still at work then."""

    def __init__(self, *names: str) -> None:
        self.workers = {f"tls://{name}": _worker(name) for name in names}
        self.told: list[tuple[list[str], bool, int]] = []

    async def retire_workers(self, *, names: list[str], close_workers: bool, remove: bool) -> None:
        assert close_workers is remove
        at_work = sum(bool(one.processing) for one in self.workers.values() if one.name in names)
        self.told.append((names, close_workers, at_work))

    def end_task(self, name: str) -> None:
        self.workers[f"tls://{name}"].processing.clear()


def _worker(name: str) -> SimpleNamespace:
    task = object()
    return SimpleNamespace(name=name, processing={task}, executing={task: 1.0}, last_seen=time.time() + 60)


async def _hand_over(scheduler: Any, ends: float | None, *names: str) -> list[tuple[list[str], bool, int]]:
    async with asyncio.timeout(20):
        await hand_over(scheduler, set(names), ends)
    told: list[tuple[list[str], bool, int]] = scheduler.told
    return told


@pytest.mark.parametrize("hours", [None, 2])
async def test_a_task_may_end_where_the_job_goes_on(hours: int | None) -> None:
    """With hours before Slurm's limit, or none: nothing new comes, and it is closed after its task."""
    scheduler = _Scheduler("w", "other")
    asyncio.get_running_loop().call_later(_SOON, scheduler.end_task, "w")
    ends = None if hours is None else time.time() + hours * 3600
    assert await _hand_over(scheduler, ends, "w") == [(["w"], False, 1), (["w"], True, 0)]


async def test_the_last_of_several_is_waited_for() -> None:
    """They leave together, in the order of their names, when none is at work any more."""
    scheduler = _Scheduler("b", "a")
    asyncio.get_running_loop().call_later(_SOON, scheduler.end_task, "b")
    asyncio.get_running_loop().call_later(3 * _SOON, scheduler.end_task, "a")
    assert await _hand_over(scheduler, None, "a", "b") == [(["a", "b"], False, 2), (["a", "b"], True, 0)]


async def test_shortly_before_the_limit_nobody_waits() -> None:
    """Of a job that Slurm ends in a moment the worker goes at once, whatever it is at."""
    assert await _hand_over(_Scheduler("w"), time.time() + 7.9, "w") == [(["w"], False, 1), (["w"], True, 1)]


async def test_a_task_that_does_not_end_is_given_up_where_slurm_sets_no_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """After five minutes, here a moment."""
    monkeypatch.setattr("skiva.dask.handing_over._LONGEST", _SOON)
    assert await _hand_over(_Scheduler("w"), None, "w") == [(["w"], False, 1), (["w"], True, 1)]


async def test_tasks_that_have_not_begun_are_not_waited_for() -> None:
    """What a worker said since it was told to leave counts: that it only keeps them, others compute them."""
    scheduler = _Scheduler("w")
    scheduler.workers["tls://w"].executing = {}
    assert await _hand_over(scheduler, None, "w") == [(["w"], False, 1), (["w"], True, 1)]


async def test_before_its_first_word_a_worker_counts_as_at_work() -> None:
    """What it told before is old: it may have begun what it had only kept."""
    scheduler = _Scheduler("w")
    worker = scheduler.workers["tls://w"]
    worker.executing, worker.last_seen = {}, time.time() - 1
    asyncio.get_running_loop().call_later(_SOON, scheduler.end_task, "w")
    assert await _hand_over(scheduler, None, "w") == [(["w"], False, 1), (["w"], True, 0)]


async def test_a_word_from_before_the_last_change_is_old() -> None:
    """A task ends just as the worker is told to leave, and it begins the one that it had only kept."""
    scheduler = _Scheduler("w")
    worker = scheduler.workers["tls://w"]
    kept = object()
    worker.processing.add(kept)
    loop = asyncio.get_running_loop()

    def first_ends() -> None:
        worker.processing.remove(*worker.executing)
        worker.executing, worker.last_seen = {}, time.time() - _SOON / 100

    def tells_of_the_second() -> None:
        worker.executing, worker.last_seen = {kept: 0.1}, time.time() + 60

    loop.call_later(_SOON / 4, first_ends)
    loop.call_later(_SOON, tells_of_the_second)
    loop.call_later(3 * _SOON, scheduler.end_task, "w")
    assert await _hand_over(scheduler, None, "w") == [(["w"], False, 1), (["w"], True, 0)]


async def test_a_word_that_names_a_task_that_has_ended_is_old() -> None:
    """It was on its way when that task ended: what runs instead is not in it yet."""
    scheduler = _Scheduler("w")
    worker = scheduler.workers["tls://w"]
    worker.executing = {object(): 1.0}
    asyncio.get_running_loop().call_later(_SOON, scheduler.end_task, "w")
    assert await _hand_over(scheduler, None, "w") == [(["w"], False, 1), (["w"], True, 0)]


async def test_a_scheduler_that_cannot_retire_ends_the_wait() -> None:
    """Whatever Dask raises, the job goes: what was lost is computed again."""
    scheduler = _Scheduler("w")

    async def fail(**_: Any) -> None:
        raise RuntimeError("closed")

    scheduler.retire_workers = fail  # type: ignore[method-assign]
    assert await _hand_over(scheduler, None, "w") == []
