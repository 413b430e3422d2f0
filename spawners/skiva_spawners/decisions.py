"""What is to be done about a session, from plain values: its record, and what Slurm and the job say. Pure.

`session`, `arrival` and the keeper ask here and act.
"""

import math
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache

from skiva_hub.site import Hours
from skiva_slurm.errors import Refused, SlurmUnanswered
from skiva_slurm.jobs import Job
from skiva_slurm.reasons import explain
from skiva_slurm.states import Life
from skiva_slurm.tags import Tag
from skiva_spawners.failure import Failure
from skiva_spawners.lifecycle import State
from skiva_spawners.record import Record
from skiva_spawners.report import NotYet, Report, Stale

_MISSING_PATIENCE = 60.0
"""Seconds for which good readings must lack a job before it counts as gone."""
_LIVING = {Life.QUEUED, Life.RUNNING, Life.PAUSED}


# -- what Slurm says ---------------------------------------------------------------------------


def own(job: Job | None, record: Record, tag: Tag) -> Job | None:
    """The job, if it is this session's: a number alone may have come from a helper that lies."""
    return job if job is not None and job.user == record.account and job.tag == tag.text else None


def end_of(record: Record, shown: Job | None, seen: Job | None) -> Job | None:
    """The session's job, if Slurm was seen to have ended it for good.

    Args:
        shown: the job in the last good reading.
        seen: the job as it was when it was seen to have ended; of another account it is no end.
    """
    if record.job_id is None or (shown is not None and shown.life not in {Life.ENDED, Life.UNKNOWN}):
        return None
    return seen if seen is not None and seen.user == record.account else None


def is_unseen(missing: float | None) -> bool:
    """Whether a job has been out of sight for so long that it must be asked for by other ways.

    Readings lack a job that Slurm has forgotten as much as one that the hub may not see any more.

    Args:
        missing: seconds since the first of several good readings in a row that lack it.
    """
    return missing is not None and missing > _MISSING_PATIENCE


def gone(record: Record) -> Job | None:
    """The end of a job of which its owner, too, is told by Slurm that there is none."""
    return Job(id=record.job_id, user=record.account, state="UNKNOWN") if record.job_id else None


def has_moved(record: Record, job: Job | None) -> bool:
    """Whether Slurm has put the job back into the queue, or runs it anew, since its server answered."""
    if job is None or job.life is Life.ENDED:
        return False
    return job.life is Life.QUEUED or job.restarts > record.restarts


def hopeless(job: Job | None) -> Failure | None:
    """Why a job that waits can never start."""
    if job is None or job.life is not Life.QUEUED:
        return None
    told = explain(job.reason)
    return Failure(told.sentence, told.action, cause="hopeless") if told.hopeless else None


# -- what the job says -------------------------------------------------------------------------


def present_report(record: Record, job: Job | None) -> Report | None:
    """What the job's present run has told; the word of an earlier run is worth nothing."""
    told = record.heard
    return None if told and job and job.restarts > told.restarts else told


def check_addressee(report: Report, record: Record) -> None:
    """Take a report for a session only from the session's own job.

    Raises:
        Stale: it is of a job that this session has left behind.
        NotYet: it cannot be matched now.
    """
    if record.phase is State.INTERRUPTED:
        raise NotYet("The hub has just been restarted; please try again.")
    if record.phase is State.OVER or report.nonce != record.nonce:
        raise Stale("This job is not this session's job any more.")
    if record.job_id is None:
        raise NotYet("Slurm has not told the number of this job yet; please try again.")
    if report.job_id != record.job_id:
        raise Stale("This job is not this session's job any more.")


def needs_reading(report: Report, job: Job | None) -> bool:
    """Whether the last reading is too old to tell which run of the job has reported."""
    return job is None or job.life is not Life.RUNNING or job.restarts != report.restarts


def check_run(report: Report, record: Record, job: Job | None) -> Job:
    """Take a report only from the run of the job that Slurm shows; that job.

    Raises:
        Stale: it is of a run that is over, or of a job that is not its owner's.
        NotYet: Slurm does not show that run yet.
    """
    if job is None or job.life in {Life.QUEUED, Life.UNKNOWN} or job.restarts < report.restarts:
        raise NotYet("Slurm does not show this job as running yet; please try again.")
    if job.user != record.account or job.restarts > report.restarts or job.life is Life.ENDED:
        raise Stale("This run of the job is over.")
    return job


def is_told_again(report: Report, record: Record) -> bool:
    """Whether the server of this run has been proved already, so that what it says now changes nothing."""
    return record.phase in {State.READY, State.UNPROVED} and report.restarts == record.restarts


# -- how long it may last ----------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Extension:
    """A time limit that is to be set."""

    operator: str
    """The account that sets it."""
    job_id: int
    minutes: int
    end: float
    """When it is over, in seconds since the epoch."""


def longer(job: Job | None, hours: Hours, longest: float, *, until: float | None = None) -> Extension:
    """What to set when the owner of a job asks for one more step of the site's.

    Args:
        longest: hours that a session on its slice may last.
        until: when the reservation ends that it is in.

    Raises:
        Refused: the site does not allow it.
        SlurmUnanswered: nobody knows how long it lasts now.
    """
    if not hours.extend_by or not hours.extend_as:
        raise Refused("This site does not lengthen sessions.")
    if job is None or job.life is not Life.RUNNING or job.start is None or job.end is None:
        raise SlurmUnanswered("The session does not run at the moment, so it cannot be lengthened.")
    now_minutes = (job.end - job.start) / 60
    minutes = round(min(now_minutes + hours.extend_by * 60, longest * 60))
    if until is not None and minutes > (left := math.floor((until - job.start) / 60)):
        minutes = left
        if minutes <= now_minutes:
            raise Refused("The reservation of this slice ends then, and your session with it.")
    if minutes <= now_minutes:
        raise Refused(f"A session on this slice may last {longest:g} hours at most.")
    return Extension(hours.extend_as, job.id, minutes, job.start + minutes * 60)


# -- with each reading of the queue ------------------------------------------------------------


class Care(Enum):
    """What the keeper does about a server that JupyterHub takes for running."""

    NOTHING = "nothing"
    BRING_BACK = "bring back"
    """It runs anew, or will: its route goes, and it returns by itself."""
    NOTICE_END = "notice end"
    CLEAR_AWAY = "clear away"
    """Its start was cancelled, or its session is over: it does not run."""


def care(state: State, *, moved: bool, ended: bool) -> Care:
    """What to do about a session that JupyterHub takes for running."""
    if state in {State.READY, State.UNPROVED, State.RETURNING}:
        if moved or state is State.RETURNING:
            return Care.BRING_BACK
        return Care.NOTICE_END if ended else Care.NOTHING
    return Care.NOTHING if state is State.INTERRUPTED else Care.CLEAR_AWAY


def strays(jobs: Iterable[Job], hub: str, owned: Collection[str]) -> list[Job]:
    """The living jobs with this hub's id, less those whose nonce is `owned`."""
    ours = f"skiva:{hub}:"
    alive = (job for job in jobs if job.tag.startswith(ours) and job.life in _LIVING)
    return [job for job in alive if nonce_of(job) not in owned]


def nonce_of(job: Job) -> str:
    """The session that a job's tag names; empty where it names none."""
    return _nonce_in(job.tag)


@lru_cache(maxsize=20_000)
def _nonce_in(text: str) -> str:
    # With each reading the same thousands, where somebody likes that.
    tag = Tag.parse(text)
    return tag.nonce if tag else ""
