"""What was learned of jobs over several readings: seen to end, or no longer seen."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from skiva_slurm.jobs import Job, Snapshot
from skiva_slurm.states import Life

__all__ = ["Memory"]

_KEPT_SECONDS = 3600.0
_KEPT_ENDS = 8


@dataclass(frozen=True, slots=True)
class _Absence:
    """Good readings in a row that lack a job."""

    asked: float
    """When somebody asked first; readings count that started later."""
    used: float = 0.0
    """When somebody asked last."""
    first: float = 0.0
    count: int = 0


class Memory:
    """Remembers ends that were seen and absences that repeat. Only good readings teach it anything."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._present: frozenset[int] = frozenset()
        self._ended: dict[int, tuple[float, Job]] = {}
        self._due: dict[int, float] = {}
        self._reserved_until: dict[str, tuple[float, ...]] = {}
        self._absent: dict[int, _Absence] = {}

    def learn(self, snapshot: Snapshot, started: float) -> None:
        """Take in a good reading that started at `started`."""
        now = self._clock()
        for job in snapshot.jobs.values():
            if job.life is Life.ENDED:
                self._ended[job.id] = (now, job)
            else:
                self._ended.pop(job.id, None)
            self._absent.pop(job.id, None)
            if job.tag and job.end is not None and job.life in {Life.RUNNING, Life.PAUSED}:
                self._due[job.id] = job.end
        for one in filter(None, snapshot.reservations.values()):
            ends = self._reserved_until.get(one.name, ())
            if one.end not in ends:
                self._reserved_until[one.name] = (*ends, one.end)[-_KEPT_ENDS:]
        for gone in self._present - snapshot.jobs.keys():
            self._absent.setdefault(gone, _Absence(asked=started))
        for number, absence in self._absent.items():
            if started >= absence.asked:
                first = absence.first if absence.count else started
                self._absent[number] = replace(absence, first=first, count=absence.count + 1)
        self._present = frozenset(snapshot.jobs)
        self._forget(now)

    def ended(self, job_id: int) -> Job | None:
        """The job as it was last seen to have ended."""
        found = self._ended.get(job_id)
        return found[1] if found else None

    def due(self, job_id: int) -> float | None:
        """When the time limit of a job with a mark of ours was to end it, as it was last seen alive."""
        return self._due.get(job_id)

    def reserved_until(self, name: str) -> tuple[float, ...]:
        """The last ends that a reservation was seen to have; a daily one has many, and others change."""
        return self._reserved_until.get(name, ())

    def ended_and_gone(self) -> tuple[Job, ...]:
        """The jobs with a mark of ours that were seen to end and are not in the queue any more."""
        marked = (job for _, job in self._ended.values() if job.tag)
        return tuple(job for job in marked if job.id not in self._present)

    def missing_since(self, job_id: int) -> float | None:
        """When the first of at least two good readings in a row that lack the job started."""
        if job_id in self._present:
            return None
        now = self._clock()
        absence = self._absent[job_id] = replace(self._absent.get(job_id) or _Absence(asked=now), used=now)
        return absence.first if absence.count >= 2 else None

    def _forget(self, now: float) -> None:
        old = now - _KEPT_SECONDS
        self._ended = {number: seen for number, seen in self._ended.items() if seen[0] > old}
        known = self._present | self._ended.keys()
        self._due = {number: due for number, due in self._due.items() if number in known}
        self._absent = {
            number: absence
            for number, absence in self._absent.items()
            if max(absence.asked, absence.first, absence.used) > old
        }
