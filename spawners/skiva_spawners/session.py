"""One session: a record in the database, a job in Slurm, and what joins them."""

import asyncio
import time
from collections.abc import Callable
from typing import Literal

from tornado.httpclient import HTTPError as NoAnswer

from skiva_slurm.errors import Refused, SlurmUnanswered
from skiva_slurm.jobs import Job, Snapshot
from skiva_slurm.states import Life
from skiva_spawners import challenge
from skiva_spawners.errors import ActingFailed, NotOurServer
from skiva_spawners.hub_state import HubState
from skiva_spawners.log import session_log
from skiva_spawners.record import Record
from skiva_spawners.report import NotYet, Report, Stale
from skiva_spawners.request import tag_of

_MISSING_PATIENCE = 60.0
"""Seconds for which good readings must lack a job before it counts as gone."""


class Session:
    """A session and its job.

    `keep` writes the record to the database at once; `base_path` is where its server's
    addresses begin, with a slash at both ends.
    """

    def __init__(
        self,
        state: HubState,
        *,
        user: str,
        server: str,
        base_path: str,
        record: Record,
        keep: Callable[[], None],
    ) -> None:
        self.state = state
        self.record = record
        self.base_path = base_path
        self.tag = tag_of(state.site, user, server, record)
        self.log = session_log(record.nonce, user, server)
        self.interrupted = False
        """Its start was cut off by the end of the hub; the keeper takes it up again."""
        self.unproved = False
        """Its route is from before a restart of the hub, and its server has not proved itself since."""
        self.over = False
        """Nothing of it is to be kept."""
        self.returning = False
        """Its job was requeued, and it is on its way back."""
        self.step: Literal["", "proved", "answering"] = ""
        self.submission: asyncio.Task[None] | None = None
        self._keep = keep
        self._news = asyncio.Event()

    def update(self, **changes: object) -> None:
        """Change the record, in the database too."""
        self.record = self.record.but(**changes)
        self._keep()

    def end(self) -> None:
        """Drop the record, in the database too: should the hub die now, no later one takes the session up."""
        self.over = True
        self._keep()

    def restored(self) -> None:
        """Called once for a record that comes from the database of a hub that was restarted."""
        self.interrupted = self.record.phase != "ready"
        self.unproved = not self.interrupted

    # -- news ------------------------------------------------------------------------------

    def tell(self, step: Literal["", "proved", "answering"] | None = None) -> None:
        """Wake whoever waits for this session."""
        if step is not None:
            self.step = step
        self._news.set()
        self._news = asyncio.Event()

    async def news(self, seconds: float) -> None:
        """Wait for word from the job or for a new reading of the queue, at most `seconds`."""
        watcher = self.state.watcher
        waiting = [
            asyncio.ensure_future(watcher.changed(watcher.snapshot)),
            asyncio.ensure_future(self._news.wait()),
        ]
        try:
            await asyncio.wait(waiting, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for one in waiting:
                one.cancel()

    @property
    def heard(self) -> Report | None:
        """What the job's present run has told; the word of an earlier run is worth nothing."""
        told, job = self.record.heard, self.job
        return None if told and job and job.restarts > told.restarts else told

    # -- what Slurm says -------------------------------------------------------------------

    @property
    def job(self) -> Job | None:
        """The job as the last good reading shows it."""
        snapshot = self.state.watcher.snapshot
        if snapshot is None or self.record.job_id is None:
            return None
        return snapshot.jobs.get(self.record.job_id)

    def tagged(self, snapshot: Snapshot | None) -> Job | None:
        """The job that carries this session's tag and really is its owner's."""
        return snapshot.tagged(self.tag.text, self.record.account) if snapshot else None

    def ended_job(self) -> Job | None:
        """The job, if Slurm was seen to have ended it for good."""
        job_id = self.record.job_id
        if job_id is None:
            return None
        now = self.job
        if now is not None and now.life not in {Life.ENDED, Life.UNKNOWN}:
            return None
        seen = self.state.watcher.seen_ended(job_id)
        if seen is not None:
            return seen
        missing = self.state.watcher.missing_since(job_id)
        if missing is not None and time.monotonic() - missing > _MISSING_PATIENCE:
            return Job(id=job_id, user=self.record.account, state="UNKNOWN")
        return None

    @property
    def url(self) -> str:
        """Where its server answered last, with its path; empty before it did."""
        return f"{self.record.url}{self.base_path}" if self.record.url else ""

    @property
    def moved(self) -> bool:
        """Whether Slurm has put the job back into the queue, or runs it anew, since its server answered."""
        job = self.job
        if job is None or job.life is Life.ENDED:
            return False
        return job.life is Life.QUEUED or job.restarts > self.record.restarts

    def seen_end(self) -> Job | None:
        """As `ended_job`, also for a session of which Slurm never heard."""
        if self.submission is not None and not self.submission.done():
            return None
        if self.record.job_id is None:
            return Job(id=0, user=self.record.account, state="CANCELLED")
        return self.ended_job()

    async def proves_again(self) -> bool:
        """Whether the server that answered before the hub was restarted is still there, and ours."""
        if self.moved or not self.url:
            return False
        try:
            await challenge.verify(self.url, self.record.key, timeout=5)
        except (NotOurServer, OSError, NoAnswer):
            return False
        self.unproved = False
        return True

    def interrupt(self) -> None:
        """Leave it to the keeper, which takes it up as if its start had been cut off."""
        self.interrupted, self.unproved = True, False
        self.update(phase="waiting")

    # -- what the job says -----------------------------------------------------------------

    async def receive(self, report: Report) -> None:
        """Take the job's word for its port, and Slurm's for where and which run of it this is.

        Raises:
            Stale: it is of a job or a run that this session has left behind.
            NotYet, SlurmUnanswered: it cannot be matched now; the job tries again.
        """
        if self.interrupted:
            raise NotYet("The hub has just been restarted; please try again.")
        if self.submission is not None and not self.submission.done():
            await asyncio.wait({self.submission}, timeout=10)
        if self.record.job_id is None and not self.over and report.nonce == self.record.nonce:
            raise NotYet("Slurm has not told the number of this job yet; please try again.")
        if self.over or report.nonce != self.record.nonce or report.job_id != self.record.job_id:
            raise Stale("This job is not this session's job any more.")
        job = self.job
        if job is None or job.life is not Life.RUNNING or job.restarts != report.restarts:
            job = (await self.state.watcher.refresh()).jobs.get(report.job_id)
        if job is None or job.life in {Life.QUEUED, Life.UNKNOWN} or job.restarts < report.restarts:
            raise NotYet("Slurm does not show this job as running yet; please try again.")
        if job.user != self.record.account or job.restarts > report.restarts or job.life is Life.ENDED:
            raise Stale("This run of the job is over.")
        if self.record.phase == "ready" and report.restarts == self.record.restarts:
            return  # told again: its server has been proved, and what is said now changes nothing
        self.update(heard=report, address=await self._address_of(job))
        self.log.info(
            "reported",
            job=job.id,
            node=job.nodes[0],
            port=report.port,
            restarts=report.restarts,
            environment=self.record.environment,
            digest=report.digest,
        )
        self.tell()

    async def _address_of(self, job: Job) -> str:
        snapshot = self.state.watcher.snapshot
        for _ in range(2):
            node = snapshot.nodes.get(job.nodes[0]) if snapshot and job.nodes else None
            if node is not None:
                return node.address
            snapshot = await self.state.watcher.refresh()
        raise NotYet("Slurm has not told the address of this job's node yet; please try again.")

    # -- acting on the job -----------------------------------------------------------------

    async def cancel(self) -> bool:
        """End the job; whether Slurm has heard it. If not, the keeper ends it: it has no owner then."""
        self.end()
        if self.submission is not None and not self.submission.done():
            await asyncio.wait({self.submission})
        self.log.info("cancelled", job=self.record.job_id)
        if self.record.job_id is None:
            return False
        try:
            await self.state.actor.cancel(self.record.account, self.record.job_id)
        except (SlurmUnanswered, Refused, ActingFailed):
            return False
        return True

    async def until_ended(self, seconds: float) -> None:
        """Wait until the queue shows the end of the job, at most `seconds`."""
        deadline = time.monotonic() + seconds
        with self.state.watcher.attention():
            while time.monotonic() < deadline:
                job = self.job
                if self.record.job_id is None or self.ended_job() or (job and job.life is Life.ENDING):
                    return
                try:
                    await self.state.watcher.refresh()
                except SlurmUnanswered:
                    return
                await asyncio.sleep(0.2)

    async def extend(self) -> float:
        """Lengthen the job by the site's step; its new end in seconds since the epoch.

        Raises:
            Refused: the site or Slurm does not allow it.
            SlurmUnanswered: the end is as it was.
        """
        hours, job = self.state.site.hours, self.job
        if not hours.extend_by or not hours.extend_as:
            raise Refused("This site does not lengthen sessions.")
        if job is None or job.life is not Life.RUNNING or job.start is None or job.end is None:
            raise SlurmUnanswered("The session does not run at the moment, so it cannot be lengthened.")
        picked = next((s for s in self.state.site.slice if s.id == self.record.slice), None)
        longest = self.state.site.max_hours(picked) if picked else hours.max
        now_minutes = (job.end - job.start) / 60
        minutes = round(min(now_minutes + hours.extend_by * 60, longest * 60))
        if minutes <= now_minutes:
            raise Refused(f"A session on this slice may last {longest:g} hours at most.")
        await self.state.actor.extend(hours.extend_as, job.id, minutes)
        self.log.info("extended", job=job.id, minutes=minutes)
        await self.state.watcher.refresh()
        return job.start + minutes * 60

    async def log_tail(self) -> tuple[str, ...]:
        """The last lines of the job's output."""
        return await self.state.actor.log_tail(self.record.account, self.record.nonce)

    async def forget(self) -> None:
        """Remove the session's secrets from its owner's home; worthless by now, but secrets."""
        try:
            await self.state.actor.forget(self.record.account, self.record.nonce)
        except (ActingFailed, SlurmUnanswered):
            return
