"""Keeps `status.json` of a cluster, without writing more often than there is news."""

import asyncio
from contextlib import suppress

from skiva.dask.place import ClusterDir
from skiva.dask.status import Status
from skiva.runs.files import write_whole

__all__ = ["StatusFile"]

_TELL_EVERY = 2.0
"""Seconds after which it is written though only numbers of tasks and bytes have changed."""


class StatusFile:
    """Its only writer."""

    def __init__(self, place: ClusterDir) -> None:
        self._place = place
        self._told: Status | None = None

    async def tell(self, status: Status) -> None:
        """Write it, if there is news, in a thread: the disk may be slow."""
        if self._told is None or _is_news(status, self._told):
            self._told = status
            await asyncio.to_thread(self.write, status)

    def write(self, status: Status) -> None:
        """Write it in any case; a disk that is full keeps the one before."""
        with suppress(OSError):
            write_whole(self._place.status, status.model_dump_json().encode(), sync=False)


def _is_news(status: Status, told: Status) -> bool:
    changing = {"at": told.at, "memory": told.memory, "tasks": told.tasks}
    return status.at - told.at >= _TELL_EVERY or status.model_copy(update=changing) != told
