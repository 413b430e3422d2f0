"""Adapting asks Slurm in steps, not at every whim of the work."""

from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import pytest

from skiva.dask.adaptive import SteadyAdaptive
from skiva.runs.wish import BadWish


class _Cluster:
    """Notes what is asked of it; does not allow more than eight workers."""

    slices = SimpleNamespace(processes=1)
    most = 8

    def __init__(self) -> None:
        self.plan = {"a", "b", "c"}
        self.requested: set[str] = set()
        self.observed: set[str] = set()
        self.wishes: list[int] = []
        self.gone: list[str] = []
        self.said: list[str] = []
        self.keeper = self

    def wish_for(self, workers: int) -> None:
        if workers > 8:
            raise BadWish("workers: at most 8")
        self.wishes.append(workers)

    def whole_jobs(self, workers: Iterable[str]) -> list[str]:
        return list(workers)

    def let_go(self, jobs: list[str]) -> None:
        self.gone += jobs

    def say_once(self, level: str, text: str) -> None:
        self.said.append(f"{level}: {text}")


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time in seconds, which a test sets."""
    now = [1000.0]
    monkeypatch.setattr("skiva.dask.adaptive.time.monotonic", lambda: now[0])
    return now


def _adapting(cluster: _Cluster) -> Any:
    return SteadyAdaptive(cluster, interval=0, minimum=0, maximum=100)


async def test_more_is_asked_for_every_few_seconds_at_most(clock: list[float]) -> None:
    """Ten wishes within a second are one request; three seconds later there may be another."""
    cluster = _Cluster()
    adapting = _adapting(cluster)
    for wanted in range(1, 8):
        await adapting.scale_up(wanted)
    clock[0] += 3.1
    await adapting.scale_up(8)
    assert cluster.wishes == [1, 8]


async def test_workers_go_more_slowly_than_they_come(clock: list[float]) -> None:
    """Those that are idle soon after others went stay a while, which spares a new wait in the queue."""
    cluster = _Cluster()
    adapting = _adapting(cluster)
    await adapting.scale_down(["a"])
    clock[0] += 10
    await adapting.scale_down(["b"])
    clock[0] += 5.1
    await adapting.scale_down(["c"])
    assert cluster.gone == ["a", "c"]
    assert adapting.wait_count == 10


async def test_a_limit_is_told_and_ends_nothing(clock: list[float]) -> None:
    """What the site does not allow is said in its words, and adapting goes on."""
    cluster = _Cluster()
    adapting = _adapting(cluster)
    await adapting.scale_up(20)
    clock[0] += 3.1
    await adapting.scale_up(8)
    assert cluster.said == ["warning: workers: at most 8"]
    assert cluster.wishes == [8, 8]


async def test_no_more_go_than_leads_to_the_aim(clock: list[float]) -> None:
    """Of three idle workers two go where one is to stay, whatever else Dask names."""
    cluster = _Cluster()
    adapting = _adapting(cluster)
    adapting._aim = 1
    await adapting.scale_down(["a", "b", "c"])
    assert cluster.gone == ["a", "b"]


async def test_what_leads_to_an_aim_is_told_to_dask(clock: list[float]) -> None:
    """Its own word for it goes through; the aim is what a scaling down goes by."""
    cluster = _Cluster()
    cluster.requested, cluster.observed = set(cluster.plan), set(cluster.plan)
    adapting = _adapting(cluster)
    assert await adapting.recommendations(5) == {"status": "up", "n": 5}
    assert adapting._aim == 5
    await adapting.scale_down(["a"])
    assert cluster.gone == []


@pytest.mark.parametrize(("plan", "most", "wishes"), [(3, 8, [8]), (7, 8, [8]), (8, 8, []), (3, 20, [])])
async def test_of_too_many_as_many_are_asked_for_as_there_may_be(
    clock: list[float], plan: int, most: int, wishes: list[int]
) -> None:
    """Where that is more than there are; a most that is refused too is let be."""
    cluster = _Cluster()
    cluster.plan, cluster.most = {str(number) for number in range(plan)}, most
    await _adapting(cluster).scale_up(20 if most == 8 else 21)
    assert cluster.wishes == wishes
    assert cluster.said == ["warning: workers: at most 8"]


async def test_of_jobs_with_several_workers_no_more_go_than_leads_to_the_aim(clock: list[float]) -> None:
    """Of three workers that are too many one job of two goes."""
    cluster = _Cluster()
    cluster.slices = SimpleNamespace(processes=2)
    cluster.plan = {f"{job}-{part}" for job in "abc" for part in range(2)}
    adapting = _adapting(cluster)
    adapting._aim = 3
    await adapting.scale_down(["a", "b", "c"])
    assert cluster.gone == ["a"]


async def test_where_nobody_need_go_the_next_one_is_not_held_up(clock: list[float]) -> None:
    """What changes nothing does not begin a pause."""
    cluster = _Cluster()
    adapting = _adapting(cluster)
    adapting._aim = 3
    await adapting.scale_down(["a"])
    adapting._aim = 2
    await adapting.scale_down(["a"])
    assert cluster.gone == ["a"]
