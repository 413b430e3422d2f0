"""Ends the jobs of Dask clusters whose scheduler is gone, so that no node works, or waits, for nobody.

The scheduler of a cluster lives in a job, its owner, and the cluster's jobs say in which. A tag is a
claim: an owner counts only where it is a job of the same person, so that people can end jobs of
their own with it and of nobody else.
"""

from collections.abc import Iterator
from typing import Protocol

from skiva_slurm.jobs import Job, Snapshot
from skiva_slurm.states import Life
from skiva_slurm.tags import ClusterTag
from skiva_spawners.cancelling import Cancelling, Unwanted
from skiva_spawners.hub_state import HubState

_LIVING = {Life.QUEUED, Life.RUNNING, Life.PAUSED}
_MISSING_PATIENCE = 60.0
"""Seconds for which good readings must lack an owner that was not seen to end."""


class Watched(Protocol):
    """What is told of jobs over several readings."""

    def seen_ended(self, job_id: int) -> Job | None:
        """The job as it was when it was seen to have ended."""

    def missing_since(self, job_id: int) -> float | None:
        """Since when good readings lack it."""


class ClusterJobs:
    """One per hub; `look` is called with each good reading, and with good readings alone."""

    def __init__(self, state: HubState) -> None:
        self._state = state
        self._cancelling = Cancelling(state)

    def look(self, snapshot: Snapshot) -> None:
        """Cancel what has no owner any more; an array is cancelled as a whole, with one request."""
        found = ownerless(snapshot, self._state.watcher, self._state.clock())
        why = "the scheduler of its Dask cluster was in job {}, which has ended"
        self._cancelling.want({key: why.format(owner) for key, owner in found.items()})


def ownerless(snapshot: Snapshot, watched: Watched, now: float) -> dict[Unwanted, int]:
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
