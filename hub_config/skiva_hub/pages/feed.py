"""What one person's notebooks are told about the queue: their own jobs and the slices they may use. Pure."""

from collections.abc import Iterable
from typing import Any

from skiva_hub.pages import words
from skiva_hub.pages.cards import cards, is_stale
from skiva_hub.pages.queue import slice_of
from skiva_hub.permitted import Permitted
from skiva_hub.site import Site
from skiva_slurm.jobs import Job, Snapshot
from skiva_slurm.reasons import explain, purpose
from skiva_slurm.states import Life
from skiva_slurm.tags import ClusterTag, RunTag, Tag

_STATES = {
    Life.QUEUED: "waiting",
    Life.RUNNING: "running",
    Life.PAUSED: "suspended",
    Life.ENDING: "ending",
    Life.ENDED: "ended",
    Life.UNKNOWN: "in a state that is not known here",
}


def event(
    site: Site,
    user: str,
    groups: frozenset[str],
    snapshot: Snapshot | None,
    now: float,
    ended: Iterable[Job] = (),
) -> dict[str, Any]:
    """The whole event for `user`, whose jobs are those that Slurm says are theirs.

    `ended` are jobs that Slurm has forgotten since; their ends are told all the same. Times are seconds
    since the epoch. The same state of the queue gives the same event, except for `taken` and `seconds_left`.
    """
    stale = is_stale(site, snapshot, now)
    seen = {job.id: job for job in ended} | dict(snapshot.jobs if snapshot else {})
    mine = [job for job in seen.values() if job.user == user]
    return {
        "taken": snapshot.taken if snapshot else None,
        "trouble": _trouble(snapshot, now) if stale else "",
        "jobs": [_job(site, job, now) for job in sorted(mine, key=lambda job: job.id)],
        "slices": [
            {
                "id": card.id,
                "title": card.title,
                "free": None if card.status == "unknown" else card.free,
                "total": card.total,
                "waiting": card.waiting,
                "status": card.status,
            }
            for card in cards(Permitted(site), user, groups, snapshot, now)
        ],
    }


def essence(told: dict[str, Any]) -> dict[str, Any]:
    """The event without what changes by itself: two events with the same essence tell the same."""
    jobs = [{key: value for key, value in job.items() if key != "seconds_left"} for job in told["jobs"]]
    return {**told, "taken": None, "jobs": jobs}


def _trouble(snapshot: Snapshot | None, now: float) -> str:
    if snapshot is None:
        return "The scheduler has not answered yet."
    return f"The scheduler has not answered since {words.clock(snapshot.taken, now)}."


def _job(site: Site, job: Job, now: float) -> dict[str, Any]:
    picked, mark, cluster = slice_of(job, site), RunTag.parse(job.tag), ClusterTag.parse(job.tag)
    waits = job.life is Life.QUEUED
    told = explain(job.reason, purpose(job.tag)) if waits else None
    running = job.life in {Life.RUNNING, Life.PAUSED}
    return {
        "job_id": job.id,
        "slice": picked.id if picked else None,
        "partition": job.partition,
        "state": _STATES[job.life],
        "slurm_state": job.state,
        "starts": None if waits else job.start,
        "ends": job.end if not waits else None,
        "expected": job.start if waits else None,
        "seconds_left": max(0, round(job.end - now)) if running and job.end else None,
        "reason": told.sentence if told else "",
        "action": told.action if told else "",
        "hopeless": told.hopeless if told else False,
        "restarts": job.restarts,
        "session": Tag.parse(job.tag) is not None,
        "run": mark.run if mark else None,
        "cluster": {"id": cluster.cluster, "batch": cluster.batch, "owner": cluster.owner}
        if cluster
        else None,
        "array": {"job_id": job.array.job_id, "tasks": job.array.tasks} if job.array else None,
        "node": next(iter(job.nodes), None),
        "exit_code": job.exit_code if job.life is Life.ENDED else "",
    }
