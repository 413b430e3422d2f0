"""What people are told of a cluster: the same values in notebooks, in JupyterLab and on disk."""

import time
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from skiva.dask.place import ClusterDir

__all__ = ["Event", "JobStatus", "Status", "read_status"]

_LOST = 30.0
"""Seconds without a word from its scheduler's process after which a cluster is taken for lost."""

State = Literal["starting", "running", "stuck", "closing", "closed", "lost"]
JobState = Literal["submitting", "queued", "starting", "ready", "leaving", "ended"]


class _Told(BaseModel):
    # What a newer environment's scheduler tells beyond this is left alone.
    model_config = ConfigDict(frozen=True, extra="ignore")


class Workers(_Told):
    """Numbers of Dask workers."""

    wanted: int = 0
    ready: int = 0
    starting: int = 0
    queued: int = 0
    leaving: int = 0


class Memory(_Told):
    """Bytes of all workers together."""

    used: int = 0
    limit: int = 0


class Tasks(_Told):
    """Numbers of tasks by their state."""

    processing: int = 0
    waiting: int = 0
    queued: int = 0
    memory: int = 0
    erred: int = 0


class Bounds(_Told):
    """Between how many workers it adapts."""

    minimum: int
    maximum: int


class JobStatus(_Told):
    """One worker job. Times are seconds since the epoch."""

    name: str
    job_id: str = ""
    state: JobState = "submitting"
    reason: str = ""
    action: str = ""
    expected: float | None = None
    node: str = ""
    since: float | None = None
    ends: float | None = None
    ready: int = 0
    """Of its Dask workers."""
    workers: int = 1


class Event(_Told):
    """Something that happened; `lines` are the last ones of a log that explains it."""

    at: float
    level: Literal["info", "warning", "error"] = "info"
    text: str
    lines: tuple[str, ...] = ()


class Page(_Told):
    """One of Dask's own pages."""

    title: str
    path: str


class Status(_Told):
    """One cluster at one moment."""

    id: str
    name: str
    slice: str
    slice_title: str = ""
    simulated: bool = False
    cuda: bool = False
    detached: bool = False
    created: float = 0.0
    ends: float | None = None
    """When the job of a detached scheduler ends."""
    at: float = 0.0
    state: State = "starting"
    sentence: str = ""
    action: str = ""
    workers: Workers = Workers()
    per_job: int = 1
    threads: int = 1
    memory: Memory = Memory()
    tasks: Tasks = Tasks()
    adapt: Bounds | None = None
    most_workers: int = 0
    jobs: tuple[JobStatus, ...] = ()
    events: tuple[Event, ...] = ()
    pages: tuple[Page, ...] = ()

    @property
    def living(self) -> bool:
        """Whether there is still something to scale or to close."""
        return self.state not in {"closed", "lost"}


def read_status(place: ClusterDir, now: float | None = None) -> Status:
    """What is on disk of a cluster, and what follows from its silence.

    Raises:
        OSError, ValueError: it cannot be read as a cluster.
    """
    spec = place.read_spec()
    told: dict[str, Any] = place.read(place.status) or {}
    known = {
        "id": spec.id,
        "name": spec.name,
        "slice": spec.slice.id,
        "slice_title": spec.slice.title,
        "simulated": spec.slice.simulated,
        "cuda": spec.cuda,
        "detached": spec.detached,
        "created": spec.created,
        "per_job": spec.processes,
        "threads": spec.threads,
        "workers": {"wanted": spec.workers},
    }
    status = Status.model_validate({**known, **told})
    ended = place.read(place.closed)
    if ended is not None:
        why = str(ended.get("why") or "It was closed.")
        return _gone(status, "closed", why, "")
    silent = (time.time() if now is None else now) - max(status.at, spec.created)
    if told and silent > _LOST:
        why = "Its scheduler tells nothing any more. Unless it comes back, what it had computed is lost."
        return _gone(status, "lost", why, "Start a new one; its jobs end by themselves.")
    return status


def _gone(status: Status, state: State, sentence: str, action: str) -> Status:
    changes = {"state": state, "sentence": sentence, "action": action, "workers": Workers(), "jobs": ()}
    return status.model_copy(update={**changes, "memory": Memory(), "tasks": Tasks(), "pages": ()})
