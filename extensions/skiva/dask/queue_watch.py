"""What Slurm says of the workers' jobs: told by the session's server, or asked for rarely."""

import asyncio
import os
import time

from skiva.dask.spec import ClusterSpec
from skiva.runs.queue import Queue, Reading, from_jobs
from skiva.runs.slurm import Slurm
from skiva_slurm.errors import SlurmUnanswered

__all__ = ["QueueWatch"]

_BUSY, _QUIET = 5.0, 60.0
"""Seconds between two questions to Slurm: while workers are awaited, and otherwise."""


class QueueWatch:
    """The newest reading; where nobody tells, Slurm is asked in the background, never twice at once."""

    def __init__(self, spec: ClusterSpec) -> None:
        self._told = Queue()
        self._slurm = Slurm(spec)
        self._own: Reading | None = None
        self._asking: asyncio.Task[None] | None = None
        # A job that has just been asked for is not worth a question yet.
        self._asked = time.monotonic()

    def known(self) -> Reading | None:
        """What is known now, without asking."""
        return self._told.told() or self._own

    def newest(self, *, busy: bool) -> Reading | None:
        """What is known now; asks Slurm for the next time, where that is due."""
        told = self._told.told()
        if told is not None:
            return told
        idle = self._asking is None or self._asking.done()
        if idle and time.monotonic() - self._asked >= (_BUSY if busy else _QUIET):
            self._asked = time.monotonic()
            self._asking = asyncio.ensure_future(self._ask())
        return self._own

    async def _ask(self) -> None:
        taken = time.time()
        try:
            mine = await self._slurm.mine()
        except SlurmUnanswered as silence:
            old = self._own or Reading(0.0)
            self._own = Reading(old.taken, old.jobs, str(silence))
        else:
            self._own = from_jobs(mine, os.environ.get("USER", ""), taken)
