"""The one reader of the queue."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from itertools import pairwise

import pytest
from tests.fakes.slurm import FakeReader, no_answer
from tests.fakes.waiting import until

from skiva_slurm.errors import SlurmUnanswered
from skiva_slurm.jobs import Job, Node, Snapshot
from skiva_slurm.reservations import Reservation
from skiva_slurm.watcher import Watcher

NODE = Node("n1", "10.0.0.1", frozenset({"IDLE"}))


def job(number: int = 1, state: str = "RUNNING") -> Job:
    return Job(number, "alice", state, nodes=("n1",))


class Clock:
    """A clock that a test can put forward; it runs by itself too."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return asyncio.get_running_loop().time() + self.ahead


@asynccontextmanager
async def watching(
    reader: FakeReader, *, idle: float = 0.02, busy: float = 0.02, stuck_after: float = 60.0
) -> AsyncIterator[tuple[Watcher, Clock]]:
    clock = Clock()
    watcher = Watcher(reader, idle_interval=idle, busy_interval=busy, stuck_after=stuck_after, clock=clock)
    watcher.start()
    try:
        yield watcher, clock
    finally:
        await watcher.stop()


async def readings(watcher: Watcher, more: int) -> None:
    """Wait for so many more good readings."""
    wanted = watcher.readings + more
    await until(lambda: watcher.readings >= wanted)


async def test_nothing_is_known_before_the_first_reading() -> None:
    """Until Slurm has answered once there is no picture; the barrier says so, and no queue is empty."""
    reader = FakeReader([job()], [NODE])
    reader.hang()
    async with watching(reader) as (watcher, _):
        assert not await watcher.loaded(0.05)
        assert watcher.age == float("inf")
        assert watcher.trouble == ""
        reader.release()
        assert await watcher.loaded(5)
        first = await watcher.changed(None)
        assert first.jobs[1].state == "RUNNING"
        assert first.nodes["n1"].address == "10.0.0.1"
        assert abs(first.taken - time.time()) < 60
        assert watcher.age < 5


async def test_a_snapshot_cannot_be_changed() -> None:
    """What one consumer gets, no other can spoil."""
    async with watching(FakeReader([job()], [NODE])) as (watcher, _):
        await watcher.loaded(5)
        assert watcher.snapshot is not None
        with pytest.raises(TypeError):
            watcher.snapshot.jobs[2] = job(2)  # type: ignore[index]
        with pytest.raises(TypeError):
            watcher.snapshot.nodes["n2"] = NODE  # type: ignore[index]


async def test_an_end_that_slurm_has_forgotten_is_still_known_of_jobs_of_ours() -> None:
    """A site whose slurmctld forgets quickly still lets people hear how their runs ended."""
    mark = "skiva-run:261122-k3f9ta2x"
    ours, other = replace(job(1, "FAILED"), tag=mark), job(2, "FAILED")
    reader = FakeReader([ours, other, job(3)], [NODE])
    async with watching(reader) as (watcher, _):
        await watcher.loaded(5)
        assert not watcher.ended_and_gone
        reader.lost = {1, 2, 3}
        await readings(watcher, 2)
        assert watcher.ended_and_gone == (ours,)


async def test_concurrent_callers_share_one_reading_that_starts_after_their_call() -> None:
    """A reading under way when somebody asks is too old for them; all who wait share the next."""
    reader = FakeReader([job(1, "PENDING")], [NODE])
    async with watching(reader, idle=60) as (watcher, _):
        await watcher.loaded(5)
        reader.hang()
        early = asyncio.create_task(watcher.refresh())
        await until(lambda: reader.job_readings == 2)
        reader.set_state(1, "RUNNING")
        late = [asyncio.create_task(watcher.refresh()) for _ in range(50)]
        await asyncio.sleep(0)
        reader.release()
        assert (await early).jobs[1].state == "PENDING"
        seen = await asyncio.gather(*late)
        assert {snapshot.jobs[1].state for snapshot in seen} == {"RUNNING"}
        assert len({id(snapshot) for snapshot in seen}) == 1
        assert reader.job_readings == 3


async def test_queries_never_run_at_once() -> None:
    """However many ask, and whatever attention there is, Slurm sees one query at a time."""
    reader = FakeReader([job()], [NODE])
    reader.delay = 0.005
    async with watching(reader, idle=0.001, busy=0.001) as (watcher, _):
        with watcher.attention():
            for _ in range(10):
                await asyncio.gather(*(watcher.refresh() for _ in range(20)))
    assert reader.most_at_once == 1


async def test_a_caller_who_gives_up_leaves_the_others_their_reading() -> None:
    """Cancelling one refresh does not cancel the reading that others share."""
    reader = FakeReader([job()], [NODE])
    async with watching(reader, idle=60) as (watcher, _):
        await watcher.loaded(5)
        reader.hang()
        one, other = (asyncio.create_task(watcher.refresh()) for _ in range(2))
        await until(lambda: reader.job_readings == 2)
        one.cancel()
        with suppress(asyncio.CancelledError):
            await one
        reader.release()
        assert (await other).jobs


@pytest.mark.parametrize(
    ("failure", "trouble", "logged"),
    [
        (SlurmUnanswered("nobody home."), "Slurm is not answering: nobody home.", []),
        (SlurmUnanswered("Slurm naps"), "Slurm naps.", []),
        (SlurmUnanswered("The line is dead."), "The line is dead.", []),
        (
            KeyError("a mistake of ours"),
            "Slurm could not be read: KeyError.",
            ["reading Slurm failed in an unforeseen way"],
        ),
    ],
)
async def test_silence_removes_no_job(
    failure: Exception, trouble: str, logged: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """While Slurm fails, and even when our own code does, the last good picture stays, with the trouble."""
    reader = FakeReader([job()], [NODE])
    async with watching(reader) as (watcher, clock):
        await watcher.loaded(5)
        reader.fail = failure
        assert (watcher.trouble, watcher.failures) == ("", 0)
        with pytest.raises(
            SlurmUnanswered, match=trouble.removeprefix("Slurm is not answering: ").rstrip(".")
        ):
            await watcher.refresh()
        before = watcher.snapshot
        assert before is not None
        assert 1 in before.jobs
        assert (watcher.trouble, watcher.failures) == (trouble, 1)
        assert caplog.messages == logged
        clock.ahead += 600
        assert watcher.age >= 600
        assert watcher.missing_since(1) is None
        assert watcher.seen_ended(1) is None
        reader.fail = None
        clock.ahead += 60
        await watcher.refresh()
        assert watcher.trouble == ""


async def test_a_job_is_missing_after_two_good_readings_without_it() -> None:
    """One reading that lacks a job says nothing yet; failed readings do not count; coming back clears it."""
    reader = FakeReader([job()], [NODE])
    async with watching(reader, idle=60) as (watcher, clock):
        await watcher.loaded(5)
        reader.lost.add(1)
        still_there = clock()
        await watcher.refresh()
        first_absence = clock()
        assert watcher.missing_since(1) is None
        reader.fail = no_answer()
        with pytest.raises(SlurmUnanswered):
            await watcher.refresh()
        assert watcher.missing_since(1) is None
        reader.fail = None
        clock.ahead += 100
        await watcher.refresh()
        since = watcher.missing_since(1)
        assert since is not None
        assert still_there <= since <= first_absence
        clock.ahead += 100
        await watcher.refresh()
        assert watcher.missing_since(1) == since


async def test_a_job_that_comes_back_and_goes_again_is_missing_anew() -> None:
    """Being seen clears an absence; the next one counts from its own first reading."""
    reader = FakeReader([job()], [NODE])
    async with watching(reader, idle=60) as (watcher, clock):
        await watcher.loaded(5)
        reader.lost.add(1)
        await watcher.refresh()
        await watcher.refresh()
        assert watcher.missing_since(1) is not None
        reader.lost.clear()
        await watcher.refresh()
        assert watcher.missing_since(1) is None
        clock.ahead += 100
        back = clock()
        reader.lost.add(1)
        await watcher.refresh()
        assert watcher.missing_since(1) is None
        await watcher.refresh()
        again = watcher.missing_since(1)
        assert again is not None
        assert again >= back


async def test_a_job_that_was_never_seen_is_missing_only_from_when_it_was_asked_for() -> None:
    """A job just queued may be younger than the picture: readings before the question do not count."""
    reader = FakeReader([], [NODE])
    async with watching(reader, idle=60) as (watcher, _):
        await watcher.loaded(5)
        await watcher.refresh()
        assert watcher.missing_since(7) is None
        await watcher.refresh()
        assert watcher.missing_since(7) is None
        await watcher.refresh()
        assert watcher.missing_since(7) is not None
        reader.put(job(7))
        await watcher.refresh()
        assert watcher.missing_since(7) is None


async def test_an_end_that_was_seen_is_remembered_for_an_hour() -> None:
    """After slurmctld has forgotten a job, how it ended is still known for an hour."""
    reader = FakeReader([job(1), job(2)], [NODE])
    async with watching(reader, idle=60) as (watcher, clock):
        await watcher.loaded(5)
        assert watcher.seen_ended(1) is None
        reader.set_state(1, "TIMEOUT")
        await watcher.refresh()
        del reader.all_jobs[1]
        clock.ahead += 3000
        await watcher.refresh()
        ended = watcher.seen_ended(1)
        assert ended is not None
        assert ended.state == "TIMEOUT"
        clock.ahead += 1000
        await watcher.refresh()
        assert watcher.seen_ended(1) is None
        assert watcher.seen_ended(2) is None


async def test_a_job_that_is_requeued_after_its_end_lives_again() -> None:
    """PREEMPTED, then PENDING under the same number: the end no longer counts."""
    reader = FakeReader([job(1, "PREEMPTED")], [NODE])
    async with watching(reader, idle=60) as (watcher, _):
        await watcher.loaded(5)
        assert watcher.seen_ended(1) is not None
        reader.set_state(1, "PENDING")
        await watcher.refresh()
        assert watcher.seen_ended(1) is None


async def test_failures_are_followed_by_longer_and_longer_pauses() -> None:
    """A Slurm that does not answer is asked less and less often, at most every 30 seconds."""
    reader = FakeReader()
    reader.fail = no_answer()
    async with watching(reader, idle=0.001, busy=0.001) as (watcher, _):
        pauses = []
        for failures in range(1, 9):
            await until(lambda wanted=failures: watcher.failures >= wanted)  # type: ignore[misc]
            pauses.append(watcher._pace.seconds_until_due(asked=False))
            watcher._clock.ahead += 31  # type: ignore[attr-defined]
            watcher._wake.set()
        assert 0.5 < pauses[0] < 1.5
        assert all(later > sooner for sooner, later in pairwise(pauses[:5]))
        assert all(20 < pause <= 30 for pause in pauses[6:])
        assert watcher._pace.seconds_until_due(asked=True) <= 5
        assert watcher.readings == 0


async def test_how_often_and_how_fast_slurm_was_read_is_counted() -> None:
    """Good readings and their time are told apart from failures, for whoever looks at the numbers."""
    reader = FakeReader([job()], [NODE])
    async with watching(reader, idle=60) as (watcher, clock):
        assert (watcher.readings, watcher.failures, watcher.restarts, watcher.last_seconds) == (0, 0, 0, 0.0)
        assert watcher.snapshot is None
        assert watcher.missing_since(1) is None
        await watcher.loaded(5)
        reader.hang()
        asking = asyncio.create_task(watcher.refresh())
        await until(lambda: reader.job_readings == 2)
        clock.ahead += 7
        reader.release()
        await asking
        assert (watcher.readings, watcher.failures, watcher.restarts) == (2, 0, 0)
        assert 7 <= watcher.last_seconds < 8
        assert watcher.age < 1


async def test_starting_twice_starts_one_reader() -> None:
    """A second start changes nothing, and the tasks have names for whoever looks for what hangs."""
    reader = FakeReader([job()], [NODE])
    reader.hang()
    async with watching(reader) as (watcher, _):
        watcher.start()
        await until(lambda: reader.job_readings == 1 or reader.node_readings == 1)
        names = sorted(task.get_name() for task in asyncio.all_tasks() if "slurm" in task.get_name())
        assert names == ["slurm-watchdog", "slurm-watcher"]
        assert reader.most_at_once <= 1
        reader.release()


async def test_attention_quickens_the_readings_and_its_end_calms_them() -> None:
    """While somebody waits the queue is read at the busy interval, the nodes less often, then idly again."""
    reader = FakeReader([job()], [NODE])
    async with watching(reader, idle=60, busy=0.01) as (watcher, _):
        await watcher.loaded(5)
        with watcher.attention(), watcher.attention():
            await readings(watcher, 10)
            assert reader.node_readings == 1
            assert watcher.snapshot is not None
            assert "n1" in watcher.snapshot.nodes
        assert watcher._pace.seconds_until_due(asked=False) > 30


async def test_reservations_are_read_where_a_slice_names_one_and_silence_keeps_the_last() -> None:
    """A site without them asks for none; a failed reading of them neither removes one nor hides the jobs."""
    course = Reservation("course", 100.0, 200.0, ("n1",))
    reader = FakeReader([job()], [NODE])
    reader.all_reservations = {"course": course}
    async with watching(reader) as (watcher, _):
        await readings(watcher, 5)
        assert reader.reservation_readings == 0
        watcher.reserved = frozenset({"course"})
        await until(lambda: watcher.snapshot is not None and "course" in watcher.snapshot.reservations)
        reader.fail_reservations = no_answer()
        await readings(watcher, 5)
        assert watcher.snapshot is not None
        assert watcher.snapshot.reservations == {"course": course}
        assert watcher.trouble == ""
        assert reader.reservation_readings <= reader.node_readings
        reader.fail_reservations, reader.all_reservations = None, {}
        await until(lambda: getattr(watcher.snapshot, "reservations", {}) == {"course": None})
        assert watcher.reserved_until("course") == (200.0,)
        assert watcher.reserved_until("other") == ()


async def test_when_a_jobs_limit_was_to_end_it_is_known_after_its_end() -> None:
    """An ended job shows when it ended; its time limit is that of the last reading in which it lived."""
    ours = replace(job(), tag="skiva-run:261122-k3f9ta2x", end=5000.0)
    reader = FakeReader([ours, replace(job(2), end=5000.0)], [NODE])
    async with watching(reader) as (watcher, _):
        await watcher.loaded(5)
        reader.put(replace(ours, state="TIMEOUT", end=1000.0))
        await readings(watcher, 2)
        assert watcher.due(1) == 5000.0
        assert watcher.due(2) is None


async def test_a_storm_of_requests_is_bounded() -> None:
    """After a burst, requests wait for the busy interval, so that Slurm sees no more than the budget."""
    reader = FakeReader([job()], [NODE])
    async with watching(reader, idle=60, busy=60) as (watcher, _):
        await watcher.loaded(5)
        for _ in range(6):
            await watcher.refresh()
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await watcher.refresh()
        assert reader.job_readings <= 10


async def test_a_reading_that_hangs_is_given_up_and_reading_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The watchdog ends a reading that never ends, tells who waits for it, and starts again."""
    reader = FakeReader([job()], [NODE])
    async with watching(reader, idle=0.01, stuck_after=0.2) as (watcher, _):
        await watcher.loaded(5)
        reader.hang()
        with pytest.raises(SlurmUnanswered, match=r"^a reading took more than 0\.2 seconds$"):
            await watcher.refresh()
        assert set(caplog.messages) == {"the watcher of the queue was stuck and is started again"}
        assert watcher.snapshot is not None
        assert 1 in watcher.snapshot.jobs
        reader.release()
        await readings(watcher, 1)
        assert watcher.restarts >= 1
        assert watcher.trouble == ""
        assert reader.most_at_once == 1


async def test_a_loop_that_died_is_started_again(caplog: pytest.LogCaptureFixture) -> None:
    """Even if the loop itself is ended, reading goes on."""
    async with watching(FakeReader([job()], [NODE]), idle=0.01, stuck_after=0.2) as (watcher, _):
        await watcher.loaded(5)
        assert watcher._loop is not None
        watcher._loop.cancel()
        await until(lambda: watcher.restarts == 1)
        await readings(watcher, 1)
        assert caplog.messages == ["the watcher of the queue was stuck and is started again"]
        assert watcher._loop.get_name() == "slurm-watcher"
        watcher._loop.cancel()
        await until(lambda: watcher.restarts == 2)


async def test_a_reading_that_is_not_yet_late_is_left_alone() -> None:
    """The watchdog counts from when the reading began, on a clock that stands still here."""
    reader = FakeReader([job()], [NODE])
    reader.hang()
    watcher = Watcher(reader, stuck_after=0.02, clock=lambda: 1000.0)
    watcher.start()
    await asyncio.sleep(0.05)  # the watchdog has looked several times
    assert watcher.restarts == 0
    reader.release()
    await watcher.stop()


async def test_consumers_are_told_of_each_reading_and_one_that_fails_harms_nobody(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Listeners and waiters get every new picture; a listener's error is its own."""
    seen: list[Snapshot] = []

    def bad(_: Snapshot) -> None:
        raise RuntimeError("not my day")

    async with watching(FakeReader([job()], [NODE])) as (watcher, _):
        watcher.on_snapshot(bad)
        forget = watcher.on_snapshot(seen.append)
        first = await watcher.changed(None)
        second = await watcher.changed(first)
        assert second is not first
        forget()
        count = len(seen)
        await readings(watcher, 2)
        assert count >= 2
        assert seen[0] is first
        assert len(seen) == count
        assert set(caplog.messages) == {"a listener of the queue failed"}


async def test_stopping_leaves_nobody_waiting() -> None:
    """Who waits for a reading when the watcher stops is told so; asking afterwards is a mistake."""
    reader = FakeReader([job()], [NODE])
    async with watching(reader, idle=60) as (watcher, _):
        await watcher.loaded(5)
        reader.hang()
        first = asyncio.create_task(watcher.refresh())
        await until(lambda: reader.job_readings == 2)
        second = asyncio.create_task(watcher.refresh())
        await asyncio.sleep(0)
        await watcher.stop()
        assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("slurm-")]
        for waiting in (first, second):
            with pytest.raises(SlurmUnanswered, match=r"^The watcher of the queue has been stopped\.$"):
                await waiting
        with pytest.raises(RuntimeError, match=r"^start the watcher before asking it to read$"):
            await watcher.refresh()


async def test_an_old_picture_is_called_old() -> None:
    """Without any failure, a picture that has not been renewed for minutes is trouble."""
    reader = FakeReader([job()], [NODE])
    async with watching(reader, idle=60) as (watcher, clock):
        await watcher.loaded(5)
        assert watcher.trouble == ""
        reader.hang()
        clock.ahead += 300
        assert "has not been read for 300 seconds" in watcher.trouble
