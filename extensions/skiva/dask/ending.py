"""Ends a cluster from outside, by what its directory and Slurm say: nothing of it needs to live for that."""

import asyncio
import time
from contextlib import suppress

from skiva.dask.place import ClusterDir
from skiva.runs.files import write_json
from skiva.runs.slurm import Site, Slurm
from skiva_slurm.errors import Refused, SlurmUnanswered
from skiva_slurm.jobs import Job
from skiva_slurm.states import Life
from skiva_slurm.tags import ClusterTag

__all__ = ["cancel_all", "cancel_twice", "forget_keys", "note_closed"]

_OVER = {Life.ENDED, Life.ENDING}
_PATIENCE = 600.0
"""Seconds for which a Slurm that does not answer is asked again and again."""
_PAUSE, _LATE = 1.0, 2.0
"""Seconds between two tries, and after which a submission that was under way has come to Slurm's queue."""


async def cancel_all(place: ClusterDir, site: Site, *, sparing: int = 0, patience: float = _PATIENCE) -> None:
    """End every job of a cluster but the one numbered `sparing`; running and waiting alike.

    Raises:
        SlurmUnanswered: it has not answered for `patience` seconds.
        Refused: it said no.
    """
    slurm, end = Slurm(site), time.monotonic() + patience
    while True:
        try:
            await _cancel(slurm, place.id, sparing)
            return
        except SlurmUnanswered:
            if time.monotonic() >= end:
                raise
            await asyncio.sleep(_PAUSE)


async def cancel_twice(place: ClusterDir, site: Site, *, sparing: int = 0) -> None:
    """The same for a cluster whose process was killed: a submission of its may reach Slurm a moment later."""
    with suppress(Refused):
        await cancel_all(place, site, sparing=sparing)
        await asyncio.sleep(_LATE)
        await cancel_all(place, site, sparing=sparing)


async def _cancel(slurm: Slurm, cluster: str, sparing: int) -> None:
    living = [job for job in await slurm.mine() if job.life not in _OVER and job.id != sparing]
    arrays = {_array(job) for job in living if _belongs(job, cluster)}
    await slurm.cancel_many(sorted(arrays))


def _belongs(job: Job, cluster: str) -> bool:
    tag = ClusterTag.parse(job.tag)
    return tag is not None and tag.cluster == cluster


def _array(job: Job) -> str:
    return str(job.array.job_id if job.array else job.id)


def note_closed(place: ClusterDir, why: str) -> bool:
    """Write down that the cluster has ended, unless somebody has; whether it was this call."""
    if place.closed.exists():
        return False
    with suppress(OSError):
        write_json(place.closed, {"at": time.time(), "why": why})
    return True


def forget_keys(place: ClusterDir) -> None:
    """Remove them, so that nothing can connect any more, and the workers' variables, which may be secret."""
    for path in (place.key, place.certificate, place.env):
        with suppress(OSError):
            path.unlink()
