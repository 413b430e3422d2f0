"""What is known of the queue: from the hub's stream by way of the server, else from Slurm itself."""

import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skiva.runs.files import read_json
from skiva.runs.offer import NoOffer, find_offer
from skiva_slurm.errors import SlurmUnanswered
from skiva_slurm.jobs import Job
from skiva_slurm.reasons import explain, purpose
from skiva_slurm.states import Life, life
from skiva_slurm.tags import ClusterTag, RunTag

__all__ = ["Queue", "QueueJob", "Reading", "from_event", "from_jobs"]

_TRUSTED = 40.0
"""Seconds for which the server's file is believed; it is written anew at least every 15 s."""
_FAR = 1e11
_OWN_EVERY = 5.0
"""Seconds between two questions of this process to Slurm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueJob:
    """One job of this person's. Times are seconds since the epoch."""

    job_id: int
    state: str
    """Slurm's own word."""
    run: str = ""
    """The run that it claims to belong to."""
    cluster: str = ""
    """The Dask cluster that it claims to belong to."""
    batch: int | None = None
    """With which submission of workers it came; 0 for the cluster's scheduler."""
    array_job_id: int | None = None
    tasks: str = ""
    """As Slurm writes it: one number, or those that wait together."""
    reason: str = ""
    action: str = ""
    hopeless: bool = False
    """As it was asked for it cannot start, however long it waits."""
    expected: float | None = None
    started: float | None = None
    ends: float | None = None
    node: str = ""
    restarts: int = 0
    exit_code: str = ""

    @property
    def life(self) -> Life:
        """What the state means."""
        return life(self.state)


@dataclass(frozen=True, slots=True)
class Reading:
    """One complete look at this person's jobs, and when it was taken; what kept a newer one away."""

    taken: float
    jobs: tuple[QueueJob, ...] = ()
    trouble: str = ""

    def of_run(self, run: str, job_id: int | None) -> tuple[QueueJob, ...]:
        """The jobs of one run: by number where that is known, else by what they say."""
        if job_id is None:
            return tuple(job for job in self.jobs if job.run == run)
        # Slurm gives numbers away again; a job that belongs to another run is not this one's.
        mine = (job for job in self.jobs if job.run in {"", run})
        return tuple(job for job in mine if job_id in {job.job_id, job.array_job_id})

    def of_cluster(self, cluster: str) -> tuple[QueueJob, ...]:
        """The jobs that say they belong to one Dask cluster: workers, waiting or not, and its scheduler's."""
        return tuple(job for job in self.jobs if job.cluster == cluster)


def from_event(event: Mapping[str, Any]) -> Reading | None:
    """The jobs in an event of the hub's stream; None where it has not read the queue yet."""
    taken, jobs = _number(event.get("taken")), event.get("jobs")
    if taken is None or not isinstance(jobs, list):
        return None
    found = tuple(_told(job) for job in jobs if isinstance(job, dict) and isinstance(job.get("job_id"), int))
    return Reading(taken, found, str(event.get("trouble") or ""))


def _number(told: Any) -> float | None:
    fits = isinstance(told, (int, float)) and not isinstance(told, bool) and abs(told) < _FAR
    return float(told) if fits else None


def _told(job: Mapping[str, Any]) -> QueueJob:
    array = job.get("array")
    array = array if isinstance(array, dict) else {}
    cluster = job.get("cluster")
    cluster = cluster if isinstance(cluster, dict) else {}
    array_job_id, restarts, batch = array.get("job_id"), job.get("restarts"), cluster.get("batch")
    return QueueJob(
        job_id=job["job_id"],
        state=str(job.get("slurm_state", "")),
        run=str(job.get("run") or ""),
        cluster=str(cluster.get("id") or ""),
        batch=batch if isinstance(batch, int) and not isinstance(batch, bool) else None,
        array_job_id=array_job_id if isinstance(array_job_id, int) else None,
        tasks=str(array.get("tasks") or ""),
        reason=str(job.get("reason") or ""),
        action=str(job.get("action") or ""),
        hopeless=job.get("hopeless") is True,
        expected=_number(job.get("expected")),
        started=_number(job.get("starts")),
        ends=_number(job.get("ends")),
        node=str(job.get("node") or ""),
        restarts=restarts if isinstance(restarts, int) else 0,
        exit_code=str(job.get("exit_code") or ""),
    )


def from_jobs(jobs: Iterable[Job], user: str, taken: float) -> Reading:
    """The same from Slurm's own answer."""
    return Reading(taken, tuple(_seen(job) for job in jobs if not user or job.user == user))


def _seen(job: Job) -> QueueJob:
    waits = job.life is Life.QUEUED
    told = explain(job.reason, purpose(job.tag, "run")) if waits else None
    tag, cluster = RunTag.parse(job.tag), ClusterTag.parse(job.tag)
    return QueueJob(
        job_id=job.id,
        state=job.state,
        run=tag.run if tag else "",
        cluster=cluster.cluster if cluster else "",
        batch=cluster.batch if cluster else None,
        array_job_id=job.array.job_id if job.array else None,
        tasks=job.array.tasks if job.array else "",
        reason=told.sentence if told else "",
        action=told.action if told else "",
        hopeless=told.hopeless if told else False,
        expected=job.start if waits else None,
        started=None if waits else job.start,
        ends=None if waits else job.end,
        node=job.nodes[0] if job.nodes else "",
        restarts=job.restarts,
        exit_code=job.exit_code,
    )


class Queue:
    """The newest reading that costs nobody anything, or else little."""

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self._environ = os.environ if environ is None else environ
        self._own: Reading | None = None
        self._asked = 0.0

    def reading(self) -> Reading | None:
        """What is known now; asks Slurm where no server tells. None where nothing was ever told."""
        told = self.told()
        if told is not None:
            return told
        if time.monotonic() - self._asked >= _OWN_EVERY:
            self._own = self._ask() or self._own
            self._asked = time.monotonic()
        return self._own

    def told(self) -> Reading | None:
        """What the session's server was told lately, without asking anybody."""
        session = self._environ.get("SKIVA_RUN_DIR")
        values = read_json(Path(session) / "queue.json") if session else None
        at = _number((values or {}).get("at"))
        if values is None or at is None or abs(time.time() - at) >= _TRUSTED:
            return None
        return from_event(values)

    def _ask(self) -> Reading | None:
        from skiva.runs.slurm import Slurm, wait_for

        taken = time.time()
        try:
            jobs = wait_for(Slurm(find_offer(self._environ)).jobs())
        except NoOffer:
            return None
        except SlurmUnanswered as silence:
            # Taken never: it tells of no job's absence, only of the trouble.
            old = self._own or Reading(0.0)
            return Reading(old.taken, old.jobs, str(silence))
        return from_jobs(jobs.values(), self._environ.get("USER", ""), taken)
