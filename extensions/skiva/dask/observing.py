"""What is known of a cluster's worker jobs: from the scheduler, from their own words, from Slurm's queue."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from skiva.dask.keeping import JobView, Phase
from skiva.dask.place import ClusterDir
from skiva.dask.status import JobState, JobStatus
from skiva.dask.worker_jobs import job_of
from skiva.runs.files import read_tail
from skiva.runs.queue import QueueJob, Reading
from skiva_slurm.jobs import Array
from skiva_slurm.states import Life

__all__ = ["KnownJob", "last_lines", "look", "rows_by_task"]

_LOST, _ANEW = 5.0, 30.0
"""Seconds after which a job whose workers have all gone is over, though it said nothing itself; where Slurm
says that it runs they may be started anew, which spares it the queue."""
_TAIL_BYTES, _TAIL_LINES = 16 << 10, 12
_STATES: Mapping[Phase, JobState] = {
    "waiting": "queued",
    "starting": "starting",
    "ready": "ready",
    "partial": "starting",
    "leaving": "leaving",
    "over": "ended",
}


@dataclass
class KnownJob:
    """One worker job, and what has been learnt of it so far. Times are seconds since the epoch."""

    name: str
    asked: float
    phase: Phase = "waiting"
    since: float = 0.0
    job_id: str = ""
    ready: int = 0
    ready_at: float | None = None
    gone_at: float | None = None
    """Since when none of its workers is there any more."""
    began: float | None = None
    ends: float | None = None
    node: str = ""
    reason: str = ""
    action: str = ""
    hopeless: bool = False
    expected: float | None = None
    end: dict[str, Any] = field(default_factory=dict)
    """Its own last word."""
    died_at: float | None = None
    """When one of its workers went that nobody had told to, until people know."""
    last: tuple[str, ...] = ()
    """The end of its log at that moment."""
    told: bool = False
    """Whether people know that workers of its have died."""

    def view(self) -> JobView:
        """What is decided upon."""
        return JobView(self.name, self.phase, self.since, self.ready_at, self.ends)

    def status(self, workers: int) -> JobStatus:
        """What people are told."""
        state = "submitting" if self.phase == "waiting" and not self.job_id else _STATES[self.phase]
        return JobStatus(
            name=self.name,
            job_id=self.job_id,
            state=state,
            reason=self.reason if self.phase == "waiting" else "",
            action=self.action if self.phase == "waiting" else "",
            expected=self.expected if self.phase == "waiting" else None,
            node=self.node,
            since=self.since,
            ends=self.ends,
            ready=self.ready,
            workers=workers,
        )


def look(
    jobs: Iterable[KnownJob],
    *,
    place: ClusterDir,
    there: Counter[str],
    workers: int,
    leaving: set[str],
    reading: Reading | None,
    now: float,
) -> None:
    """Bring what is known of `jobs` up to date; `there` counts the workers of each that have joined."""
    rows = rows_by_task(place.id, reading)
    for job in jobs:
        _count(job, there[job.name], workers, now)
        if job.ready < workers:
            _read(job, place)
        batch, task = job_of(job.name)
        row = rows.get((batch, task)) or rows.get((batch, -1))
        _ask_queue(job, row)
        phase = _phase(job, workers, leaving, row, now)
        if phase != job.phase or not job.since:
            job.phase, job.since = phase, now


def _count(job: KnownJob, ready: int, workers: int, now: float) -> None:
    if ready == workers and job.ready_at is None:
        job.ready_at = now
    if ready:
        job.gone_at = None
    elif job.ready:
        job.gone_at = now
    job.ready = ready


def _read(job: KnownJob, place: ClusterDir) -> None:
    batch, task = job_of(job.name)
    if job.began is None and (told := place.read(place.start(batch, task))):
        job.began, job.node = _time(told.get("at")), str(told.get("node") or "")
        job.ends = _time(told.get("ends"))
    if not job.end:
        job.end = place.read(place.end(batch, task)) or {}


def _time(told: Any) -> float | None:
    return float(told) if isinstance(told, (int, float)) and not isinstance(told, bool) else None


def _ask_queue(job: KnownJob, row: QueueJob | None) -> None:
    if row is None:
        return
    job.reason, job.action, job.expected = row.reason, row.action, row.expected
    job.hopeless = row.hopeless
    if row.ends is not None and row.life is not Life.QUEUED:
        job.ends, job.node = row.ends, row.node or job.node


def _phase(job: KnownJob, workers: int, leaving: set[str], row: QueueJob | None, now: float) -> Phase:
    if job.end or (row is not None and row.life is Life.ENDED and not job.ready):
        return "over"
    if job.name in leaving:
        return "leaving"
    if job.ready == workers:
        return "ready"
    if job.ready_at is not None:
        patience = _ANEW if row is not None and row.life is Life.RUNNING else _LOST
        return "over" if job.gone_at is not None and now - job.gone_at >= patience else "partial"
    running = job.began is not None or job.ready or (row is not None and row.life is Life.RUNNING)
    return "starting" if running else "waiting"


def rows_by_task(cluster: str, reading: Reading | None) -> dict[tuple[int, int], QueueJob]:
    """The queue's rows by batch and task; tasks that wait together share one."""
    found: dict[tuple[int, int], QueueJob] = {}
    for row in reading.of_cluster(cluster) if reading else ():
        numbers = Array(row.array_job_id or row.job_id, row.tasks or "0").numbers()
        # Where Slurm cut its list short, that row is of all that have none of their own.
        for task in (-1,) if numbers is None else numbers:
            found[row.batch or 0, task] = row
    return found


def last_lines(place: ClusterDir, name: str) -> tuple[str, ...]:
    """The end of what a job printed."""
    text, _, _ = read_tail(place.log(*job_of(name)), _TAIL_BYTES)
    return tuple(line[:500] for line in text.splitlines()[-_TAIL_LINES:])
