"""What a cluster's keeper does next, from what is known of its worker jobs. Pure.

Workers are replaced before their time is over and never fewer than were wished for: a job that expires
has a successor first, and leaves when that is ready, so that what it holds has somewhere to go.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

__all__ = ["JobView", "Plan", "Trouble", "after_end", "by_use", "decide", "expires_at", "lead_of"]

Phase = Literal["waiting", "starting", "ready", "partial", "leaving", "over"]
_STAGGER = 0.2
"""The share of their lifetime over which jobs that began together are replaced one after the other."""
_PARTIAL = 60.0
"""Seconds for which some of a job's workers may be away, as they are when one is started anew."""
_LAST, _LATEST = 20.0, 8.0
"""Seconds before Slurm's own limit at which a job leaves, and at which it does so to nobody."""
_TAKEN = 5.0
"""Seconds after which Slurm has surely taken a job that waits, or else said no."""
_MOST_FAILURES = 3
_LONGEST_PAUSE = 60.0


@dataclass(frozen=True, slots=True)
class JobView:
    """One worker job, as far as it is known. Times are seconds since the epoch."""

    name: str
    phase: Phase
    since: float
    """When this phase began."""
    ready_at: float | None = None
    """When all of its workers had joined for the first time."""
    ends: float | None = None
    """When Slurm ends it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done now."""

    add: int = 0
    """So many new jobs."""
    retire: tuple[str, ...] = ()
    """These hand over what they hold, and go."""
    drop: tuple[str, ...] = ()
    """These are over; what is left of them is cleared away."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """How often in a row jobs ended without ever having been of use, and until when nothing is tried."""

    failures: int = 0
    until: float = 0.0
    refused: str = ""
    """Slurm's own no, in a sentence."""
    at: float = 0.0
    """When the last of them ended."""

    @property
    def stuck(self) -> bool:
        """Whether trying further is of no use until a person has changed something."""
        return bool(self.refused) or self.failures >= _MOST_FAILURES


def after_end(trouble: Trouble, now: float, *, was_ready: bool, asked: float = math.inf) -> Trouble:
    """The trouble after the end of a job that nobody asked to end: each failure doubles the pause.

    Jobs that were asked for before the last failure count with it, as those that one lost node had.
    """
    if was_ready:
        return Trouble(refused=trouble.refused)
    if trouble.failures and asked <= trouble.at:
        return trouble
    failures = trouble.failures + 1
    return Trouble(failures, now + min(_LONGEST_PAUSE, 2.0 ** (failures - 1)), trouble.refused, now)


def lead_of(lifetime: float, waits: Sequence[float]) -> float:
    """How many seconds before a job expires its successor is asked for.

    A third of the lifetime, or twice as long as jobs waited and started lately, but never more than half
    of the lifetime and, without such waits, than ten minutes.
    """
    usual = min(lifetime / 3, 600.0)
    return min(max([usual, *(2 * wait for wait in waits)]), lifetime / 2)


def expires_at(job: JobView, lifetime: float) -> float | None:
    """When its workers are to be gone; the same for the same job each time. None before they are there."""
    if job.ready_at is None:
        return None
    batch, _, task = job.name.rpartition("-")
    part = (hash_of(batch) + int(task or 0) * 7) % 16 / 16
    due = job.ready_at + lifetime * (1 - _STAGGER * part)
    return due if job.ends is None else min(due, job.ends - _LAST)


def hash_of(text: str) -> int:
    """A small number that is the same for the same text in every process."""
    return sum(text.encode()) % 16


def decide(
    jobs: Iterable[JobView],
    *,
    wanted: int,
    now: float,
    lifetime: float,
    trouble: Trouble,
    waits: Sequence[float] = (),
) -> Plan:
    """The plan for `wanted` jobs; with nothing changed, the same plan twice does nothing twice."""
    known = list(jobs)
    over = [job for job in known if _is_over(job, now)]
    living = [job for job in known if job not in over and job.phase != "leaving"]
    lead = lead_of(lifetime, waits)
    expiring = [job for job in living if _expires_within(job, lifetime, now, lead)]
    fresh = len(living) - len(expiring)
    hold = trouble.stuck or now < trouble.until
    ready = [job for job in living if job.phase == "ready"]
    old = sorted(expiring, key=lambda job: expires_at(job, lifetime) or 0)
    useful = [job.name for job in old if job.phase == "ready"]
    # Only what is more than wished for may go, but nobody waits for longer than Slurm does.
    surplus = max(0, len(ready) - wanted)
    last = _last(living, ready, now)
    leave = [job.name for job in old if job.name in useful[:surplus] or job.name in last]
    stays = 1 if _has_successor(known, now) else max(1, wanted - 1)
    if not leave and _nothing_moves(known) and len(ready) > stays:
        # There is no room for a successor before somebody goes: one at a time, while others can take over.
        # Where Slurm takes no successor even then, nobody else goes for nothing.
        leave = [job.name for job in ready if _expires_within(job, lifetime, now, 0.0)]
        leave = sorted(leave, key=useful.index)[:1]
    return Plan(
        add=0 if hold else max(0, wanted - fresh),
        retire=tuple(leave),
        drop=tuple(job.name for job in over),
    )


def by_use(jobs: Iterable[JobView]) -> list[str]:
    """Names, the least useful first: jobs that wait, then those that begin, then those that end soonest."""
    order = {"waiting": 0, "over": 0, "starting": 1, "partial": 2, "ready": 3}

    def use(job: JobView) -> tuple[int, float]:
        there = job.ready_at is not None
        return order.get(job.phase, 0), (job.ends or job.ready_at or 0.0) if there else -job.since

    return [job.name for job in sorted(jobs, key=use)]


def _last(living: Sequence[JobView], ready: Sequence[JobView], now: float) -> set[str]:
    """Who leaves before Slurm ends it: soon enough, but not before there is somebody to take over."""
    near = {job.name for job in living if job.ends is not None and now >= job.ends - _LAST}
    if any(job.name not in near for job in ready):
        return near
    return {job.name for job in living if job.ends is not None and now >= job.ends - _LATEST}


def _has_successor(jobs: Sequence[JobView], now: float) -> bool:
    return any(job.phase == "waiting" and now - job.since >= _TAKEN for job in jobs)


def _nothing_moves(jobs: Sequence[JobView]) -> bool:
    return not any(job.phase in {"starting", "leaving"} for job in jobs)


def _is_over(job: JobView, now: float) -> bool:
    return job.phase == "over" or (job.phase == "partial" and now - job.since >= _PARTIAL)


def _expires_within(job: JobView, lifetime: float, now: float, lead: float) -> bool:
    due = expires_at(job, lifetime)
    return due is not None and now >= due - lead
