"""How a cluster is, with what the queue says of one whose scheduler has not told anything yet."""

import time
from contextlib import suppress

from skiva.dask.ending import forget_keys, note_closed
from skiva.dask.place import ClusterDir
from skiva.dask.status import Status, read_status
from skiva.runs.files import read_tail
from skiva.runs.queue import QueueJob, Reading
from skiva.runs.traces import time_told
from skiva_slurm.states import Life

__all__ = ["look"]

_SETTLED = 10.0
"""Seconds after its submission in which the queue may lack a job."""
_LONGEST_START = 300.0
"""Seconds that a scheduler in a kernel may take until it tells of itself."""


def look(place: ClusterDir, reading: Reading | None, now: float | None = None) -> Status:
    """How it is. The end of a scheduler that never told anything is written down.

    Raises:
        OSError, ValueError: it cannot be read as a cluster.
    """
    moment = time.time() if now is None else now
    status = read_status(place, moment)
    if status.state == "lost" and status.detached and _is_over(place, reading, status.at):
        return _end(place, "The job of its scheduler has ended.", moment)
    if status.at or not status.living:
        return status
    if not status.detached:
        late = moment - status.created > _LONGEST_START
        return _end(place, "It never started: its kernel ended before.", moment) if late else status
    asked = time_told((place.read(place.submitted(0)) or {}).get("at"))
    # Without a note of the submission it may still be under way.
    if _is_over(place, reading, asked or status.created + _LONGEST_START):
        return _end(place, f"Its scheduler ended before it had started.{_last_line(place)}", moment)
    job = _scheduler_job(place, reading)
    if job is None:
        words = "Slurm has been asked for its scheduler." if asked else ""
        return status.model_copy(update={"sentence": words})
    waits = job.life is Life.QUEUED
    words = f"Its scheduler waits. {job.reason}".strip() if waits else "Its scheduler starts."
    told = {"sentence": words, "action": job.action if waits else ""}
    return status.model_copy(update=told | ({"state": "stuck"} if waits and job.hopeless else {}))


def _scheduler_job(place: ClusterDir, reading: Reading | None) -> QueueJob | None:
    jobs = reading.of_cluster(place.id) if reading else ()
    return next((job for job in jobs if job.batch == 0), None)


def _is_over(place: ClusterDir, reading: Reading | None, known: float) -> bool:
    """Whether its scheduler's job has ended, or the queue has forgotten it; it was `known` at that time."""
    job = _scheduler_job(place, reading)
    if job is not None:
        return job.life is Life.ENDED
    return reading is not None and not reading.trouble and reading.taken > known + _SETTLED


def _end(place: ClusterDir, why: str, now: float) -> Status:
    note_closed(place, why)
    forget_keys(place)
    return read_status(place, now)


def _last_line(place: ClusterDir) -> str:
    lines: list[str] = []
    with suppress(OSError):
        lines = [line for line in read_tail(place.scheduler_log, 4000)[0].splitlines() if line.strip()]
    return f" Its log ends: {lines[-1].strip()[:300]}" if lines else ""
