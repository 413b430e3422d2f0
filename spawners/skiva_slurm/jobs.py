"""What Slurm says about jobs and nodes, as plain immutable values.

A `Snapshot` is one complete, successful reading of Slurm. Nothing here does I/O.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Self

from skiva_slurm.gres import Gres
from skiva_slurm.reservations import Reservation
from skiva_slurm.states import Life, life

_RANGE = re.compile(r"([0-9]{1,10})(?:-([0-9]{1,10})(?::([0-9]{1,10}))?)?")
_MOST_NUMBERS = 100_000


@dataclass(frozen=True, slots=True)
class Array:
    """Where a job stands in an array."""

    job_id: int
    """The array's number, under which all of it is cancelled."""
    tasks: str
    """One task's number, or as Slurm writes those that wait together, e.g. `3-199%8`."""

    @property
    def count(self) -> int:
        """For how many tasks it stands; where Slurm cut its list short, for how many at least."""
        ranges = _RANGE.finditer(self.tasks.partition("%")[0])
        return sum(max(0, int(r[2] or r[1]) - int(r[1])) // max(1, int(r[3] or 1)) + 1 for r in ranges) or 1

    def numbers(self) -> tuple[int, ...] | None:
        """The tasks that it stands for; None where Slurm cut its list short, or it is beyond all measure."""
        found: list[range] = []
        for part in self.tasks.partition("%")[0].split(","):
            if (listed := _RANGE.fullmatch(part)) is None:
                return None
            first, last, step = int(listed[1]), int(listed[2] or listed[1]), int(listed[3] or 1)
            found.append(range(first, last + 1, max(1, step)))
        if sum(map(len, found)) > _MOST_NUMBERS or not all(found):
            return None
        return tuple(number for several in found for number in several)

    @property
    def at_once(self) -> int:
        """How many of these tasks may run at the same time, as far as the array itself says."""
        limit = self.tasks.rpartition("%")[2] if "%" in self.tasks else ""
        return min(self.count, int(limit)) if re.fullmatch(r"[1-9][0-9]{0,9}", limit) else self.count


@dataclass(frozen=True, slots=True)
class Job:
    """One job as the queue shows it.

    Times are seconds since the epoch, or None where Slurm has none.
    """

    id: int
    user: str
    state: str
    """Slurm's own word, e.g. `PENDING`; see `life` for what it means to us."""
    reason: str = ""
    partition: str = ""
    nodes: tuple[str, ...] = ()
    """Names of the allocated nodes, expanded, first one first."""
    gres: tuple[Gres, ...] = ()
    """What it asked for on each node; where it asked for a total (`--gpus`), that."""
    submitted: float | None = None
    start: float | None = None
    """When it started; while pending, when Slurm expects to start it."""
    end: float | None = None
    """When its time limit ends it; for an ended job, when it ended."""
    priority: int = 0
    restarts: int = 0
    """How often Slurm has requeued it."""
    exit_code: str = ""
    """Slurm's `code:signal`."""
    tag: str = ""
    """Our mark in the job's comment, empty for everybody else's jobs."""
    array: Array | None = None
    """Which tasks of which array it stands for; None for a job of its own."""

    @property
    def life(self) -> Life:
        """What the state means for a session that lives in this job."""
        return life(self.state)

    @property
    def tasks(self) -> int:
        """For how many jobs it stands: those of an array's tasks that wait together are shown as one."""
        return self.array.count if self.array else 1


@dataclass(frozen=True, slots=True)
class Node:
    """One node as slurmctld sees it."""

    name: str
    address: str
    """`NodeAddr`: the only source of a session's host."""
    states: frozenset[str]
    """Base state and flags, e.g. `{"IDLE", "DRAIN"}`."""
    partitions: tuple[str, ...] = ()
    gres: tuple[Gres, ...] = ()
    gres_used: tuple[Gres, ...] = ()
    """As Slurm counts it; of shards, 22.05 counts the devices that they are on."""
    features: frozenset[str] = frozenset()
    """What a job's constraint may name."""
    gres_sharded: tuple[Gres, ...] = ()
    """Whole devices that are out as shards, so that nobody gets them whole."""
    cores: int = 0
    cores_used: int = 0
    memory_mb: int = 0
    memory_used_mb: int = 0
    reason: str = ""
    """Why an operator drained it."""

    @property
    def usable(self) -> bool:
        """Whether Slurm would start a new job here."""
        from skiva_slurm.states import node_usable

        return node_usable(self.states)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One complete reading of the queue and the nodes."""

    taken: float
    """Seconds since the epoch."""
    jobs: Mapping[int, Job] = field(default_factory=lambda: MappingProxyType({}))
    nodes: Mapping[str, Node] = field(default_factory=lambda: MappingProxyType({}))
    reservations: Mapping[str, Reservation | None] = field(default_factory=lambda: MappingProxyType({}))
    """Those that slices name, None where Slurm has none of that name; of others nothing is known."""

    @classmethod
    def of(
        cls,
        taken: float,
        jobs: Mapping[int, Job],
        nodes: Mapping[str, Node],
        reservations: Mapping[str, Reservation | None] = MappingProxyType({}),
    ) -> Self:
        """A snapshot that nobody can change afterwards."""
        kept = (MappingProxyType(dict(one)) for one in (jobs, nodes, reservations))
        return cls(taken, *kept)

    def tagged(self, tag: str, user: str | None = None) -> Job | None:
        """The job that carries `tag`, if the queue shows it; of several one that has not ended, the last.

        Anybody can write any comment on a job of their own: name the `user` who must own it wherever the
        answer decides something. A submission that Slurm refused may be there too, as a failed job.
        """
        found = [job for job in self.jobs.values() if job.tag == tag and user in (None, job.user)]
        return max(found, key=lambda job: (job.life is not Life.ENDED, job.id), default=None)
