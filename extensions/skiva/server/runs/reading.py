"""A reading of the queue, sorted by runs, so that a thousand of them are looked up at once. Pure."""

from skiva.runs.queue import QueueJob, Reading
from skiva_slurm.states import Life

__all__ = ["Readings"]

_LIVES = frozenset({Life.QUEUED, Life.RUNNING, Life.PAUSED})


class Readings:
    """One reading of the queue."""

    def __init__(self, reading: Reading | None) -> None:
        self.reading = reading
        self._living: set[str] | None = None
        self._by_run: dict[str, list[QueueJob]] = {}
        self._by_job: dict[int, list[QueueJob]] = {}
        for job in reading.jobs if reading else ():
            if job.run:
                self._by_run.setdefault(job.run, []).append(job)
            for number in {job.job_id, job.array_job_id} - {None}:
                self._by_job.setdefault(number, []).append(job)  # type: ignore[arg-type]

    @property
    def living(self) -> set[str]:
        """The runs of which a job waits or runs."""
        if self._living is None:
            lives = (run for run, jobs in self._by_run.items() if any(job.life in _LIVES for job in jobs))
            self._living = set(lives)
        return self._living

    @property
    def runs(self) -> set[str]:
        """The runs that it speaks of."""
        return set(self._by_run)

    def of(self, run: str, job_id: int | None) -> Reading | None:
        """What it says of one run, and nothing else; all of it where the job's number is not known yet."""
        if self.reading is None or job_id is None:
            return self.reading
        return Reading(self.reading.taken, self._jobs(run, job_id), self.reading.trouble)

    def mark(self, run: str, job_id: int | None) -> object:
        """What is another one whenever this reading says something else of the run than an earlier one."""
        if self.reading is None:
            return None
        jobs = self._jobs(run, job_id)
        # That a job is still not there is news each time: only repeated absence counts.
        return jobs, self.reading.trouble, None if jobs else self.reading.taken

    def _jobs(self, run: str, job_id: int | None) -> tuple[QueueJob, ...]:
        found = self._by_job.get(job_id, []) if job_id is not None else self._by_run.get(run, [])
        return tuple(found)
