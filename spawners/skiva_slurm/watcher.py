"""The one reader of the queue: reads Slurm again and again, for everybody.

One loop does all reading, so two queries never run at once and whoever needs a fresh answer shares the
next reading. A reading that fails changes nothing but `trouble`: jobs leave the picture only by being seen
to have ended, or by being absent from several good readings.

The cost for slurmctld, at two requests for the jobs and two for the nodes (see `SlurmReader`): 12 requests
a minute when idle (jobs every 15 s, nodes every 30 s); 48 while somebody looks at what is free; while
somebody waits 120 for the jobs and 24 for the nodes; with `refresh` called as often as anybody likes never
more than 180. Where slices name reservations, each reading of the nodes costs one more.
"""

import asyncio
import logging
import math
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from skiva_slurm.errors import SlurmUnanswered
from skiva_slurm.jobs import Job, Snapshot
from skiva_slurm.memory import Memory
from skiva_slurm.pace import Pace
from skiva_slurm.reader import Reader
from skiva_slurm.rights import Rules

__all__ = ["Watcher"]

_log = logging.getLogger(__name__)
_Listener = Callable[[Snapshot], None]


class Watcher:
    """Keeps the latest good `Snapshot` of Slurm and tells who waits for the next.

    Args:
        reader: where readings come from.
        idle_interval: seconds between two readings when nobody waits; every second one has the nodes.
        busy_interval: seconds between two readings of the jobs while somebody pays attention.
        stuck_after: seconds after which a reading that neither ends nor fails is given up.
        clock: seconds on a clock that never jumps.
    """

    def __init__(
        self,
        reader: Reader,
        *,
        idle_interval: float = 15.0,
        busy_interval: float = 1.0,
        stuck_after: float = 60.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.snapshot: Snapshot | None = None
        """The last good reading."""
        self.reserved: frozenset[str] = frozenset()
        """The reservations that are to be read, beside the nodes; without any none is."""
        self.readings = 0
        """How many readings were good."""
        self.failures = 0
        """How many were not."""
        self.restarts = 0
        """How often the loop was stuck or died and was started again."""
        self.last_seconds = 0.0
        """How long the last good reading took."""
        self._reader = reader
        self._clock = clock
        self._stuck_after = stuck_after
        self._pace = Pace(idle_interval, busy_interval, clock, random.uniform)
        self._memory = Memory(clock)
        self._good_at = -math.inf
        self._error = ""
        self._reading_since: float | None = None
        self._wake = asyncio.Event()
        self._fresh = asyncio.Event()
        self._next: asyncio.Future[Snapshot] | None = None
        self._current: asyncio.Future[Snapshot] | None = None
        self._listeners: list[_Listener] = []
        self._loop: asyncio.Task[None] | None = None
        self._watchdog: asyncio.Task[None] | None = None

    @property
    def age(self) -> float:
        """Seconds since the last good reading; infinite before the first."""
        return self._clock() - self._good_at

    @property
    def trouble(self) -> str:
        """What is wrong with reading Slurm, as a sentence; empty while all is well."""
        if not self._error and self.snapshot and self.age > self._pace.idle_interval + self._stuck_after:
            return f"The queue has not been read for {self.age:.0f} seconds."
        return self._error

    def start(self) -> None:
        """Begin to read, in the running event loop. Calling it again changes nothing."""
        if self._watchdog is None:
            self._loop = asyncio.create_task(self._read_forever(), name="slurm-watcher")
            self._watchdog = asyncio.create_task(self._guard(), name="slurm-watchdog")

    async def stop(self) -> None:
        """End reading, with any command that runs for it; whoever waits gets SlurmUnanswered."""
        tasks = [task for task in (self._watchdog, self._loop) if task]
        self._watchdog = self._loop = None
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._give_up("The watcher of the queue has been stopped.")
        waiting, self._next = self._next, None
        if waiting and not waiting.done():
            waiting.set_exception(SlurmUnanswered("The watcher of the queue has been stopped."))

    async def loaded(self, timeout: float) -> bool:
        """Whether there has been a good reading, waiting for the first at most `timeout` seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(timeout):
                await self.changed(None)
        return self.snapshot is not None

    async def changed(self, after: Snapshot | None) -> Snapshot:
        """The next good reading that is not `after`, at once where there is one already."""
        while self.snapshot is None or self.snapshot is after:
            await self._fresh.wait()
        return self.snapshot

    async def refresh(self) -> Snapshot:
        """A reading that starts after this call; all who wait meanwhile share one.

        Raises:
            SlurmUnanswered: that reading failed.
            RuntimeError: the watcher was never started, or has been stopped.
        """
        if self._watchdog is None:
            raise RuntimeError("start the watcher before asking it to read")
        if self._next is None:
            self._next = asyncio.get_running_loop().create_future()
            # Nobody may be left to hear of a failure.
            self._next.add_done_callback(lambda done: done.cancelled() or done.exception())
            self._wake.set()
        return await asyncio.shield(self._next)

    @contextmanager
    def attention(self) -> Iterator[None]:
        """While any of these is open, the queue is read at the busy interval."""
        self._pace.attention += 1
        self._wake.set()
        try:
            yield
        finally:
            self._pace.attention -= 1

    def look(self) -> None:
        """Have jobs and nodes read more often for a while, because somebody looks at what is free."""
        self._pace.looked()
        self._wake.set()

    async def look_closely(self, patience: float) -> None:
        """As `look`, waiting at most `patience` seconds where the last reading is too old to be shown."""
        self.look()
        if self._watchdog is not None and self._pace.nodes_are_old:
            with suppress(SlurmUnanswered, TimeoutError):
                async with asyncio.timeout(patience):
                    await self.refresh()

    async def rules(self) -> Rules:
        """What Slurm checks before it takes a job, asked at once. Raises SlurmUnanswered."""
        return await self._reader.rules()

    def seen_ended(self, job_id: int) -> Job | None:
        """The job as it was when it was last seen to have ended, for at least an hour after that.

        A job that Slurm requeued after its end is no longer ended.
        """
        return self._memory.ended(job_id)

    def due(self, job_id: int) -> float | None:
        """When the time limit of a job with a mark of ours was to end it, as it was last seen alive."""
        return self._memory.due(job_id)

    def reserved_until(self, name: str) -> tuple[float, ...]:
        """The last ends that a reservation was seen to have, also of one that is not there any more."""
        return self._memory.reserved_until(name)

    @property
    def ended_and_gone(self) -> tuple[Job, ...]:
        """The jobs with a mark of ours that ended within the last hour and that Slurm has forgotten since."""
        return self._memory.ended_and_gone()

    def missing_since(self, job_id: int) -> float | None:
        """Since when, on the watcher's clock, at least two good readings in a row lack this job.

        For a job that was never seen, readings count from the first call on, if they started after it. It
        may be a moment's absence only: whoever gives a job up for it waits for more than one interval.
        """
        return self._memory.missing_since(job_id)

    def on_snapshot(self, callback: _Listener) -> Callable[[], None]:
        """Call `callback` with each good reading, soon after it; returns what ends that."""
        self._listeners.append(callback)
        return lambda: self._listeners.remove(callback)

    async def _read_forever(self) -> None:
        while True:
            await self._until_due()
            self._current, self._next = self._next, None
            self._reading_since = self._clock()
            try:
                await self._read()
            except SlurmUnanswered as error:
                self._fail(error)
            except Exception as error:  # noqa: BLE001 - our own mistakes must not end the watch
                _log.exception("reading Slurm failed in an unforeseen way")
                self._fail(SlurmUnanswered(f"Slurm could not be read: {type(error).__name__}"))
            finally:
                self._reading_since = None

    async def _until_due(self) -> None:
        while (wait := self._pace.seconds_until_due(asked=self._next is not None)) > 0:
            self._wake.clear()
            with suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._wake.wait()

    async def _read(self) -> None:
        started = self._clock()
        with_nodes = self._pace.begin(asked=self._current is not None)
        nodes = self.snapshot.nodes if self.snapshot else {}
        if with_nodes:
            nodes = await self._reader.nodes()
            self._pace.nodes_read()
        jobs = await self._reader.jobs()
        reservations = self.snapshot.reservations if self.snapshot else {}
        if with_nodes and self.reserved:
            # Silence is no absence, and no reason to know less of the jobs.
            with suppress(SlurmUnanswered):
                reservations = await self._reader.reservations(self.reserved)
        self._publish(Snapshot.of(time.time(), jobs, nodes, reservations), started)

    def _publish(self, snapshot: Snapshot, started: float) -> None:
        self.snapshot = snapshot
        self._good_at = self._clock()
        self.last_seconds = self._good_at - started
        self.readings += 1
        self._error = ""
        self._pace.succeeded()
        self._memory.learn(snapshot, started)
        done, self._current = self._current, None
        if done and not done.done():
            done.set_result(snapshot)
        fresh, self._fresh = self._fresh, asyncio.Event()
        fresh.set()
        for listener in tuple(self._listeners):
            try:
                listener(snapshot)
            except Exception:  # noqa: BLE001 - nor may a listener's
                _log.exception("a listener of the queue failed")

    def _fail(self, error: SlurmUnanswered) -> None:
        self.failures += 1
        self._error = _sentence(error)
        self._pace.failed()
        done, self._current = self._current, None
        if done and not done.done():
            done.set_exception(error)

    def _give_up(self, sentence: str) -> None:
        if self._reading_since is not None or self._current is not None:
            self._reading_since = None
            self._fail(SlurmUnanswered(sentence))

    async def _guard(self) -> None:
        """Start the loop again when it died or hangs in a reading."""
        while True:
            await asyncio.sleep(self._stuck_after / 4)
            since = self._reading_since
            is_stuck = since is not None and self._clock() - since > self._stuck_after
            if self._loop and (is_stuck or self._loop.done()):
                self.restarts += 1
                _log.error("the watcher of the queue was stuck and is started again")
                self._loop.cancel()
                await asyncio.wait({self._loop}, timeout=self._stuck_after / 4)
                self._give_up(f"a reading took more than {self._stuck_after:g} seconds")
                self._loop = asyncio.create_task(self._read_forever(), name="slurm-watcher")


def _sentence(error: SlurmUnanswered) -> str:
    text = str(error).rstrip(".")
    return f"{text}." if text.startswith(("Slurm ", "The ")) else f"Slurm is not answering: {text}."
