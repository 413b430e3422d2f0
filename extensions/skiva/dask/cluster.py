"""`SliceCluster`: dask-jobqueue's `SLURMCluster` on slices, kept at the wished number of workers."""

import asyncio
import math
import os
from typing import Any

from dask_jobqueue import SLURMCluster
from distributed.core import Status as DaskStatus
from distributed.deploy.cluster import Cluster
from distributed.utils import NoOpAwaitable

from skiva.dask.adaptive import SteadyAdaptive
from skiva.dask.address import own_address
from skiva.dask.control import answers
from skiva.dask.display import ShownCluster
from skiva.dask.ending import forget_keys, note_closed
from skiva.dask.job_count import JobCount
from skiva.dask.keeper import Keeper
from skiva.dask.limits import check, most_workers
from skiva.dask.place import ClusterDir
from skiva.dask.reaping import Reaper
from skiva.dask.scheduler import SliceScheduler
from skiva.dask.security import load, make_keys
from skiva.dask.status import Bounds, Status
from skiva.dask.waiting import until_ready
from skiva.dask.worker_jobs import Arrays, WorkerJob
from skiva.runs.files import write_json
from skiva.runs.wish import BadWish
from skiva_slurm.errors import Refused, SkivaSlurmError, SlurmUnanswered

__all__ = ["SliceCluster"]


class SliceCluster(JobCount, ShownCluster, SLURMCluster):
    """A Dask cluster whose workers are jobs on slices; use `skiva.cluster` to make one.

    All of `SLURMCluster` is there: `scale`, `adapt`, `close`, `get_logs`, `with`, `async with`. Workers are
    replaced before their time is over, and jobs that end unasked are asked for again, until it is plain that
    they cannot work, or Slurm refuses them: then `wait_for_workers` raises `NeverStarted`.
    """

    job_cls = WorkerJob
    scheduler: Any

    def __init__(self, place: ClusterDir, *, asynchronous: bool = False, loop: Any = None) -> None:
        """Start the scheduler of the cluster that `place` describes, and ask for its first workers.

        With `asynchronous` that is done, and what it raises is raised, where the cluster is awaited.

        Raises:
            SlurmUnanswered: Slurm does not tell how the nodes are reached.
            RuntimeError: the scheduler could not start.
        """
        spec = place.read_spec()
        self.place = place
        self.slices = spec
        self.leaving, self.wanted = set(), 0
        self.owner = int(os.environ.get("SLURM_JOB_ID") or 0)
        self.bounds: Bounds | None = None
        """Between how many workers it adapts."""
        self.ends: float | None = None
        """When the job of a detached scheduler ends, in seconds since the epoch."""
        self._ending = False
        make_keys(place)
        self.reaper = Reaper(place)
        self.keeper = Keeper(self)
        self.arrays = Arrays(spec, place, self.owner, self.keeper.refused)
        super().__init__(
            arrays=self.arrays,
            processes=spec.processes,
            name=spec.name,
            loop=loop,
            asynchronous=asynchronous,
            security=load(place),
            protocol="tls://",
            scheduler_cls=self._scheduler,
            # Without a host, even none, one's own settings for dask-jobqueue would name an interface.
            scheduler_options={"place": place, "answers": answers(self), "host": None, "dashboard": True},
        )

    # -- from its start to its end ---------------------------------------------------------

    async def _start(self) -> None:
        if self.status == DaskStatus.running:
            return
        try:
            await super()._start()
        except RuntimeError as problem:
            if isinstance(problem.__cause__, SkivaSlurmError):
                raise problem.__cause__ from None
            raise
        try:
            await self._begin()
        except BaseException:
            await self._close()
            raise

    async def _scheduler(self, **options: Any) -> SliceScheduler:
        """One that listens where the workers reach it, and nowhere else."""
        spec = self.slices
        try:
            host = await own_address(spec.bin, spec.conf, spec.slice.partition)
            where = {"host": host, "dashboard_address": f"{host}:0"}
            scheduler: SliceScheduler = await SliceScheduler(**options | where)
        except Exception as problem:
            note_closed(self.place, f"It did not start: {problem}")
            raise
        return scheduler

    async def _begin(self) -> None:
        place, http = self.place, self.scheduler.http_server
        told = {
            "address": self.scheduler.address,
            "http": f"https://{http.address}:{http.port}",
            "pid": os.getpid(),
            "job_id": self.owner,
            "at": self.scheduler.time_started,
        }
        write_json(place.scheduler, told)
        self.reaper.start()
        spec = self.slices
        if spec.minimum is not None and spec.maximum is not None:
            self.adapt(minimum=spec.minimum, maximum=spec.maximum)
        else:
            self._have(math.ceil(spec.workers / spec.processes))
        await self.keeper.start()

    async def _close(self) -> None:
        if self.status in {DaskStatus.closing, DaskStatus.closed}:
            await super()._close()
            return
        self._ending = True
        if not (started := isinstance(self.scheduler, SliceScheduler)):
            self.scheduler = None  # Dask would close what was never there
        await self.keeper.stop()
        # Its workers look for this word, so that they lose no time over their end.
        note_closed(self.place, "It was closed.")
        await super()._close()
        forget_keys(self.place)
        self.reaper.stop()
        if started:
            await asyncio.to_thread(self.keeper.write_last)

    async def _correct_state_internal(self) -> None:
        """Ask Slurm for the jobs that are missing, and end those that are not wished for any more."""
        async with self._lock:
            self._correct_state_waiting = None
            gone = [name for name in self.workers if name not in self.worker_spec]
            if gone:
                await self._end(gone)
            fresh = [name for name in self.worker_spec if name not in self.workers]
            jobs = {
                name: WorkerJob(self.scheduler.address, name, **self.new_spec["options"]) for name in fresh
            }
            self._created.update(jobs.values())
            self.workers.update(jobs)
            await asyncio.gather(*jobs.values())
            # Some may have become too many while Slurm was asked.
            late = [name for name in fresh if name not in self.worker_spec]
            if late:
                await self._end(late)

    async def _end(self, names: list[str]) -> None:
        jobs = [self.workers.pop(name) for name in names]
        try:
            await self.arrays.cancel(names, list(self.workers))
        except (Refused, SlurmUnanswered) as problem:
            self.keeper.could_not_end(names, str(problem))
        for job in jobs:
            await job.close()

    def _update_worker_status(self, op: str, msg: Any) -> None:
        # What follows from a worker's going is the keeper's to decide; Dask's own way knows no groups.
        name = str(self.scheduler_info["workers"][msg]["name"]) if op == "remove" else ""
        Cluster._update_worker_status(self, op, msg)  # noqa: SLF001
        if name and not self._ending:
            self.keeper.lost(name)
        self.keeper.wake()

    # -- how many workers ------------------------------------------------------------------

    def scale(
        self, n: int | None = None, jobs: int = 0, memory: str | None = None, cores: int | None = None
    ) -> Any:
        """Have `n` workers (or so many jobs, or as much memory or as many cores together), and adapt no more.

        Raises:
            BadWish: more than the site lets one person have.
        """
        if self._ending:
            self.drop_jobs(list(self.worker_spec))
        else:
            self.stop_adapting()
            self.keeper.try_again()
            self._wish(self._jobs_for(n, jobs, memory, cores))
        return NoOpAwaitable() if self.asynchronous else None

    def wish_for(self, workers: int) -> None:
        """The same, asked for by what adapts. Raises BadWish."""
        self._wish(math.ceil(workers / self.slices.processes))

    def _jobs_for(self, n: int | None, jobs: int, memory: str | None, cores: int | None) -> int:
        from dask.utils import parse_bytes

        spec = self.slices
        workers = [n or 0, jobs * spec.processes]
        workers.append(math.ceil(parse_bytes(memory) / spec.memory) if memory else 0)
        workers.append(math.ceil(cores / spec.threads) if cores else 0)
        if min(workers) < 0:
            raise BadWish("workers: must be 0 or more")
        return math.ceil(max(workers) / spec.processes)

    def _wish(self, jobs: int) -> None:
        more = jobs - self.wanted
        if more > 0:
            check(self.slices, more, self.slices.dask, self.keeper.reading())
        # Asked for from any thread, it is done on the event loop, where alone the jobs are counted.
        self.loop.add_callback(self._have, jobs)

    def adapt(self, *args: Any, minimum: int = 0, maximum: int | None = None, **options: Any) -> Any:
        """Have between `minimum` and `maximum` workers, as the work demands; it changes slowly.

        Raises:
            BadWish: the site does not let one person have so many.
        """
        each = self.slices.processes
        minimum = options.pop("minimum_jobs", 0) * each or minimum
        maximum = options.pop("maximum_jobs", 0) * each or maximum
        most = most_workers(self.slices, self.slices.dask, self.keeper.reading())
        maximum = most if maximum is None else maximum
        if not 0 <= minimum <= maximum:
            raise BadWish(f"minimum: must be from 0 to the maximum, {maximum}, not {minimum}")
        if maximum > most:
            raise BadWish(f"maximum: at most {most} workers are possible for you here, not {maximum}")
        options.setdefault("Adaptive", SteadyAdaptive)
        self.bounds = Bounds(minimum=minimum, maximum=maximum)
        return super().adapt(*args, minimum=minimum, maximum=maximum, **options)

    def stop_adapting(self) -> None:
        """Keep the workers that there are, until somebody scales."""
        self.bounds = None
        if self._adaptive is not None:
            self._adaptive.stop(reason="scaled")

    async def _wait_for_workers(self, n_workers: int = 0, timeout: Any = None) -> None:
        await until_ready(super()._wait_for_workers(n_workers, timeout), self.keeper.status)

    # -- shown -----------------------------------------------------------------------------

    def close_soon(self) -> None:
        """Close from within the scheduler's own event loop."""
        self._closing = asyncio.ensure_future(self._close())

    @property
    def info(self) -> Status:
        """How it is now."""
        return self.keeper.status()
