"""Keeps a cluster at the wished number of workers, and tells how it stands. Lives beside the scheduler."""

import asyncio
import math
import time
from collections import Counter, deque
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from skiva.dask.handing_over import hand_over
from skiva.dask.keeping import Plan, Trouble, after_end, by_use, decide
from skiva.dask.limits import most_workers
from skiva.dask.looking import Looking
from skiva.dask.observing import KnownJob, last_lines, look
from skiva.dask.queue_watch import QueueWatch
from skiva.dask.status import Status
from skiva.dask.status_file import StatusFile
from skiva.dask.strays import Strays
from skiva.dask.telling import tell
from skiva.dask.worker_jobs import job_of
from skiva.runs.queue import Reading
from skiva_slurm.errors import Refused, SlurmUnanswered

if TYPE_CHECKING:
    from skiva.dask.cluster import SliceCluster

__all__ = ["Keeper"]

_COUNT_EVERY = 10.0
"""Seconds between two looks at what else this person has, and so may have here."""
_SURE = 1.0
"""Seconds within which the end of a whole job follows that of its workers."""
_NOTICE = 3.0
"""Seconds between an end from outside and that of the scheduler, so that all who are attached learn of it."""
_AGAIN = 15.0
"""Seconds after which workers are asked for again that Slurm refused while others worked."""


class Keeper(Looking):
    """One per cluster; everything in it happens on the scheduler's event loop."""

    def __init__(self, cluster: "SliceCluster") -> None:
        super().__init__()
        self._cluster = cluster
        self._jobs: dict[str, KnownJob] = {}
        self._trouble = Trouble()
        self._waits: deque[float] = deque(maxlen=8)
        self._queue = QueueWatch(cluster.slices)
        self._handing: dict[str, asyncio.Task[None]] = {}
        self._file = StatusFile(cluster.place)
        self._hopeless: set[str] = set()
        self.most, self._counted = 0, 0.0
        """How many workers are possible for this person here."""
        self._ended = 0.0
        self._strays = Strays(cluster.place.id)

    # -- its life --------------------------------------------------------------------------

    async def stop(self) -> None:
        """Decide nothing any more."""
        await super().stop()
        for task in self._handing.values():
            task.cancel()
        await asyncio.gather(*self._handing.values(), return_exceptions=True)

    def wake(self) -> None:
        """Look again at once; may be called from any thread."""
        self._cluster.loop.add_callback(self._awake.set)

    # -- one look --------------------------------------------------------------------------

    async def _look_once(self) -> None:
        cluster, now = self._cluster, time.time()
        self._follow(now)
        waiting = any(job.phase in {"waiting", "starting", "partial"} for job in self._jobs.values())
        reading = self._queue.newest(busy=waiting or self._strays.expected(now))
        there = Counter(cluster.job_name_of(str(one.name)) for one in cluster.scheduler.workers.values())
        await asyncio.to_thread(
            look,
            list(self._jobs.values()),
            place=cluster.place,
            there=there,
            workers=cluster.slices.processes,
            leaving=set(cluster.leaving),
            reading=reading,
            now=now,
        )
        if await self._is_ended(now):
            return
        self._note(now)
        plan = decide(
            [job.view() for job in self._jobs.values()],
            wanted=cluster.wanted,
            now=now,
            lifetime=cluster.slices.lifetime,
            trouble=self._trouble,
            waits=self._waits,
        )
        self._carry_out(plan, now)
        await self._end_strays(reading, now)
        await self._tell(now)

    async def _is_ended(self, now: float) -> bool:
        """Whether somebody has ended the cluster from outside; it is then closed here too."""
        if not await asyncio.to_thread(self._cluster.place.closed.exists):
            return False
        self._ended = self._ended or now
        if now - self._ended >= _NOTICE:
            self._ended = math.inf
            why = (self._cluster.place.read(self._cluster.place.closed) or {}).get("why", "")
            self.say("error", f"The cluster was ended from outside. {why}".strip())
            self._cluster.close_soon()
        return True

    def _follow(self, now: float) -> None:
        """Know the jobs that the cluster has, and forget those that it has not."""
        cluster = self._cluster
        for name in cluster.worker_spec:
            job = self._jobs.setdefault(name, KnownJob(name, asked=now))
            batch, task = job_of(name)
            number = cluster.arrays.number(batch)
            job.job_id = f"{number}_{task}" if number is not None else ""
            if cluster.arrays.refused(batch) and not job.end:
                job.end = {"how": "refused"}
        for name in set(self._jobs) - set(cluster.worker_spec):
            del self._jobs[name]
            self._hopeless.discard(name)

    def _note(self, now: float) -> None:
        for job in self._jobs.values():
            if job.phase == "ready" and job.ready_at == now:
                self._waits.append(now - job.asked)
                self._trouble = Trouble()
            self._note_death(job, now)
            if job.phase == "waiting" and job.hopeless and job.name not in self._hopeless:
                self._hopeless.add(job.name)
                self.say("error", f"A worker cannot start: {job.reason} {job.action}".strip())

    def _note_death(self, job: KnownJob, now: float) -> None:
        """A worker of a job that goes on has died: its last lines, before they are lost in what follows."""
        if job.died_at is None or now - job.died_at < _SURE:
            return
        job.died_at = None
        job.told = job.phase not in {"over", "leaving"}
        if job.told:
            self.say(
                "warning",
                f"Worker {job.name}{_on(job)} died.",
                job.last,
            )

    def _carry_out(self, plan: Plan, now: float) -> None:
        cluster = self._cluster
        for name in plan.drop:
            self._drop(self._jobs[name], now)
        for name in plan.retire:
            cluster.leaving.add(name)
        for name in cluster.leaving - set(self._handing):
            task = asyncio.ensure_future(self._hand_over(name))
            self._handing[name] = task
            task.add_done_callback(partial(self._handed, name))
        if plan.add and not plan.drop:
            cluster.add_jobs(plan.add)

    async def _end_strays(self, reading: Reading | None, now: float) -> None:
        """End jobs that Slurm has and the cluster does not know, as after a request without an answer."""
        cluster = self._cluster
        which = self._strays.due(reading, set(cluster.worker_spec), cluster.arrays.is_open, now)
        if which:
            with suppress(Refused, SlurmUnanswered):
                await cluster.arrays.cancel_numbers(which)

    def _drop(self, job: KnownJob, now: float) -> None:
        cluster = self._cluster
        if job.end.get("how") == "refused":
            if not self._trouble.refused:
                self._trouble = self._after_refusal(job, now)
        elif job.name not in cluster.leaving:  # of one that was told to go no end is news
            before = self._trouble
            self._trouble = after_end(before, now, was_ready=job.ready_at is not None, asked=job.asked)
            if not before.stuck:  # what the first ones said will do
                self._tell_end(job)
            if self._trouble.stuck and not before.stuck:
                self.say(
                    "error",
                    "Workers end again and again before they can work, so no more are asked for. "
                    "Mend what their last lines say, then scale the cluster again.",
                )
        cluster.drop_jobs([job.name])

    def _after_refusal(self, job: KnownJob, now: float) -> Trouble:
        """The same is asked for again, later each time; where others work, their end may make room."""
        if self._works():
            return replace(self._trouble, until=now + _AGAIN)
        return after_end(self._trouble, now, was_ready=False, asked=job.asked)

    def _works(self) -> bool:
        return any(job.ready for job in self._jobs.values())

    def _tell_end(self, job: KnownJob) -> None:
        what = str(job.end.get("sentence") or "It was ended, or its node was lost.")
        later = "" if self._trouble.stuck else " Another one is asked for."
        self.say(
            "warning",
            f"Worker {job.name}{_on(job)} is gone. {what}{later}",
            () if job.told else last_lines(self._cluster.place, job.name),
        )

    async def _hand_over(self, name: str) -> None:
        job = self._jobs.get(name)
        workers = self._cluster.workers_of([name])
        await hand_over(self._cluster.scheduler, workers, job.ends if job else None)
        self._cluster.drop_jobs([name])

    def _handed(self, name: str, _: object) -> None:
        self._handing.pop(name, None)

    def lost(self, worker: str) -> None:
        """A Dask worker went; why, shows in a moment."""
        job = self._jobs.get(self._cluster.job_name_of(worker))
        if job is not None and job.name not in self._cluster.leaving:
            # What it said at last, before its successor in the same job fills the log.
            job.died_at, job.last = time.time(), last_lines(self._cluster.place, job.name)
        self.wake()

    # -- asked by the cluster --------------------------------------------------------------

    def reading(self) -> Reading | None:
        """What is known of this person's jobs at Slurm."""
        return self._queue.known()

    def has_joined(self, name: str) -> bool:
        """Whether workers of this job are there."""
        return name in self._jobs and self._jobs[name].ready > 0

    def least_useful(self, number: int) -> list[str]:
        """The jobs to let go first."""
        asked_now = (
            KnownJob(name, asked=math.inf, since=math.inf)
            for name in self._cluster.staying
            if name not in self._jobs
        )
        known = (self._jobs[name] for name in self._cluster.staying if name in self._jobs)
        return by_use(job.view() for job in (*asked_now, *known))[:number]

    def most_useful(self, number: int) -> list[str]:
        """The jobs to keep first: those that others are the successors of are among them."""
        everybody = self.least_useful(len(self._cluster.staying))
        return everybody[max(0, len(everybody) - number) :]

    def try_again(self) -> None:
        """Forget earlier failures: somebody has looked after them."""
        self._trouble = Trouble()

    def refused(self, sentence: str) -> None:
        """Slurm said no to workers, or nothing at all (""). Where none work a no would come again."""
        if not sentence:
            # It may have them all the same: whoever clears up in the end looks for them.
            self._cluster.reaper.owed = True
            self._strays.suspect(time.time())
            return
        if not self._works():
            self._trouble = replace(self._trouble, refused=sentence)
        self.say_once("error", f"Slurm does not take the cluster's workers: {sentence}")

    def could_not_end(self, names: list[str], sentence: str) -> None:
        """Jobs that are not wished for any more could not be ended now."""
        self._cluster.reaper.owed = True
        self.say("warning", f"{len(names)} worker jobs could not be ended yet: {sentence}")

    @property
    def trouble(self) -> Trouble:
        """What keeps workers from coming."""
        return self._trouble

    # -- telling ---------------------------------------------------------------------------

    def status(self) -> Status:
        """How the cluster stands now."""
        return tell(
            self._cluster,
            list(self._jobs.values()),
            self.events,
            self._trouble,
            self.most,
            time.time(),
        )

    async def _tell(self, now: float) -> None:
        if now - self._counted >= _COUNT_EVERY:
            spec, self._counted = self._cluster.slices, now
            self.most = await asyncio.to_thread(most_workers, spec, spec.dask, self.reading())
        await self._file.tell(self.status())

    def write_last(self) -> None:
        """The status of the cluster when it has ended, for whoever looks later."""
        self._file.write(self.status())


def _on(job: KnownJob) -> str:
    return f" on {job.node}" if job.node else ""
