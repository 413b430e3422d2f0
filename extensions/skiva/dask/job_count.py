"""How many jobs a cluster is to have, which of them stay, and what Dask is told of that."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from skiva.dask.spec import ClusterSpec

if TYPE_CHECKING:
    from skiva.dask.keeper import Keeper
    from skiva.dask.worker_jobs import Arrays

__all__ = ["JobCount"]


class JobCount:
    """The part of a cluster that counts. All of it happens on the scheduler's event loop."""

    slices: ClusterSpec
    keeper: "Keeper"
    arrays: "Arrays"
    # Dask's own: the jobs that there are to be, and those for which Slurm was asked.
    worker_spec: dict[str, Any]
    workers: dict[str, Any]
    new_spec: Any
    loop: Any
    scheduler_info: Any
    _correct_state: Any

    leaving: set[str]
    """Names of jobs that hand over what they hold, and then go."""
    wanted: int
    """Jobs that there are to be, without those that are leaving."""

    def _have(self, jobs: int) -> None:
        fewer = jobs < self.wanted
        self.wanted = jobs
        if fewer:
            self._trim()
        self.keeper.wake()

    def _trim(self) -> None:
        """Let go what is more than wished for; a successor that is needed all the same is asked for again."""
        extra = len(self.staying) - self.wanted
        if extra > 0:
            self._leave(self.keeper.least_useful(extra))

    @property
    def staying(self) -> list[str]:
        """Names of the jobs that there are, without those that are leaving."""
        return [name for name in self.worker_spec if name not in self.leaving]

    def _leave(self, names: Iterable[str]) -> None:
        """Jobs whose workers have joined hand over what they hold; the others simply end."""
        joined = {name for name in names if self.keeper.has_joined(name)}
        self.leaving |= joined
        self.drop_jobs([name for name in names if name not in joined])

    def drop_jobs(self, names: Iterable[str]) -> None:
        """End these jobs, whatever they are at."""
        for name in names:
            self.worker_spec.pop(name, None)
            self.leaving.discard(name)
        self.loop.add_callback(self._correct_state)

    def add_jobs(self, number: int) -> None:
        """Ask for so many more worker jobs, as one array."""
        for name in self.arrays.new(number):
            self.worker_spec[name] = self.new_spec
        self._correct_state()

    async def scale_down(self, workers: Iterable[str]) -> None:
        """Let these workers go, and with each all that are in its job."""
        self.let_go({self.job_name_of(str(worker)) for worker in workers} & set(self._counted))

    def let_go(self, jobs: Iterable[str]) -> None:
        """Have so many jobs less, namely these."""
        names = sorted(jobs)
        if not names:
            return
        self.wanted = max(0, self.wanted - len(names))
        self._leave(names)
        self._trim()
        self.keeper.wake()

    def whole_jobs(self, workers: Iterable[str]) -> list[str]:
        """The jobs of which every worker is among these; successors that are on their way do not count."""
        named = {str(worker) for worker in workers}
        return [job for job in self._counted if self.workers_of([job]) <= named]

    @property
    def _counted(self) -> list[str]:
        """As many of the jobs as are wished for: while some are replaced there are more."""
        return self.keeper.most_useful(self.wanted)

    def job_name_of(self, worker: str) -> str:
        """The job of a Dask worker."""
        return worker.rpartition("-")[0] if self.slices.processes > 1 else worker

    def workers_of(self, jobs: Iterable[str]) -> set[str]:
        """The names of the Dask workers that these jobs have."""
        count = self.slices.processes
        return {f"{job}-{part}" if count > 1 else job for job in jobs for part in range(count)}

    @property
    def plan(self) -> set[str]:
        """The workers that there are to be."""
        return self.workers_of(self._counted)

    @property
    def requested(self) -> set[str]:
        """Those for which Slurm has been asked."""
        return self.workers_of(name for name in self._counted if name in self.workers)

    @property
    def observed(self) -> set[str]:
        """Those that are there, without those that are leaving."""
        there = {str(worker["name"]) for worker in self.scheduler_info["workers"].values()}
        return there - self.workers_of(self.leaving)
