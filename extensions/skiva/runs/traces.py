"""What a run's files say, or those of one task, whatever is in them. Pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from skiva.runs.queue import QueueJob
from skiva_slurm.states import Life

__all__ = ["Traces", "has_task", "known_job", "of_task", "outdated", "time_told"]

_FAR = 1e11
_RANGE = re.compile(r"([0-9]{1,10})(?:-([0-9]{1,10})(?::([0-9]{1,10}))?)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Traces:
    """What a run's files say, or those of one task."""

    events: Sequence[Mapping[str, Any]] = ()
    submission: Mapping[str, Any] | None = None
    refused: Mapping[str, Any] | None = None
    cancel: Mapping[str, Any] | None = None
    seen: Mapping[str, Any] | None = None
    progress: Mapping[str, Any] | None = None
    has_result: bool = False


def known_job(traces: Traces) -> int | None:
    """The number that Slurm gave at the submission; None where that is not written down."""
    number = (traces.submission or {}).get("job_id")
    return number if isinstance(number, int) and number > 0 else None


def time_told(told: Any) -> float | None:
    """A time as a file tells it; None for anything else."""
    fits = isinstance(told, (int, float)) and not isinstance(told, bool) and 0 <= told < _FAR
    return float(told) if fits else None


def outdated(job: QueueJob, traces: Traces) -> bool:
    """Whether the queue was read before what the job itself has written: Slurm counts its starts."""
    last = next((event for event in reversed(traces.events) if event.get("event") == "started"), None)
    count = last.get("restarts") if last else None
    if not isinstance(count, int):
        return False
    back = any(event.get("event") in ("requeued", "interrupted") for event in traces.events[-1:])
    return job.restarts < count or (job.life is Life.QUEUED and job.restarts == count and not back)


def of_task(jobs: Sequence[QueueJob], task: int) -> tuple[QueueJob, ...]:
    """The jobs that stand for one task of an array.

    Of a rest that was cancelled while it waited, Slurm does not tell any more which tasks it was: it has
    the array's number and no task, and stands for each that has no job of its own.
    """
    own = tuple(job for job in jobs if has_task(job.tasks, task))
    return own or tuple(job for job in jobs if not job.tasks and job.life is Life.ENDED)


def has_task(told: str, task: int) -> bool:
    """Whether `3-199,201-209:2%8` has this task; where Slurm has cut its list short, it may."""
    text = told.partition("%")[0]
    for found in filter(None, map(_RANGE.fullmatch, text.split(","))):
        first, last, step = int(found[1]), int(found[2] or found[1]), int(found[3] or 1)
        if first <= task <= last and (task - first) % max(1, step) == 0:
            return True
    return "..." in text
