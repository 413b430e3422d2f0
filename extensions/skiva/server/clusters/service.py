"""What the clusters' handlers need: the disk in threads, and schedulers, none of which others wait for."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from skiva.server.problems import Problem
from skiva.server.runs.queue import QueueFacts
from skiva.server.turns import Turns

if TYPE_CHECKING:
    from skiva.dask.ask import Way
    from skiva.dask.status import Status

    from .index import Index, Seen

__all__ = ["ClustersService"]

_Answer = TypeVar("_Answer")
_GLANCE = 1.0
"""Seconds that a look at a cluster waits for its scheduler, which may be busy or gone."""

_BUSY = "The notebook that it lives in may be busy: try again in a minute, or restart its kernel."


class ClustersService:
    """The Dask clusters of the person whose server this is."""

    def __init__(self, queue: QueueFacts, root: Path | None = None) -> None:
        self._queue = queue
        self._root = root
        self._index: Index | None = None
        self._turns = Turns("clusters")
        self._asked: dict[str, asyncio.Task[Status | None]] = {}
        self._silent: set[str] = set()
        """Those that did not answer the last time: nobody waits for them until they do."""

    # -- the disk --------------------------------------------------------------------------

    @property
    def root(self) -> Path:
        """The directory of clusters. In a thread. Raises Problem where others could put some there."""
        if self._root is None:
            from skiva.dask.listing import here
            from skiva.runs.paths import NotYours

            try:
                root = here()
            except NotYours as problem:
                raise Problem(409, f"{str(problem).rstrip('.')}.") from None
            # One that is not there yet may still be made by somebody else.
            self._root = root if root.exists() else None
            return root
        return self._root

    async def look(self, work: Callable[["Index"], _Answer]) -> _Answer:
        """Read something. Raises Problem."""
        return await self._turns.look(lambda: work(self._indexed()))

    async def apart(self, work: Callable[[Path], _Answer]) -> _Answer:
        """Do what may take long. Raises Problem."""
        return await self._turns.apart(lambda: work(self.root))

    def _indexed(self) -> "Index":
        from .index import Index

        root = self.root
        if self._index is None or self._index.root != root:
            self._index = Index(root)
        return self._index

    # -- the schedulers --------------------------------------------------------------------

    async def all(self) -> list["Status"]:
        """The living ones and the last that have ended, newest first. Raises Problem."""
        found = await self.look(lambda index: index.all(self._queue.reading()))
        self._silent &= {one.status.id for one in found}
        return await asyncio.gather(*(self._now(one) for one in found))

    async def one(self, cluster: str) -> "Status":
        """One of them. Raises Problem."""
        return await self._now(await self.look(lambda index: index.one(cluster, self._queue.reading())))

    async def _now(self, seen: "Seen") -> "Status":
        """As the scheduler tells it, or else the disk."""
        known = seen.status
        if seen.way is None:
            return known
        asking = self._asked.get(known.id)
        if asking is None:
            asking = self._asked[known.id] = asyncio.create_task(self._ask(known, seen.way))
        if known.id in self._silent:
            return known
        return await asyncio.shield(asking) or known

    async def _ask(self, known: "Status", way: "Way") -> "Status | None":
        from skiva.dask.ask import NoAnswer, NotDone, ask_by

        try:
            told = _status(await ask_by(way, "GET", "status", patience=_GLANCE), known)
        except (NoAnswer, NotDone):
            told = None
        finally:
            del self._asked[known.id]
        if told is None:
            self._silent.add(known.id)
        else:
            self._silent.discard(known.id)
        return told

    async def order(self, cluster: str, what: str, body: dict[str, Any]) -> "Status":
        """Let a cluster's scheduler do something, and tell how the cluster is then. Raises Problem."""
        from skiva.dask.ask import NoAnswer, NotDone, ask_by

        seen = await self.look(lambda index: index.one(cluster, self._queue.reading()))
        try:
            told = await ask_by(_way(seen), "POST", what, body)
        except NotDone as refused:
            raise Problem(400, _sentence(refused)) from None
        except NoAnswer as silence:
            raise Problem(503, _sentence(silence)) from None
        return _status(told, seen.status) or seen.status

    async def close(self, cluster: str) -> "Status":
        """End one. Raises Problem."""
        seen = await self.look(lambda index: index.one(cluster, self._queue.reading()))
        if seen.status.state == "closed":
            return seen.status
        try:
            return await self.order(cluster, "close", {})
        except Problem as silence:
            if silence.status == 400:
                raise
            # In a notebook that is busy, what asks Slurm for workers lives on, and would ask again.
            if seen.status.living and not seen.status.detached:
                raise Problem(503, f"{silence} {_BUSY}") from None
        await self._end(cluster)
        return await self.one(cluster)

    async def _end(self, cluster: str) -> None:
        from .actions import end

        await self.apart(lambda root: end(root, cluster))

    async def delete(self, cluster: str) -> None:
        """Take one that has ended off the disk. Raises Problem."""
        from .actions import remove

        status = await self.one(cluster)
        if status.living:
            raise Problem(409, f"The cluster {status.name} has not ended; close it first.")
        if status.state == "lost":
            await self._end(cluster)
        await self.apart(lambda root: remove(root, cluster))

    async def way(self, cluster: str) -> "Way":
        """The way to a cluster's own pages. Raises Problem."""
        return _way(await self.look(lambda index: index.one(cluster, self._queue.reading())))


def _way(seen: "Seen") -> "Way":
    if seen.way is not None:
        return seen.way
    name = seen.status.name
    if seen.status.living:
        raise Problem(503, f"The scheduler of the cluster {name} has not started yet.")
    raise Problem(409, f"The cluster {name} has ended.")


def _status(told: dict[str, Any], known: "Status") -> "Status | None":
    """What a scheduler says; None where it is nothing of this cluster's."""
    from skiva.dask.status import Status

    try:
        status = Status.model_validate({**known.model_dump(mode="json"), **told})
    except ValueError:
        return None
    return status if status.id == known.id else None


def _sentence(problem: Exception) -> str:
    text = " ".join(str(problem).split())[:1000]
    return text if text.endswith((".", "!", "?")) else f"{text}."
