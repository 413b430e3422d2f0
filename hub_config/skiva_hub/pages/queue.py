"""What is free of a slice, and who waits for the same. Pure."""

from functools import cache

from skiva_hub.pages.reserved import reservation_of
from skiva_hub.site import Site, Slice
from skiva_slurm.gres import Gres, parse_gres
from skiva_slurm.jobs import Job, Snapshot
from skiva_slurm.slices import Availability, availability
from skiva_slurm.states import Life

_HOLDS_ITSELF_BACK = frozenset(
    {
        "BeginTime",
        "Dependency",
        "DependencyNeverSatisfied",
        "JobArrayTaskLimit",
        "JobHeldAdmin",
        "JobHeldUser",
        "JobHoldMaxRequeue",
    }
)


def available(picked: Slice, snapshot: Snapshot) -> Availability:
    """How many sessions on this slice could start right now, and how many are taken or out of service."""
    found = reservation_of(picked, snapshot)
    return availability(
        picked.every_gres,
        picked.place,
        picked.cores,
        picked.memory_mb,
        snapshot,
        reserved=picked.reservation is not None,
        only=found.nodes if found and not found.flexible else (),
    )


def waiting(picked: Slice, snapshot: Snapshot) -> int:
    """How many jobs stand in line for this slice; those that are held back do not.

    Of an array those tasks count that may run at once.
    """
    return sum(map(_weight, _line(picked, snapshot)))


def position(job: Job, picked: Slice, snapshot: Snapshot) -> tuple[int, int]:
    """The place of `job` in its line, from 1, and the length of that line."""
    line = _line(picked, snapshot)
    before = sum(_weight(other) for other in line if other.id != job.id and _rank(other) < _rank(job))
    length = sum(map(_weight, line)) + (0 if any(other.id == job.id for other in line) else 1)
    return before + 1, length


def slice_of(job: Job, site: Site) -> Slice | None:
    """The slice that asks for what this job holds or wants, if the site has such a one."""
    likely = [s for s in site.slice if _same_partition(job, s) and _same_gres(job, s)]
    exact = [s for s in likely if sorted(map(str, _wanted(s.every_gres))) == sorted(map(str, job.gres))]
    return next(iter(exact or likely), None)


def held_back(reason: str) -> bool:
    """Whether a pending job with this reason stands aside instead of in line."""
    return reason in _HOLDS_ITSELF_BACK or reason.startswith(("QOS", "Assoc"))


def _line(picked: Slice, snapshot: Snapshot) -> list[Job]:
    return [
        job
        for job in snapshot.jobs.values()
        if job.life is Life.QUEUED
        and not job.nodes
        and not held_back(job.reason)
        and _same_partition(job, picked)
        and _same_gres(job, picked)
    ]


def _weight(job: Job) -> int:
    return job.array.at_once if job.array else 1


def _rank(job: Job) -> tuple[int, float, int]:
    return (-job.priority, job.submitted or 0.0, job.id)


def _same_partition(job: Job, picked: Slice) -> bool:
    return not set(picked.partitions).isdisjoint(job.partition.split(","))


def _same_gres(job: Job, picked: Slice) -> bool:
    """Whether both ask for the same kinds; one that names no type takes what the other names."""
    wanted, asked = _wanted(picked.every_gres), job.gres
    if {g.name for g in wanted} != {g.name for g in asked}:
        return False
    return all(any(_like(one, other) for other in asked) for one in wanted)


@cache
def _wanted(gres: str | None) -> tuple[Gres, ...]:
    """What a slice asks for; a sweep has a thousand jobs, and each is compared with each slice."""
    return parse_gres(gres or "")


def _like(one: Gres, other: Gres) -> bool:
    return one.name == other.name and (one.type == other.type or not one.type or not other.type)
