"""How far one person may scale out, told before Slurm is asked; its own limits hold beside."""

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from skiva.dask.place import ClusterDir, clusters_dir
from skiva.dask.spec import ClusterSpec
from skiva.dask.status import read_status
from skiva.runs.ids import is_run_id
from skiva.runs.queue import QueueJob, Reading
from skiva.runs.traces import has_task
from skiva.runs.wish import BadWish
from skiva_slurm.offer import DaskOffer
from skiva_slurm.states import Life

__all__ = ["Usage", "check", "cost", "most_jobs", "most_workers", "usage"]

_SETTLED = 5.0
"""Seconds after its submission in which whoever looks at the queue may not see an array yet."""
_FRESH = 3.0
"""Seconds for which it is known what other clusters hold."""
_OVER = {Life.ENDED, Life.UNKNOWN}


@dataclass(frozen=True, slots=True)
class Usage:
    """What worker jobs that wait or run are asked for."""

    jobs: int = 0
    slice_hours: float = 0.0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(self.jobs + other.jobs, self.slice_hours + other.slice_hours)


_others: dict[tuple[Path, str], tuple[float, Usage]] = {}


def cost(spec: ClusterSpec, jobs: int) -> Usage:
    """What so many worker jobs of a cluster are."""
    return Usage(jobs, jobs * spec.slices_per_job * spec.hours)


def check(
    spec: ClusterSpec,
    jobs_more: int,
    dask_offer: DaskOffer,
    reading: Reading | None,
    *,
    root: Path | None = None,
) -> None:
    """Refuse so many more worker jobs where the site does not let this person have them.

    Raises:
        BadWish: says in numbers what there is and what is possible.
    """
    if spec.hours > dask_offer.max_hours:
        raise BadWish(
            f"hours: at most {dask_offer.max_hours:g} are possible for a worker's job, not {spec.hours:g}"
        )
    now, more = usage(root or clusters_dir(), reading), cost(spec, jobs_more)
    if now.jobs + more.jobs > dask_offer.most_jobs:
        left = max(0, dask_offer.most_jobs - now.jobs)
        raise BadWish(
            f"workers: {_more(jobs_more)} too many. This site lets a person have "
            f"{dask_offer.most_jobs} at once, you have {now.jobs}, so {left} more "
            f"{'is' if left == 1 else 'are'} possible; "
            "ask for fewer, or close another cluster"
        )
    if now.slice_hours + more.slice_hours > dask_offer.most_slice_hours + 1e-6:
        raise BadWish(
            f"workers: {_more(jobs_more)} {more.slice_hours:g} hours on slices. This site lets "
            f"a person ask for {dask_offer.most_slice_hours:g} at once, and you hold {now.slice_hours:g}; "
            "ask for fewer workers or hours, or close another cluster"
        )


def _more(jobs: int) -> str:
    return "one more worker job is" if jobs == 1 else f"{jobs} more worker jobs are"


def most_jobs(spec: ClusterSpec, dask_offer: DaskOffer, others: Usage) -> int:
    """How many worker jobs the cluster may have beside what the person's other clusters have."""
    each = cost(spec, 1).slice_hours
    by_hours = int((dask_offer.most_slice_hours - others.slice_hours) / each + 1e-6)
    return max(0, min(dask_offer.most_jobs - others.jobs, by_hours))


def most_workers(
    spec: ClusterSpec, dask_offer: DaskOffer, reading: Reading | None, *, root: Path | None = None
) -> int:
    """How many Dask workers the cluster may have now. Asked often, so what others hold may be seconds old."""
    folder, now = root or clusters_dir(), time.monotonic()
    at, others = _others.get((folder, spec.id), (-_FRESH, Usage()))
    if now - at >= _FRESH:
        others = usage(folder, reading, without=spec.id)
        _others[folder, spec.id] = now, others
    return most_jobs(spec, dask_offer, others) * spec.processes


def usage(root: Path, reading: Reading | None, *, without: str = "") -> Usage:
    """What this person's clusters hold, but for the one called `without`."""
    told = reading if reading is not None and reading.taken > 0 else None
    known, total = set(), Usage()
    for place in _places(root):
        known.add(place.id)
        if place.id == without or place.closed.exists():
            continue
        with suppress(OSError, ValueError):  # what cannot be read has no jobs that we sent
            total += cost(place.read_spec(), len(_held(place, told)))
    # Of a cluster whose directory is elsewhere only the number of jobs is known.
    strange = [job for job in _workers(told) if job.cluster not in known | {without}]
    return total + Usage(len(strange))


def _places(root: Path) -> Iterator[ClusterDir]:
    with suppress(OSError):
        for path in root.iterdir():
            if is_run_id(path.name):
                yield ClusterDir(path)


def _workers(reading: Reading | None) -> list[QueueJob]:
    """The worker jobs that wait or run."""
    jobs = reading.jobs if reading else ()
    return [job for job in jobs if job.cluster and job.batch and job.life not in _OVER]


def _held(place: ClusterDir, reading: Reading | None) -> set[str]:
    """The names of a cluster's jobs that wait or run: as it was seen last, and what was sent since."""
    status = read_status(place)
    if reading is not None and reading.taken >= status.at:
        taken, names = reading.taken, _named(place, _workers(reading))
    else:
        taken, names = status.at, {job.name for job in status.jobs if job.state != "ended"}
    return {name for name in names | _sent_since(place, taken - _SETTLED) if not _has_ended(place, name)}


def _named(place: ClusterDir, jobs: Sequence[QueueJob]) -> set[str]:
    own = [job for job in jobs if job.cluster == place.id]
    found: set[str] = set()
    for batch in {job.batch for job in own}:
        for name in _of_batch(place, batch or 0)[1]:
            task = int(name.rpartition("-")[2])
            if any(job.batch == batch and has_task(job.tasks, task) for job in own):
                found.add(name)
    return found


def _sent_since(place: ClusterDir, moment: float) -> set[str]:
    found: set[str] = set()
    for number in range(_last_batch(place), 0, -1):
        at, names = _of_batch(place, number)
        if at < moment:
            break
        if not place.refused(number).exists():
            found.update(names)
    return found


def _last_batch(place: ClusterDir) -> int:
    try:
        names = [path.stem for path in place.batch(0).parent.iterdir()]
    except OSError:
        return 0
    return max((int(name) for name in names if name.isascii() and name.isdigit()), default=0)


def _of_batch(place: ClusterDir, number: int) -> tuple[float, list[str]]:
    told = place.read(place.batch(number)) or {}
    at, names = told.get("at"), told.get("workers")
    fits = isinstance(at, (int, float)) and isinstance(names, list)
    kept = [name for name in names or () if isinstance(name, str) and name.rpartition("-")[2].isdecimal()]
    return (float(at or 0), kept) if fits else (0.0, [])


def _has_ended(place: ClusterDir, name: str) -> bool:
    batch, task = name.rsplit("-", 2)[1:]
    return batch.isdecimal() and place.end(int(batch), int(task)).exists()
