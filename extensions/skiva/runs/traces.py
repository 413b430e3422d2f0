"""What a run's files say, or those of one task, whatever is in them. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from skiva.runs.queue import QueueJob
from skiva_slurm.states import Life

__all__ = ["Traces", "has_task", "known_job", "outdated", "time_told"]

_FAR = 1e11


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


def has_task(told: str, task: int) -> bool:
    """Whether `3-199,201%8` has this task; where Slurm has cut its list short, it may."""
    text = told.partition("%")[0]
    for part in text.split(","):
        first, _, last = (end if end.isascii() else "" for end in part.partition("-"))
        if first.isdigit() and int(first) <= task <= int(last if last.isdigit() else first):
            return True
    return "..." in text
