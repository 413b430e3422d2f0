"""Ends the jobs of Dask clusters whose scheduler is gone, so that no node works, or waits, for nobody.

The scheduler of a cluster lives in a job, its owner, and the cluster's jobs say in which. A tag is a
claim: an owner counts only where it is a job of the same person, so that people can end jobs of
their own with it and of nobody else.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Protocol

from tornado.log import app_log

from skiva_slurm.errors import Refused, SlurmUnanswered
from skiva_slurm.jobs import Job, Snapshot
from skiva_slurm.states import Life
from skiva_slurm.tags import ClusterTag
from skiva_spawners.errors import ActingFailed
from skiva_spawners.hub_state import HubState

_LIVING = {Life.QUEUED, Life.RUNNING, Life.PAUSED}
_MISSING_PATIENCE = 60.0
"""Seconds for which good readings must lack an owner that was not seen to end."""
_RETRY = 20.0
_RETRY_REFUSED = 300.0
"""Seconds after which it is tried again for somebody as whom the hub cannot act."""
_MOST = 100
"""Cancellations of one person in one go."""

_Key = tuple[str, int]
"""Whose job, and its number or its array's."""


class Watched(Protocol):
    """What is told of jobs over several readings."""

    def seen_ended(self, job_id: int) -> Job | None:
        """The job as it was when it was seen to have ended."""

    def missing_since(self, job_id: int) -> float | None:
        """Since when good readings lack it."""


class ClusterJobs:
    """One per hub; `look` is called with each good reading, and with good readings alone."""

    def __init__(self, state: HubState, clock: Callable[[], float] = time.monotonic) -> None:
        self._state = state
        self._clock = clock
        self._next: dict[_Key, float] = {}
        """When each is to be cancelled next, for as long as it has no owner."""
        self._cancelling: set[str] = set()
        """People for whom it is being done."""

    def look(self, snapshot: Snapshot) -> None:
        """Begin to cancel what has no owner any more; an array is cancelled as a whole, with one request."""
        now = self._clock()
        found = ownerless(snapshot, self._state.watcher, now)
        self._next = {key: self._next.get(key, now) for key in found}
        due: dict[str, list[_Key]] = defaultdict(list)
        for key, at in self._next.items():
            if at <= now and key[0] not in self._cancelling:
                due[key[0]].append(key)
        # One person's thousand jobs, or a helper that hangs for them, keep nobody else's waiting.
        for user, keys in due.items():
            chosen = {key: found[key] for key in keys[:_MOST]}
            self._next |= dict.fromkeys(chosen, now + _RETRY)
            self._cancelling.add(user)
            self._state.background(self._cancel(user, chosen))

    async def _cancel(self, user: str, keys: dict[_Key, int]) -> None:
        try:
            for key, owner in keys.items():
                await self._cancel_one(key, owner)
        finally:
            self._cancelling.discard(user)

    async def _cancel_one(self, key: _Key, owner: int) -> None:
        user, number = key
        app_log.warning(
            "Cancelling job %s of %s: the scheduler of its Dask cluster was in job %s, which has ended",
            number,
            user,
            owner,
        )
        try:
            await self._state.actor.cancel(user, number)
        except ActingFailed as problem:
            self._next[key] = self._clock() + _RETRY_REFUSED
            app_log.warning("Job %s cannot be cancelled: %s", number, problem)
        except (SlurmUnanswered, Refused) as problem:
            app_log.warning("Job %s could not be cancelled yet: %s", number, problem)


def ownerless(snapshot: Snapshot, watched: Watched, now: float) -> dict[_Key, int]:
    """The living jobs and arrays whose owner is gone, and which job that was.

    Args:
        now: on the watcher's clock.
    """
    found = {}
    gone: dict[tuple[str, int], bool] = {}
    for job, owner in _owned(snapshot):
        whose = (job.user, owner)
        if whose not in gone:
            gone[whose] = _is_gone(job.user, owner, snapshot, watched, now)
        if gone[whose] or _is_of_an_earlier_life(job, snapshot.jobs.get(owner)):
            found[job.user, job.array.job_id if job.array else job.id] = owner
    return found


def _owned(snapshot: Snapshot) -> Iterator[tuple[Job, int]]:
    for job in snapshot.jobs.values():
        if job.tag.startswith("skiva-cluster:") and job.life in _LIVING:
            tag = ClusterTag.parse(job.tag)
            if tag is not None and tag.owner:
                yield job, tag.owner


def _is_gone(user: str, owner: int, snapshot: Snapshot, watched: Watched, now: float) -> bool:
    shown = snapshot.jobs.get(owner)
    if shown is not None and shown.life not in {Life.ENDING, Life.ENDED}:
        return False
    # One that is ending may be requeued, but its scheduler will not come back.
    ended = shown or watched.seen_ended(owner)
    if ended is not None:
        return ended.user == user
    missing = watched.missing_since(owner)
    return missing is not None and now - missing > _MISSING_PATIENCE


def _is_of_an_earlier_life(job: Job, owner: Job | None) -> bool:
    """Whether the owner was requeued since: what runs in it now, or will, is another scheduler."""
    if owner is None or owner.user != job.user or not owner.restarts:
        return False
    if owner.life is Life.QUEUED:
        return True
    return owner.life is Life.RUNNING and (owner.start or 0) > (job.submitted or 0) > 0
