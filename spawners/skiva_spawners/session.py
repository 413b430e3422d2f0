"""One session: a record in the database, a job in Slurm, and what joins them."""

import asyncio
from collections.abc import Callable, Iterable
from typing import Literal

from tornado.httpclient import HTTPError as NoAnswer

from skiva_hub.pages.reserved import reservation_of
from skiva_hub.site import Slice
from skiva_slurm.errors import Refused, SlurmUnanswered
from skiva_slurm.jobs import Job, Snapshot
from skiva_slurm.states import Life
from skiva_spawners import decisions
from skiva_spawners.errors import ActingFailed, NotOurServer
from skiva_spawners.failure import Failure, ended
from skiva_spawners.hub_state import HubState
from skiva_spawners.lifecycle import Event, State, after, restored
from skiva_spawners.log import session_log
from skiva_spawners.record import Record
from skiva_spawners.report import NotYet, Report, Stale
from skiva_spawners.request import tag_of


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
        self.step: Literal["", "proved", "answering"] = ""
        self.submission: asyncio.Task[None] | None = None
        self._gone = False
        """Whether Slurm told its owner that there is no such job."""
        self._keep = keep
        self._news = asyncio.Event()

    def update(self, **changes: object) -> None:
        """Change the record, in the database too."""
        self.record = self.record.but(**changes)
        self._keep()

    @property
    def phase(self) -> State:
        """Where it is in its life."""
        return self.record.phase

    def happened(self, event: Event, **changes: object) -> None:
        """Go on to the next state, with other changes of the record, in the database too."""
        self.update(phase=after(self.phase, event), **changes)

    def end(self) -> None:
        """Drop the record, in the database too: should the hub die now, no later one takes the session up."""
        self.give_up()
        self.happened(Event.ENDED)

    def give_up(self) -> None:
        """Let its job be cancelled whenever it turns up."""
        self.state.given_up.add(self.record.nonce)
        self.state.unseen.pop(self.record.nonce, None)

    def restored(self) -> None:
        """Called once for a record that comes from the database of a hub that was restarted."""
        self.record = self.record.but(phase=restored(self.phase))

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
        return decisions.present_report(self.record, self.job)

    # -- what Slurm says -------------------------------------------------------------------

    @property
    def job(self) -> Job | None:
        """The job as the last good reading shows it; a number that is another job's shows none."""
        snapshot = self.state.watcher.snapshot
        if snapshot is None or self.record.job_id is None:
            return None
        return decisions.own(snapshot.jobs.get(self.record.job_id), self.record, self.tag)

    @property
    def is_misnumbered(self) -> bool:
        """Whether the number of its job, which the helper told, is that of another one."""
        snapshot, job_id = self.state.watcher.snapshot, self.record.job_id
        shown = snapshot.jobs.get(job_id) if snapshot and job_id is not None else None
        return shown is not None and decisions.own(shown, self.record, self.tag) is None

    def tagged(self, snapshot: Snapshot | None) -> Job | None:
        """The job that carries this session's tag and really is its owner's."""
        return snapshot.tagged(self.tag.text, self.record.account) if snapshot else None

    def ended_job(self) -> Job | None:
        """The job, if Slurm was seen to have ended it for good."""
        job_id = self.record.job_id
        if job_id is None:
            return None
        if self._gone and self.is_unseen:
            return decisions.gone(self.record)
        return decisions.end_of(self.record, self.job, self.state.watcher.seen_ended(job_id))

    @property
    def is_unseen(self) -> bool:
        """Whether good readings have lacked its job for long, though it was not seen to end."""
        job_id, watcher = self.record.job_id, self.state.watcher
        if job_id is None or watcher.seen_ended(job_id) is not None:
            return False
        since = watcher.missing_since(job_id)
        return decisions.is_unseen(None if since is None else self.state.clock() - since)

    async def look_for(self) -> None:
        """Ask for a job that is out of sight: its server for a proof, then Slurm as its owner.

        Only where Slurm tells its owner, too, that there is no such job has it ended.
        """
        proof = await self._sign_of_life()
        if not self.is_unseen or self.phase is State.OVER:
            return
        if proof is None:
            return
        self._gone = not proof
        if not proof:
            self.state.unseen.pop(self.record.nonce, None)
            self.tell()
        elif self.record.nonce not in self.state.unseen:
            self.state.unseen[self.record.nonce] = proof
            self.log.warning("out of sight", job=self.record.job_id, proof=proof)

    async def _sign_of_life(self) -> str | None:
        """How it is known that it lives; empty where it does not, None where nothing can be known now."""
        if self.url and await self._proves():
            return "its server answers"
        try:
            state = await self.state.actor.shown(self.record.account, self.record.job_id or 0)
        except (SlurmUnanswered, ActingFailed):
            return None
        return f"Slurm shows it to its owner as {state}" if state else ""

    @property
    def url(self) -> str:
        """Where its server answered last, with its path; empty before it did."""
        return f"{self.record.url}{self.base_path}" if self.record.url else ""

    @property
    def moved(self) -> bool:
        """Whether Slurm has put the job back into the queue, or runs it anew, since its server answered."""
        return decisions.has_moved(self.record, self.job)

    @property
    def is_submitting(self) -> bool:
        """Whether Slurm is being asked for its job at this moment."""
        return self.submission is not None and not self.submission.done()

    def seen_end(self) -> Job | None:
        """As `ended_job`, also for a session of which Slurm never heard."""
        if self.is_submitting:
            return None
        if self.record.job_id is None:
            return Job(id=0, user=self.record.account, state="CANCELLED")
        return self.ended_job()

    async def proves_again(self) -> bool:
        """Whether the server that answered before the hub was restarted is still there, and ours."""
        if self.moved or not self.url or not await self._proves():
            return False
        self.happened(Event.PROVED)
        return True

    async def _proves(self) -> bool:
        try:
            await self.state.verify(self.url, self.record.certificate, 5)
        except (NotOurServer, OSError, NoAnswer):
            return False
        return True

    # -- what the job says -----------------------------------------------------------------

    async def receive(self, report: Report) -> None:
        """Take the job's word for its port, and Slurm's for where and which run of it this is.

        Raises:
            Stale: it is of a job or a run that this session has left behind.
            NotYet, SlurmUnanswered: it cannot be matched now; the job tries again.
        """
        if self.submission is not None:
            await asyncio.wait({self.submission}, timeout=10)
        decisions.check_addressee(report, self.record)
        shown = self.job
        if decisions.needs_reading(report, shown):
            await self.state.watcher.refresh()
            shown = self.job
        if self.is_misnumbered:
            raise Stale("This job is not this session's job.")
        job = decisions.check_run(report, self.record, shown)
        if decisions.is_told_again(report, self.record):
            return
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
        if self.submission is not None:
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
        deadline = self.state.clock() + seconds
        with self.state.watcher.attention():
            while self.state.clock() < deadline:
                job = self.job
                if self.record.job_id is None or self.ended_job() or (job and job.life is Life.ENDING):
                    return
                try:
                    await self.state.watcher.refresh()
                except SlurmUnanswered:
                    return
                await asyncio.sleep(0.2)

    async def until_gone(self, seconds: float) -> None:
        """Have the queue read often until it shows the job's end, which the keeper then sees too."""
        deadline = self.state.clock() + seconds
        with self.state.watcher.attention():
            while self.ended_job() is None and (left := deadline - self.state.clock()) > 0:
                await self.news(left)

    async def extend(self) -> float:
        """Lengthen the job by the site's step; its new end in seconds since the epoch.

        Raises:
            Refused: the site or Slurm does not allow it.
            SlurmUnanswered: the end is as it was.
            Stale: there is no session any more.
        """
        if self.phase is State.OVER:
            raise Stale("This session is over.")
        site, picked = self.state.site, self._slice
        longest = site.max_hours(picked) if picked else site.hours.max
        # The operator's account may set anybody's limit, so whose job it is must be true now.
        snapshot = await self.state.watcher.refresh()
        held = reservation_of(picked, snapshot) if picked else None
        until = held.end if held and not held.flexible else None
        wanted = decisions.longer(self.job, site.hours, longest, until=until)
        await self.state.actor.extend(wanted.operator, wanted.job_id, wanted.minutes)
        self.log.info("extended", job=wanted.job_id, minutes=wanted.minutes)
        await self.state.watcher.refresh()
        return wanted.end

    @property
    def _slice(self) -> Slice | None:
        """The slice that it is on, if the site still has it."""
        return next((s for s in self.state.site.slice if s.id == self.record.slice), None)

    def failure(self, job: Job, log: Iterable[str]) -> Failure:
        """Why it is over, from its job, which was seen to end."""
        watcher, picked = self.state.watcher, self._slice
        reserved = watcher.reserved_until(picked.reservation) if picked and picked.reservation else ()
        lived, text = bool(self.record.url), "\n".join(log)
        return ended(job, lived=lived, log=text, due=watcher.due(job.id), reserved_until=reserved)

    async def log_tail(self) -> tuple[str, ...]:
        """The last lines of the job's output."""
        return await self.state.actor.log_tail(self.record.account, self.record.nonce)

    async def forget(self) -> None:
        """Remove the session's secrets from its owner's home; worthless by now, but secrets."""
        try:
            await self.state.actor.forget(self.record.account, self.record.nonce)
        except (ActingFailed, SlurmUnanswered):
            return
