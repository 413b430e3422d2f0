"""Jobs of a cluster that Slurm has and the cluster does not know."""

from collections.abc import Callable

from skiva.dask.observing import rows_by_task
from skiva.dask.worker_jobs import name_of
from skiva.runs.queue import Reading
from skiva_slurm.states import Life

__all__ = ["Strays"]

_SURE, _AGAIN = 10.0, 20.0
"""Seconds for which a job must be unknown before it is ended, and between two tries."""
_SHOWS = 120.0
"""Seconds within which Slurm shows the jobs of a request that it took in, though it did not answer."""


class Strays:
    """They come of requests that seemed to fail: a submission that was taken, a cancellation that was not."""

    def __init__(self, cluster: str) -> None:
        self._cluster = cluster
        self._due: dict[str, float] = {}
        self._doubt = 0.0

    def suspect(self, now: float) -> None:
        """A submission went without an answer: its jobs may show for some time."""
        self._doubt = now + _SHOWS

    def expected(self, now: float) -> bool:
        """Whether there may be some, so that the queue is to be looked at often."""
        return bool(self._due) or now < self._doubt

    def due(
        self, reading: Reading | None, known: set[str], is_open: Callable[[int], bool], now: float
    ) -> list[str]:
        """The jobs to end now, as Slurm numbers them.

        Args:
            known: names of the jobs that the cluster has.
            is_open: whether a submission, by its number, still waits for Slurm's answer.
            now: seconds since the epoch.
        """
        seen = {
            name_of(self._cluster, batch, task): f"{row.array_job_id or row.job_id}_{task}"
            for (batch, task), row in rows_by_task(self._cluster, reading).items()
            if batch and task >= 0 and row.life in {Life.QUEUED, Life.RUNNING} and not is_open(batch)
        }
        seen = {name: number for name, number in seen.items() if name not in known}
        self._due = {name: self._due.get(name, now + _SURE) for name in seen}
        # Only a reading that is younger than the wait tells that it is there still.
        ready = [
            name for name, due in self._due.items() if now >= due and reading and reading.taken >= due - _SURE
        ]
        self._due |= dict.fromkeys(ready, now + _AGAIN)
        return [seen[name] for name in ready]
