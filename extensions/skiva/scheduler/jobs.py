"""All runs that are jobs for jupyter-scheduler: those of notebooks. Reads files, asks Slurm: for threads."""

import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from jupyter_scheduler.models import DescribeJob

from skiva.runs.ids import is_run_id
from skiva.runs.listing import here, newest
from skiva.runs.look import read_spec
from skiva.runs.offer import find_offer
from skiva.runs.paths import RunDir
from skiva.runs.run import Run
from skiva.runs.slurm import Slurm, wait_for
from skiva.scheduler.card import Card, card_of
from skiva.scheduler.describe import add_files, describe
from skiva_slurm.errors import SlurmUnanswered
from skiva_slurm.states import Life
from skiva_slurm.tags import RunTag

__all__ = ["Jobs"]

_ENDS, _ASK_EVERY = 20.0, 0.5
"""Seconds in which a cancelled job leaves Slurm's queue, and between two looks at that."""


class Jobs:
    """The runs below one directory. What cannot change is read once."""

    def __init__(self, served: Path, root: Path | None = None) -> None:
        self._served = served
        self._root = root
        self._lock = threading.Lock()
        self._known: dict[str, tuple[Run, Card] | None] = {}

    @property
    def root(self) -> Path:
        """The directory of runs."""
        return self._root or here()

    def all(self) -> list[DescribeJob]:
        """Every job, the newest first, without files."""
        with self._lock:
            return [self._described(*entry) for entry in self._entries()]

    def one(self, job_id: str, *, files: bool = True) -> DescribeJob:
        """One job. Raises LookupError."""
        with self._lock:
            run, card = self._entry(job_id)
            found = self._described(run, card)
        return self.with_files(found) if files else found

    def with_files(self, job: DescribeJob) -> DescribeJob:
        """The same with its files."""
        return add_files(job, RunDir(self.root.resolve() / job.job_id), self._served)

    def run(self, job_id: str) -> Run:
        """The run behind a job. Raises LookupError."""
        with self._lock:
            return self._entry(job_id)[0]

    def stop(self, job_id: str) -> None:
        """End it, running or not. Raises LookupError, Refused or SlurmUnanswered."""
        self.run(job_id).cancel()

    def delete(self, job_id: str) -> None:
        """End it where it is not over, and put its directory aside, as the panel of runs does.

        Raises:
            LookupError: there is none.
            Refused: Slurm said no to ending it.
            SlurmUnanswered: it is not known whether the job is gone; nothing was deleted.
        """
        run = self.run(job_id)
        if not run.status.over:
            run.cancel()
            self._wait_until_gone(run)
        bin_ = run.directory.parent / ".trash"
        bin_.mkdir(mode=0o700, exist_ok=True)
        run.directory.rename(bin_ / run.id)
        with self._lock:
            self._known.pop(run.id, None)

    def _wait_until_gone(self, run: Run) -> None:
        slurm, end = Slurm(find_offer()), time.monotonic() + _ENDS
        while True:
            jobs = wait_for(slurm.tagged(RunTag(run.id).text))
            if all(job.life in {Life.ENDED, Life.UNKNOWN} for job in jobs):
                return
            if time.monotonic() > end:
                raise SlurmUnanswered("Its job is being cancelled and still ends; delete it in a moment")
            time.sleep(_ASK_EVERY)

    def _entries(self) -> Iterator[tuple[Run, Card]]:
        there = [place.id for place in newest(self.root)]
        for gone in self._known.keys() - set(there):
            del self._known[gone]
        for name in there:
            # One that cannot be read must not keep the others from being shown.
            with suppress(LookupError, ValueError):
                yield self._entry(name)

    def _entry(self, job_id: str) -> tuple[Run, Card]:
        if not is_run_id(job_id):
            raise LookupError(f"There is no job {job_id[:60]!r}.")
        if job_id not in self._known:
            self._known[job_id] = self._read(job_id)
        found = self._known[job_id]
        if found is None or not found[0].directory.is_dir():
            raise LookupError(f"There is no job {job_id}.")
        return found

    def _read(self, job_id: str) -> tuple[Run, Card] | None:
        place = RunDir(self.root / job_id)
        spec = read_spec(place)
        return (Run(place, spec), card_of(place.path, spec)) if spec.kind == "notebook" else None

    def _described(self, run: Run, card: Card) -> DescribeJob:
        status = run.status
        cancelling = not status.over and RunDir(run.directory).cancel.exists()
        return describe(run.spec, card, status, cancelling=cancelling)
