"""A cluster whose scheduler lives elsewhere, as a notebook holds it: by its directory alone."""

import asyncio
import sys
from contextlib import suppress
from itertools import count
from typing import TYPE_CHECKING, Any

from distributed.core import Status as DaskStatus
from distributed.core import rpc
from distributed.deploy.cluster import Cluster
from distributed.objects import SchedulerInfo

from skiva.dask.ask import NoAnswer, NotDone, ask
from skiva.dask.detached import submit
from skiva.dask.display import ShownCluster
from skiva.dask.ending import cancel_all, forget_keys, note_closed
from skiva.dask.look import look
from skiva.dask.place import ClusterDir
from skiva.dask.security import load
from skiva.dask.status import Status, read_status
from skiva.dask.waiting import NeverStarted, joined, until_it_listens, until_ready
from skiva.runs.queue import Queue
from skiva.runs.slurm import wait_for
from skiva.runs.wish import BadWish
from skiva_slurm.errors import SkivaSlurmError
from skiva_slurm.offer import Offer

if TYPE_CHECKING:
    from distributed import Security

__all__ = ["RemoteCluster"]

_SHORTEST = 0.1
"""Seconds between two looks for the end of what was closed."""
_PROMPT = 2.0
"""Seconds that a look at the workers may take; Dask itself would try for long."""
_SILENCE = 60.0
"""Seconds for which a scheduler that listens may leave the first call without an answer."""
_CLOSING = 40.0
"""Seconds within which a scheduler that was asked to end has ended; Slurm's patience is shorter."""
_CANCELLING = 30.0
_FOLLOWED, _REFRESHED = 0.5, 4
"""Seconds between two looks at a cluster that is followed; every so manyth asks its scheduler."""


class RemoteCluster(ShownCluster, Cluster):
    """A cluster that goes on without this kernel; use `skiva.cluster` to make or to find one.

    `close()` ends it. `disconnect()` only lets go of it, as do the end of the kernel and, for a cluster
    that was found by its name, the end of a `with` block.
    """

    status: DaskStatus

    def __init__(
        self,
        place: ClusterDir,
        *,
        offer: Offer | None = None,
        asynchronous: bool = False,
        loop: Any = None,
    ) -> None:
        """Connect to it; with an `offer` it is new, and its scheduler's job is handed to Slurm first.

        A new one of which the waiting is interrupted is ended.

        Raises:
            NotSubmitted: Slurm did not take the job.
            NeverStarted: the cluster has ended, or cannot start.
        """
        self.place = place
        self.slices = place.read_spec()
        self.security: Security | None = None
        self._offer = offer
        self._is_new = offer is not None
        self._queue = Queue()
        self._following: asyncio.Task[None] | None = None
        super().__init__(asynchronous=asynchronous, loop=loop, name=self.slices.name)
        if not self.called_from_running_loop:
            self._loop_runner.start()
            try:
                self.sync(self._start)
            except BaseException:
                # Also where somebody does not wait any longer: what nobody has seen is not wished for.
                self._loop_runner.stop()
                wait_for(self._abandon())
                raise

    # -- from its start to its end ---------------------------------------------------------

    def __await__(self) -> Any:
        async def start() -> "RemoteCluster":
            try:
                await self._start()
            except BaseException:
                await self._abandon()
                raise
            return self

        return start().__await__()

    async def _start(self) -> None:
        if self.status == DaskStatus.running:
            return
        if self._offer is not None:
            await submit(self.place, self.slices, self._offer)
            self._offer = None
        address = await until_it_listens(self.place, self._look, self._log)
        self.security = load(self.place)
        self.scheduler_comm = rpc(address, connection_args=self.security.get_connection_args("client"))
        try:
            async with asyncio.timeout(_SILENCE):
                await self._refresh()
        except (OSError, TimeoutError) as problem:
            await self.scheduler_comm.close_rpc()
            raise self._unreachable(problem) from None
        # Dask's own way to follow the workers has room for one follower, which is the cluster itself.
        self._following = asyncio.ensure_future(self._follow())
        self.status = DaskStatus.running

    async def _refresh(self) -> None:
        self.scheduler_info = SchedulerInfo(await self.scheduler_comm.identity())

    async def _follow(self) -> None:
        """Know the workers, and say in the notebook what goes wrong, until the cluster ends."""
        status = before = await asyncio.to_thread(read_status, self.place)
        for look_number in count(1):
            await asyncio.sleep(_FOLLOWED)
            status = await asyncio.to_thread(read_status, self.place)
            self._tell(before, status)
            before = status
            if status.state == "closed":
                # Its clients end with it, and do not try for long to reach it again.
                self.status = DaskStatus.closing
                return
            if status.living and look_number % _REFRESHED == 0:
                with suppress(OSError):
                    async with asyncio.timeout(_PROMPT):
                        await self._refresh()

    def _tell(self, before: Status, status: Status) -> None:
        for event in status.events:
            if event not in before.events and event.level != "info":
                _say(event.text, *(f"    {line}" for line in event.lines))
        if status.state != before.state and not status.living:
            _say(f"Cluster {self.name!r}: {joined(status.sentence, status.action)}")

    def _look(self) -> Status:
        return look(self.place, self._queue.reading())

    def _unreachable(self, problem: BaseException) -> NeverStarted:
        status = read_status(self.place)
        if not status.living:
            return NeverStarted(joined(status.sentence, status.action))
        return NeverStarted(f"Its scheduler does not answer ({problem!r}); try again.")

    async def _close(self) -> None:
        if self.status == DaskStatus.closed:
            return
        place = self.place
        # Clients that still hold on are not to try again.
        self.status = DaskStatus.closing
        if self._following is not None:
            self._following.cancel()
        try:
            if not place.closed.exists():
                await ask(place, "POST", "close", {})
            await self._wait_for_end()
        except (NoAnswer, NotDone, TimeoutError):
            if not self.slices.detached and not place.closed.exists() and read_status(place).living:
                # Its scheduler lives in a kernel that is busy, and would go on asking for workers.
                self.status = DaskStatus.running
                raise NoAnswer("The kernel with its scheduler is busy; close the cluster there.") from None
            await self._end_from_outside()
        await self._disconnect()

    async def _wait_for_end(self) -> None:
        """Until its keys are gone, which is the last that it does. Raises TimeoutError."""
        async with asyncio.timeout(_CLOSING):
            while self.place.key.exists():  # noqa: ASYNC110 - a file tells it
                await asyncio.sleep(_SHORTEST)

    async def _abandon(self) -> None:
        self.status = DaskStatus.closed
        if self._is_new and not self.place.closed.exists():
            await self._end_from_outside()

    async def _end_from_outside(self) -> None:
        note_closed(self.place, "It was closed.")
        try:
            await cancel_all(self.place, self.slices, patience=_CANCELLING)
        except SkivaSlurmError as problem:
            self._log(f"Some of its jobs could not be ended: {problem}")
        forget_keys(self.place)

    async def _disconnect(self) -> None:
        if self._following is not None:
            self._following.cancel()
            await asyncio.wait({self._following})
        await super()._close()

    def close(self, timeout: float | None = None) -> Any:
        """End the cluster.

        Raises:
            NoAnswer: its scheduler lives in a kernel that does not answer now.
        """
        done = super().close(timeout)
        if not self.asynchronous:
            self._loop_runner.stop()
        return done

    def disconnect(self) -> Any:
        """Let go of the cluster, which goes on."""
        done = self.sync(self._disconnect)
        if not self.asynchronous:
            self._loop_runner.stop()
        return done

    def __exit__(self, *ended: object) -> None:
        if self._is_new:
            self.close()
        else:
            self.disconnect()

    async def __aexit__(self, *ended: object) -> None:
        await (self._close() if self._is_new else self._disconnect())

    def __del__(self, _warn: Any = None) -> None:
        """Say nothing: that a handle goes is no loss."""

    # -- how it is, and how many workers ---------------------------------------------------

    @property
    def info(self) -> Status:
        """How it is now."""
        return self._look()

    def scale(self, n: int | None = None, jobs: int = 0) -> Any:
        """Have `n` workers, or those of so many jobs.

        Raises:
            BadWish: more than the site lets one person have.
        """
        return self._do("scale", {"workers": max(n or 0, jobs * self.slices.processes)})

    def adapt(self, *, minimum: int = 0, maximum: int | None = None) -> Any:
        """Have between `minimum` and `maximum` workers as the work demands; by default as many as allowed.

        Raises:
            BadWish: the site does not let one person have so many.
        """
        bounds = {"minimum": minimum} | ({} if maximum is None else {"maximum": maximum})
        return self._do("adapt", bounds)

    def _do(self, what: str, body: dict[str, int]) -> Any:
        if self.asynchronous:
            return asyncio.ensure_future(self._ask(what, body))
        return self.sync(self._ask, what, body)

    async def _ask(self, what: str, body: dict[str, int]) -> None:
        try:
            await ask(self.place, "POST", what, body)
        except NotDone as problem:
            raise BadWish(str(problem)) from None

    @property
    def plan(self) -> set[str]:
        """The workers that are there; which others there are to be, its own scheduler knows."""
        return set(self.observed)

    @property
    def requested(self) -> set[str]:
        """The same."""
        return set(self.observed)

    def _scaling_status(self) -> str:
        return ""

    async def _wait_for_workers(self, n_workers: int = 0, timeout: Any = None) -> None:
        waiting = super()._wait_for_workers(n_workers, timeout)
        await until_ready(waiting, lambda: read_status(self.place))


def _say(*lines: str) -> None:
    print(*lines, sep="\n", file=sys.stderr, flush=True)  # noqa: T201 - for the person at the notebook
