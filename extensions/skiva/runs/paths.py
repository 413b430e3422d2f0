"""Where runs and their parts are."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from skiva.runs.ids import is_run_id

__all__ = ["NotYours", "RunDir", "own_place", "runs_dir"]


class NotYours(ValueError):
    """A directory in which others could put runs, whose results would be unpickled; says which and why."""


def runs_dir(environ: Mapping[str, str] | None = None, site: str = "") -> Path:
    """The directory of this person's runs: `$SKIVA_RUNS`, what the site says, or `~/skiva-runs`."""
    known = os.environ if environ is None else environ
    said = known.get("SKIVA_RUNS") or site or "skiva-runs"
    return Path.home() / said.replace("{user}", known.get("USER", ""))


def own_place(root: Path) -> Path:
    """`root`, which is made where it is missing; only its owner can ever have written into it.

    Raises:
        NotYours: others could.
        OSError: it could not be made.
    """
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    state = root.stat()
    if state.st_uid != os.geteuid():
        raise NotYours(f"{root} belongs to somebody else, so your runs cannot be kept in it")
    if state.st_mode & 0o022:
        raise NotYours(f"{root} can be written to by others; run `chmod go-w {root}` to keep runs in it")
    return root


@dataclass(frozen=True, slots=True)
class RunDir:
    """One run's directory, or that of one task of a map. It only names files; each has one writer."""

    path: Path

    @classmethod
    def of(cls, root: Path, run: str) -> "RunDir":
        """The directory of the run called `run`. Raises ValueError where that is no run's name."""
        if not is_run_id(run):
            raise ValueError(f"run: {run[:40]!r} is no run's id, such as 261122-k3f9ta2x")
        return cls(root / run)

    @property
    def id(self) -> str:
        """The run's name."""
        return self.path.name

    def task(self, number: int) -> "RunDir":
        """The directory of one task of a map."""
        return RunDir(self.path / "tasks" / str(number))

    def log(self, task: int | None = None) -> Path:
        """What the job printed, as Slurm wrote it."""
        return self.path / "log" if task is None else self.path / "tasks" / f"{task}.log"

    # Written before Slurm is asked.
    @property
    def spec(self) -> Path:
        return self.path / "spec.json"

    @property
    def env(self) -> Path:
        """The variables of its environment; may hold secrets that its owner named."""
        return self.path / "env.json"

    @property
    def call(self) -> Path:
        """The function and its arguments, or the cell and its variables, pickled."""
        return self.path / "call.pkl"

    @property
    def items(self) -> Path:
        """The items of a map: a pickled list of pickles."""
        return self.path / "items.pkl"

    @property
    def notebook(self) -> Path:
        """The notebook as it was when it was sent off."""
        return self.path / "input.ipynb"

    @property
    def variables(self) -> Path:
        """Variables that a notebook's rest or a cell starts with: pickled names and pickles."""
        return self.path / "variables.pkl"

    # Written by whoever submitted or cancelled.
    @property
    def submission(self) -> Path:
        """What Slurm was asked, and the job's number."""
        return self.path / "submission.json"

    @property
    def refused(self) -> Path:
        """Why Slurm did not take it."""
        return self.path / "refused.json"

    @property
    def cancel(self) -> Path:
        """Tells that its owner wanted it to end."""
        return self.path / "cancel.json"

    # Written by the job.
    @property
    def journal(self) -> Path:
        """Its states, a line each."""
        return self.path / "state.jsonl"

    @property
    def progress(self) -> Path:
        return self.path / "progress.json"

    @property
    def result(self) -> Path:
        return self.path / "result.pkl"

    @property
    def error(self) -> Path:
        """The exception that ended it."""
        return self.path / "error.json"

    @property
    def outcome(self) -> Path:
        """How the part that ran user code says that it ended, where its exit status does not tell all."""
        return self.path / "outcome.json"

    @property
    def output(self) -> Path:
        """The notebook with its outputs."""
        return self.path / "out.ipynb"

    @property
    def saved(self) -> Path:
        """The directory of checkpoints."""
        return self.path / "saved"

    # Written by whoever sees it first.
    @property
    def seen(self) -> Path:
        """The end as Slurm told it, where the job left no word."""
        return self.path / "seen.json"
