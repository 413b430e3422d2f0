"""What a keeper decides, in simulated hours of joins, ends, deaths and queues that are full."""

import math
from dataclasses import dataclass, field
from typing import get_args

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skiva.dask.keeping import (
    JobView,
    Phase,
    Plan,
    Trouble,
    after_end,
    by_use,
    decide,
    expires_at,
    hash_of,
    lead_of,
)

_STEP = 1.0
_CALM = Trouble()
_NEVER = 1e12

phases = st.sampled_from(get_args(Phase))
moments = st.floats(0, 1000)


@st.composite
def views(draw: st.DrawFn) -> list[JobView]:
    """Any jobs at all, also such as cannot be."""
    return [
        JobView(
            name=f"261122-abcdefgh-{draw(st.integers(1, 40))}-{number}",
            phase=draw(phases),
            since=draw(moments),
            ready_at=draw(st.none() | moments),
            ends=draw(st.none() | moments),
        )
        for number in range(draw(st.integers(0, 12)))
    ]


troubles = st.builds(Trouble, st.integers(0, 5), moments, st.sampled_from(["", "Slurm said no."]))


@dataclass
class _Job:
    name: str
    asked: float
    phase: str = "waiting"
    since: float = 0.0
    began: float | None = None
    ready_at: float | None = None
    ends: float | None = None
    gone: float = math.inf
    """When it has handed over what it held."""

    def view(self) -> JobView:
        return JobView(self.name, self.phase, self.since, self.ready_at, self.ends)  # type: ignore[arg-type]


@dataclass
class _World:
    """A queue with room for some jobs at once, of which each begins, joins and ends after fixed times."""

    room: int
    wanted: int
    lifetime: float
    limit: float
    """Seconds that Slurm gives a job."""
    begins: float
    joins: float
    leaves: float
    now: float = 0.0
    jobs: dict[str, _Job] = field(default_factory=dict)
    waits: list[float] = field(default_factory=list)
    batches: int = 0
    asked: int = 0
    killed: list[str] = field(default_factory=list)
    """Those that Slurm's own limit ended while they were of use."""

    def _running(self) -> int:
        return sum(job.began is not None for job in self.jobs.values())

    def _move(self) -> None:
        for job in list(self.jobs.values()):
            if job.gone <= self.now:
                del self.jobs[job.name]
            elif job.ends is not None and job.ends <= self.now:
                self.killed.append(job.name)
                job.phase, job.since, job.began = "over", self.now, None
        for job in self.jobs.values():
            fits = job.began is not None or self._running() < self.room
            if job.phase == "waiting" and fits and self.now - job.asked >= self.begins:
                job.began, job.ends = self.now, self.now + self.limit
                job.phase, job.since = "starting", self.now
            elif job.phase == "starting" and self.now - (job.began or 0.0) >= self.joins:
                job.phase, job.since, job.ready_at = "ready", self.now, self.now
                self.waits = [*self.waits[-7:], self.now - job.asked]

    def plan(self) -> Plan:
        return decide(
            [job.view() for job in self.jobs.values()],
            wanted=self.wanted,
            now=self.now,
            lifetime=self.lifetime,
            trouble=_CALM,
            waits=self.waits,
        )

    def carry_out(self, plan: Plan) -> None:
        for name in plan.drop:
            del self.jobs[name]
        for name in plan.retire:
            job = self.jobs[name]
            job.phase, job.since, job.gone = "leaving", self.now, self.now + self.leaves
        if plan.add:
            self.batches += 1
            self.asked += plan.add
            for task in range(plan.add):
                name = f"261122-abcdefgh-{self.batches}-{task}"
                self.jobs[name] = _Job(name, self.now, since=self.now)

    def step(self) -> int:
        """Let one second pass; how many jobs are of use after it."""
        self.now += _STEP
        self._move()
        self.carry_out(self.plan())
        return sum(job.phase == "ready" for job in self.jobs.values())


@given(
    wanted=st.integers(1, 8),
    lifetime=st.floats(24, 600),
    spare=st.floats(30, 600),
    quick=st.floats(0, 1),
    leaves=st.floats(0, 5),
)
@settings(max_examples=40)
def test_there_are_never_fewer_than_wanted_while_successors_can_start(
    wanted: int, lifetime: float, spare: float, quick: float, leaves: float
) -> None:
    """Over many lifetimes, if joining takes up to a third of one; Slurm's limit ends none in use."""
    takes = quick * (lifetime / 3 - 3 * _STEP)
    world = _World(3 * wanted, wanted, lifetime, lifetime + spare, takes / 2, takes / 2, leaves)
    while world.step() < wanted:
        assert world.now < lifetime
    least = wanted
    while world.now < 6 * lifetime and world.now < 1500:
        least = min(least, world.step())
    assert least >= wanted
    assert not world.killed
    turns = world.now / (lifetime * 0.8 - lead_of(lifetime, [takes])) + 2
    assert world.asked <= wanted * turns, "each is replaced once a lifetime, and no more is asked for"


@given(wanted=st.integers(1, 6), room=st.integers(1, 6), joins=st.floats(0, 10), leaves=st.floats(0, 5))
@settings(max_examples=60)
def test_without_room_for_successors_one_makes_room_at_a_time(
    wanted: int, room: int, joins: float, leaves: float
) -> None:
    """The queue holds no more than there are: all but one or those that Slurm ends stay."""
    room = min(room, wanted)
    world = _World(room, wanted, 60.0, 90.0, 0.0, joins, leaves)
    while world.step() < room:
        assert world.now < 100
    ready = [world.step() for _ in range(600)]
    assert max(ready) <= room
    assert world.asked <= wanted + room * (1 + 600 / 20), "no more is asked for than leave"
    assert sum(count >= room - 1 for count in ready) > 300
    # Everyone of the first has gone, in order: what it held went to others before.
    assert not [name for name in world.killed if name.startswith("261122-abcdefgh-1-")]


@given(views(), st.integers(0, 12), moments, st.floats(1, 1000), troubles, st.lists(moments, max_size=8))
def test_it_is_total_and_names_only_what_there_is(
    jobs: list[JobView], wanted: int, now: float, lifetime: float, trouble: Trouble, waits: list[float]
) -> None:
    """Whatever is known: a plan, of jobs that there are, each for one thing alone."""
    plan = decide(jobs, wanted=wanted, now=now, lifetime=lifetime, trouble=trouble, waits=waits)
    names = [job.name for job in jobs]
    assert 0 <= plan.add <= wanted
    assert set(plan.retire) | set(plan.drop) <= set(names)
    assert not set(plan.retire) & set(plan.drop)
    assert len(set(plan.retire)) == len(plan.retire)
    leaving = {job.name for job in jobs if job.phase == "leaving"}
    assert not leaving & set(plan.retire), "who leaves is not told to leave again"


@given(views(), st.integers(0, 12), moments, st.floats(1, 1000), st.lists(moments, max_size=8))
def test_a_plan_that_was_carried_out_is_not_made_again(
    jobs: list[JobView], wanted: int, now: float, lifetime: float, waits: list[float]
) -> None:
    """In the same moment nothing is added, retired or dropped a second time: no job is asked for twice."""

    def plan_of(known: list[JobView]) -> Plan:
        return decide(known, wanted=wanted, now=now, lifetime=lifetime, trouble=_CALM, waits=waits)

    first = plan_of(jobs)
    after = [
        JobView(job.name, "leaving", now, job.ready_at, job.ends) if job.name in first.retire else job
        for job in jobs
        if job.name not in first.drop
    ]
    after += [JobView(f"261122-abcdefgh-99-{task}", "waiting", now) for task in range(first.add)]
    assert plan_of(after).add == 0
    assert not plan_of(after).drop
    assert not plan_of(after).retire


@given(views(), st.integers(0, 12), moments, st.floats(1, 1000), troubles)
def test_nothing_is_asked_for_while_it_is_of_no_use(
    jobs: list[JobView], wanted: int, now: float, lifetime: float, trouble: Trouble
) -> None:
    """Slurm said no, workers died one after another, or the pause is not over."""
    plan = decide(jobs, wanted=wanted, now=now, lifetime=lifetime, trouble=trouble)
    calm = decide(jobs, wanted=wanted, now=now, lifetime=lifetime, trouble=_CALM)
    assert plan.add == (0 if trouble.stuck or now < trouble.until else calm.add)
    assert (plan.retire, plan.drop) == (calm.retire, calm.drop), "who goes does not depend on it"


@given(st.integers(1, 30), moments)
def test_workers_that_never_work_are_asked_for_ever_later_and_then_not_at_all(
    deaths: int, now: float
) -> None:
    """Each death doubles the pause, up to a minute; three in a row are enough. One success ends it."""
    trouble, pauses = _CALM, []
    for _ in range(deaths):
        trouble = after_end(trouble, now, was_ready=False)
        pauses.append(trouble.until - now)
    assert all(0.99 <= pause <= 60.01 for pause in pauses)
    assert pauses == sorted(pauses)
    assert trouble.stuck == (deaths >= 3)
    assert not after_end(trouble, now, was_ready=True).stuck


@given(st.floats(1, 1e6), st.lists(st.floats(0, 1e6), max_size=8))
def test_a_successor_is_asked_for_in_the_second_half_of_a_lifetime(
    lifetime: float, waits: list[float]
) -> None:
    """However long jobs waited: a cluster does not hold twice as many for ever."""
    assert 0 < lead_of(lifetime, waits) <= lifetime / 2


@given(views(), st.floats(1, 1000))
def test_a_job_that_has_not_joined_never_expires_and_none_outlives_slurms_limit(
    jobs: list[JobView], lifetime: float
) -> None:
    """The time of a job that joined is up within its lifetime, and in time before Slurm ends it."""
    for job in jobs:
        due = expires_at(job, lifetime)
        if job.ready_at is None:
            assert due is None
            continue
        assert due is not None
        assert due <= job.ready_at + lifetime
        assert due <= (_NEVER if job.ends is None else job.ends - 20)


def test_jobs_that_began_together_do_not_all_expire_together() -> None:
    """Eight of one array go one after the other, in the last fifth of their lifetime."""
    jobs = [JobView(f"261122-abcdefgh-1-{task}", "ready", 0, ready_at=100.0) for task in range(8)]
    due = [expires_at(job, 1000.0) or 0 for job in jobs]
    assert len(set(due)) == 8
    assert min(due) >= 100 + 800


def test_nobody_leaves_early_while_nobody_can_take_over() -> None:
    """Successors are late: what both hold stays until one has joined, or seconds before the end."""
    old = [JobView(f"261122-abcdefgh-1-{task}", "ready", 0, ready_at=1.0, ends=60.0) for task in range(2)]
    new = [JobView("261122-abcdefgh-2-0", "starting", 30), JobView("261122-abcdefgh-2-1", "starting", 30)]

    def leave(now: float, *others: JobView) -> int:
        plan = decide([*old, *others], wanted=2, now=now, lifetime=30.0, trouble=_CALM)
        assert plan.add == 2 - len(others)
        return len(plan.retire)

    assert [leave(now, *new) for now in (39.0, 41.0, 51.0, 52.5)] == [0, 0, 0, 2]
    joined = JobView(new[0].name, "ready", 45, ready_at=45.0, ends=100.0)
    assert leave(46.0, joined, new[1]) == 2
    assert leave(39.0, joined, new[1]) == 1


def test_a_lost_node_with_many_that_were_starting_is_one_failure() -> None:
    """Seven ended in one moment before they could work: others are asked for, up to three rounds."""
    trouble = _CALM
    for now in (10.0, 20.0):
        for _ in range(7):
            trouble = after_end(trouble, now, was_ready=False, asked=now - 5)
        assert not trouble.stuck
    assert trouble.failures == 2
    assert after_end(trouble, 30.0, was_ready=False, asked=25.0).stuck


def test_who_is_of_least_use_goes_first() -> None:
    """Those that wait, the youngest first; those that begin; of those that work the one that ends soonest."""
    jobs = [
        JobView("new", "ready", 50, 50, 900),
        JobView("old", "ready", 10, 10, 300),
        JobView("begins", "starting", 60),
        JobView("waits", "waiting", 20),
        JobView("waits less", "waiting", 40),
    ]
    assert by_use(jobs) == ["waits less", "waits", "begins", "old", "new"]


def test_where_slurm_takes_no_successor_one_makes_room_and_nobody_else_goes_for_nothing() -> None:
    """Of those whose time is over one leaves; the next when a successor waits, or Slurm's end is near."""

    def plan(ready: int, *others: JobView, now: float = 100.0) -> Plan:
        jobs = [JobView(f"a-1-{number}", "ready", 0.0, 0.0, 1000.0) for number in range(ready)]
        return decide([*jobs, *others], wanted=3, now=now, lifetime=60.0, trouble=Trouble(until=now + 10))

    assert len(plan(3).retire) == 1
    assert not plan(2).retire
    assert not plan(2, JobView("a-2-0", "waiting", 98.0)).retire
    assert len(plan(2, JobView("a-2-0", "waiting", 90.0)).retire) == 1
    assert len(plan(2, now=995.0).retire) == 2


# -- to the second -----------------------------------------------------------------------------


def _plan(*jobs: JobView, wanted: int = 1, now: float = 100.0, trouble: Trouble = _CALM) -> Plan:
    return decide(jobs, wanted=wanted, now=now, lifetime=300.0, trouble=trouble)


def test_what_is_over_is_cleared_away_and_asked_for_again() -> None:
    """At once where it is known; where some of a job's workers are away, after a minute of that."""
    over = JobView("a-1-0", "over", 100.0, 10.0)
    assert _plan(over) == Plan(add=1, drop=("a-1-0",))
    partial = JobView("a-1-0", "partial", 100.0, 90.0)
    assert _plan(partial, now=159.9) == Plan()
    assert _plan(partial, now=160.0) == Plan(add=1, drop=("a-1-0",))
    for phase in ("waiting", "starting", "leaving"):
        job = JobView("a-1-0", phase, 100.0)
        assert not _plan(job, now=10_000.0).drop


def test_as_many_are_asked_for_as_are_missing() -> None:
    """Those that leave are missing already; those that wait, begin or are away for a moment are not."""
    jobs = [
        JobView("a-1-0", "ready", 90.0, 90.0),
        JobView("a-1-1", "waiting", 90.0),
        JobView("a-1-2", "starting", 90.0),
        JobView("a-1-3", "partial", 99.0, 90.0),
        JobView("a-1-4", "leaving", 90.0, 10.0),
        JobView("a-1-5", "over", 90.0),
    ]
    assert [_plan(*jobs, wanted=wanted).add for wanted in (0, 3, 4, 5, 9)] == [0, 0, 0, 1, 5]
    assert not any(_plan(*jobs, wanted=wanted).retire for wanted in (0, 3, 4, 5, 9))


def test_a_pause_ends_when_it_is_over() -> None:
    """And not before; a no of Slurm's, or the third failure, has no end of its own."""
    assert _plan(trouble=Trouble(failures=2, until=100.1)).add == 0
    assert _plan(trouble=Trouble(failures=2, until=100.0)).add == 1
    assert _plan(trouble=Trouble(failures=3)).add == 0
    assert _plan(trouble=Trouble(refused="No.")).add == 0


def test_failures_are_counted_and_paused_for() -> None:
    """One second, then twice as long each time, and a minute at most; Slurm's own no is kept."""
    trouble, pauses = Trouble(refused="No."), []
    for number in range(1, 10):
        trouble = after_end(trouble, 100.0 * number, was_ready=False, asked=100.0 * number - 1)
        assert (trouble.failures, trouble.at, trouble.refused) == (number, 100.0 * number, "No.")
        pauses.append(trouble.until - trouble.at)
    assert pauses == [1, 2, 4, 8, 16, 32, 60, 60, 60]
    assert after_end(trouble, 1000.0, was_ready=True) == Trouble(refused="No.")
    assert after_end(trouble, 1000.0, was_ready=False, asked=900.0) is trouble
    assert after_end(trouble, 1000.0, was_ready=False, asked=900.1).failures == 10
    assert after_end(_CALM, 0.0, was_ready=False, asked=-1.0).failures == 1


@pytest.mark.parametrize(
    ("lifetime", "waits", "lead"),
    [
        (300.0, [], 100.0),
        (1800.0, [], 600.0),
        (6000.0, [], 600.0),
        (6000.0, [10.0, 400.0, 20.0], 800.0),
        (6000.0, [1600.0], 3000.0),
        (300.0, [60.0], 120.0),
    ],
)
def test_a_successor_is_asked_for_in_time(lifetime: float, waits: list[float], lead: float) -> None:
    """A third of a lifetime before, ten minutes at most; longer where jobs waited long, up to a half."""
    assert lead_of(lifetime, waits) == lead
    job = JobView("a-1-0", "ready", 0.0, 0.0)
    due = (expires_at(job, lifetime) or 0.0) - lead

    def asks(now: float) -> int:
        return decide([job], wanted=1, now=now, lifetime=lifetime, trouble=_CALM, waits=waits).add

    assert [asks(due - 0.1), asks(due)] == [0, 1]


def test_when_a_job_is_replaced_depends_on_its_name_alone() -> None:
    """Of sixteen tasks each at another time within the last fifth; Slurm's own end, where it is near."""

    def due(name: str, ends: float | None = None) -> float | None:
        return expires_at(JobView(name, "ready", 0.0, 1000.0, ends), 800.0)

    start = hash_of("a-1")
    assert start == (97 + 45 + 49) % 16
    assert [due(f"a-1-{task}") for task in (0, 1, 16)] == [
        1000 + 800 - 10 * ((start + 7 * task) % 16) for task in (0, 1, 16)
    ]
    assert len({due(f"a-1-{task}") for task in range(16)}) == 16
    assert due("a-1-0", 1100.0) == 1080.0
    assert due("a-1-0", 9000.0) == due("a-1-0")


def test_only_those_that_are_too_many_go_and_the_first_to_expire_first() -> None:
    """While others are ready; who is not ready yet frees nobody."""
    old = [JobView(f"a-1-{task}", "ready", 0.0, 10.0 + task) for task in range(3)]
    new = [JobView(f"b-2-{task}", "ready", 190.0, 190.0) for task in range(2)]
    order = [job.name for job in sorted(old, key=lambda job: expires_at(job, 300.0) or 0)]
    assert order != [job.name for job in old], "by their time, not by their names"

    def gone(*jobs: JobView, wanted: int = 3) -> Plan:
        return _plan(*jobs, wanted=wanted, now=250.0)

    assert gone(*old, new[0]).retire == (order[0],)
    assert gone(*old, *new).retire == tuple(order[:2])
    assert gone(*old, *new, wanted=5).retire == ()
    assert gone(*old, new[0], JobView("b-2-1", "starting", 190.0)).retire == (order[0],)
    assert gone(*old, *new).add == 1


def test_who_is_away_or_over_has_its_place_in_the_order_of_use() -> None:
    """Over goes with those that wait; some workers are more than none and less than all."""
    jobs = [
        JobView("whole", "ready", 50, 50, 100),
        JobView("some", "partial", 60, 50, 900),
        JobView("begins", "starting", 60),
        JobView("begins later", "starting", 61),
        JobView("over", "over", 60),
        JobView("without an end", "ready", 40, 40),
    ]
    assert by_use(jobs) == ["over", "begins later", "begins", "some", "without an end", "whole"]


def test_the_last_seconds_before_slurms_end() -> None:
    """Twenty before it a job leaves to whoever stays, eight before it to nobody."""
    near = JobView("a-1-0", "ready", 0.0, 90.0, 120.0)
    other = JobView("a-1-1", "ready", 0.0, 90.0, 9000.0)
    assert _plan(near, other, JobView("a-2-0", "starting", 99.0), wanted=2, now=99.9).retire == ()
    assert _plan(near, other, JobView("a-2-0", "starting", 99.0), wanted=2, now=100.0).retire == ("a-1-0",)
    assert _plan(near, JobView("a-2-0", "starting", 99.0), now=111.9).retire == ()
    assert _plan(near, JobView("a-2-0", "starting", 99.0), now=112.0).retire == ("a-1-0",)
