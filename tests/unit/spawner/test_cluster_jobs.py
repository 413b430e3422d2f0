"""Jobs of Dask clusters without a living scheduler: which they are, and how they are ended."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
from tests.fakes.slurm import FakeReader
from tests.fakes.waiting import until
from tests.unit.pages import samples

from skiva_slurm.errors import SlurmUnanswered
from skiva_slurm.jobs import Array, Job
from skiva_slurm.tags import ClusterTag, RunTag, Tag
from skiva_slurm.watcher import Watcher
from skiva_spawners.cluster_jobs import ClusterJobs
from skiva_spawners.errors import ActingFailed
from skiva_spawners.hub_state import HubState


class Clock:
    """A time that only the test moves on."""

    now = 1000.0

    def __call__(self) -> float:
        """Now."""
        return self.now


class Helper:
    """Takes note of what is to be cancelled, and fails as told."""

    def __init__(self) -> None:
        self.cancelled: list[tuple[str, int]] = []
        self.problem: Exception | None = None
        self.hangs_for = ""

    async def cancel(self, account: str, job_id: int) -> None:
        """As `Actor.cancel`."""
        self.cancelled.append((account, job_id))
        if account == self.hangs_for:
            await asyncio.Event().wait()
        if self.problem:
            raise self.problem


class Hub:
    """The part of a hub that ends such jobs, over a queue that tests write."""

    def __init__(self) -> None:
        self.clock, self.reader, self.helper = Clock(), FakeReader(), Helper()
        self.watcher = Watcher(self.reader, idle_interval=3600, busy_interval=0.001, clock=self.clock)
        self.state = HubState(
            samples.site(),
            self.watcher,
            cast("Any", self.helper),
            cast("Any", None),
            cast("Any", None),
            clock=self.clock,
        )
        self.jobs = ClusterJobs(self.state)

    async def read(self, seconds: float = 1.0) -> list[tuple[str, int]]:
        """Let time go by, read the queue and see what is cancelled."""
        before = len(self.helper.cancelled)
        self.clock.now += seconds
        self.jobs.look(await self.watcher.refresh())
        if not self.helper.hangs_for:
            await until(lambda: not self.state._background)
        return self.helper.cancelled[before:]


@pytest.fixture
async def hub() -> AsyncIterator[Hub]:
    """A hub whose queue is empty."""
    made = Hub()
    made.watcher.start()
    yield made
    for task in tuple(made.state._background):
        task.cancel()
    await asyncio.gather(*made.state._background, return_exceptions=True)
    await made.watcher.stop()


def worker(number: int, owner: int, user: str = "ann", state: str = "RUNNING", **more: Any) -> Job:
    """A job of a cluster whose scheduler is in the job `owner`."""
    tag = ClusterTag("261122-k3f9ta2x", more.pop("batch", 1), owner).text
    return Job(number, user, state, tag=tag, submitted=500, **more)


def session(number: int = 7, user: str = "ann", state: str = "RUNNING", **more: Any) -> Job:
    """The job of a session."""
    return Job(number, user, state, tag=Tag("lab", user, "", "abcdefgh").text, start=400, **more)


async def test_workers_of_a_living_session_are_left_alone(hub: Hub) -> None:
    """Waiting or running, whatever the owner's state is while it lives or is not known."""
    hub.reader.put(worker(20, 7), worker(21, 7, state="PENDING", array=Array(21, "1-3")))
    for state in ("RUNNING", "SUSPENDED", "WEIRD", "LAUNCH_FAILED"):
        hub.reader.put(session(state=state))
        assert await hub.read(100) == []


@pytest.mark.parametrize(
    "state", ["CANCELLED", "TIMEOUT", "NODE_FAIL", "OUT_OF_MEMORY", "COMPLETED", "COMPLETING"]
)
async def test_workers_go_with_the_session_that_was_seen_to_end(hub: Hub, state: str) -> None:
    """With the first reading that shows it; an array once, as a whole, its waiting tasks included."""
    hub.reader.put(
        session(),
        worker(20, 7),
        worker(31, 7, array=Array(30, "0")),
        worker(32, 7, array=Array(30, "1"), state="COMPLETED"),
        worker(30, 7, state="PENDING", array=Array(30, "2-900%5")),
    )
    assert await hub.read() == []
    hub.reader.set_state(7, state)
    assert sorted(await hub.read()) == [("ann", 20), ("ann", 30)]
    assert await hub.read() == []


async def test_what_is_still_there_is_cancelled_again_later(hub: Hub) -> None:
    """A cancellation that got lost is repeated, but not with each reading; a job that ends is forgotten."""
    hub.reader.put(session(state="CANCELLED"), worker(20, 7))
    assert await hub.read() == [("ann", 20)]
    assert await hub.read(5) == []
    assert await hub.read(20) == [("ann", 20)]
    hub.reader.set_state(20, "CANCELLED")
    assert await hub.read(60) == []


async def test_an_end_is_known_when_slurm_has_forgotten_it(hub: Hub) -> None:
    """An owner that was seen to end is gone, though readings do not show it any more."""
    hub.reader.put(session(state="FAILED"))
    await hub.read()
    hub.reader.all_jobs.pop(7)
    hub.reader.put(worker(20, 7))
    assert await hub.read() == [("ann", 20)]


async def test_an_owner_that_nobody_saw_end_is_given_a_minute(hub: Hub) -> None:
    """After a restart of the hub Slurm may have forgotten the owner; a moment's absence means nothing."""
    hub.reader.put(session(), worker(20, 7))
    await hub.read()
    hub.reader.lost.add(7)
    assert await hub.read() == await hub.read(30) == []
    hub.reader.lost.clear()
    assert await hub.read(100) == []
    hub.reader.lost.add(7)
    assert await hub.read() == await hub.read(50) == []
    assert await hub.read(20) == [("ann", 20)]


async def test_silence_is_not_death(hub: Hub) -> None:
    """However long Slurm does not answer, nothing is cancelled, and that time does not count as absence."""
    hub.reader.put(session(), worker(20, 7))
    await hub.read()
    hub.reader.lost.add(7)
    hub.reader.fail = SlurmUnanswered("silent")
    hub.clock.now += 3600
    with pytest.raises(SlurmUnanswered):
        await hub.watcher.refresh()
    hub.reader.fail = None
    assert await hub.read(40) == await hub.read() == []
    hub.reader.lost.clear()
    assert await hub.read(100) == []


async def test_jobs_that_claim_no_owner_are_left_alone(hub: Hub) -> None:
    """A scheduler of its own, workers of a scheduler outside of Slurm, runs and marks that are none."""
    odd = Job(24, "ann", "RUNNING", tag="skiva-cluster:261122-k3f9ta2x:1:007")
    run = Job(23, "ann", "RUNNING", tag=RunTag("261122-k3f9ta2x").text)
    hub.reader.put(worker(21, 0, batch=0), worker(22, 0), run, odd, session(state="FAILED"))
    assert await hub.read() == await hub.read(100) == []


async def test_a_claim_to_somebody_elses_job_changes_nothing_for_others(hub: Hub) -> None:
    """Bob's workers are not ended with ann's session, nor hers because he copied her cluster's mark."""
    hub.reader.put(session(), worker(20, 7), worker(40, 7, user="bob"), worker(41, 8, user="bob"))
    hub.reader.put(session(8, "bob", state="CANCELLED"), worker(42, 8))
    assert await hub.read(100) == [("bob", 41)]
    hub.reader.set_state(7, "CANCELLED")
    assert sorted(await hub.read(100)) == [("ann", 20), ("bob", 41)]


async def test_workers_of_a_session_that_was_requeued_belong_to_nobody(hub: Hub) -> None:
    """A scheduler does not survive that; what the session asks for afterwards is its own again."""
    hub.reader.put(session(state="PENDING", restarts=1), worker(20, 7))
    assert await hub.read() == [("ann", 20)]
    again = Job(7, "ann", "RUNNING", start=900, restarts=1)
    hub.reader.put(again, worker(21, 7), Job(22, "ann", "RUNNING", tag=worker(22, 7).tag, submitted=950))
    hub.reader.set_state(20, "CANCELLED")
    assert await hub.read() == [("ann", 21)]


async def test_a_helper_that_cannot_act_is_not_asked_all_the_time(hub: Hub) -> None:
    """For somebody whom this hub does not serve it is tried again after minutes."""
    hub.reader.put(session(state="CANCELLED"), worker(20, 7))
    hub.helper.problem = ActingFailed("This hub serves skiva alone.")
    assert await hub.read() == [("ann", 20)]
    assert await hub.read(200) == []
    hub.helper.problem = SlurmUnanswered("silent")
    assert await hub.read(101) == [("ann", 20)]
    assert await hub.read(21) == [("ann", 20)]


async def test_nobody_waits_for_the_jobs_of_somebody_else(hub: Hub) -> None:
    """While one person's cancellation hangs, and is not begun twice, those of others go on."""
    hub.helper.hangs_for = "bob"
    hub.reader.put(session(8, "bob", state="CANCELLED"), worker(40, 8, user="bob"), worker(41, 8, user="bob"))
    await hub.read()
    await until(lambda: hub.helper.cancelled == [("bob", 40)])
    hub.reader.put(session(state="CANCELLED"), worker(20, 7))
    await hub.read(100)
    await until(lambda: hub.helper.cancelled == [("bob", 40), ("ann", 20)])
