"""Code that goes on after a time limit or a preemption, from what it saved."""

import pickle
import time
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from skiva.runs.files import write_whole
from skiva.runs.this_run import this_run
from skiva.runs.travel import packed

__all__ = ["Checkpoint", "Warned", "checkpoint"]


class Warned(BaseException):
    """Ends a block whose state is saved and whose job is about to end; the run goes on in another one."""


class Checkpoint(MutableMapping[str, Any]):
    """What a run keeps across its jobs: a dictionary that is saved when you say so.

    Attributes:
        restored: whether this job found what an earlier one saved.
        path: a directory for files of your own, such as `torch.save(model, state.path / "model.pt")`.
    """

    def __init__(self, place: Path | None, every: float) -> None:
        self._file = place / "state.pkl" if place else None
        self._every = every
        self._saved = time.monotonic()
        self._values: dict[str, Any] = {}
        self.restored = False
        self.path = place or Path.cwd()
        # A job that was killed while it saved has left a half file, as large as what it saved.
        for left in place.glob(".state.pkl.*") if place else ():
            left.unlink(missing_ok=True)
        if self._file and self._file.exists():
            self._values = pickle.loads(self._file.read_bytes())  # noqa: S301 - the run's own
            self.restored = True

    def save(self, *, now: bool = False) -> None:
        """Say that the state is consistent here.

        It is written when `every` seconds have passed since it last was, when `now` is true, and always
        when Slurm has announced the end of this job; the block is then left, and the run goes on from here
        in another job if it has restarts left.
        """
        run = this_run()
        warned = run is not None and run.warned
        if self._file and (now or warned or time.monotonic() - self._saved >= self._every):
            write_whole(self._file, packed("the checkpoint", self._values))
            self._saved = time.monotonic()
        if warned:
            raise Warned

    def __getitem__(self, key: str) -> Any:
        return self._values[key]

    def __setitem__(self, key: str, value: Any) -> None:
        self._values[key] = value

    def __delitem__(self, key: str) -> None:
        del self._values[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)


@contextmanager
def checkpoint(name: str = "checkpoint", *, every: float = 60.0) -> Iterator[Checkpoint]:
    """State that outlives a time limit, a preemption and a lost node.

    In a run that was submitted with `restarts`, the block begins with what an earlier job saved. Outside a
    run nothing is kept, so that the same code can be tried in a notebook.

    Args:
        name: tells several checkpoints of one run apart; letters, digits, `-` and `_`.
        every: seconds between two saves, of all the times that you call `save`.

    Raises:
        ValueError: the name has other characters.
    """
    if not name.replace("-", "").replace("_", "").isalnum():
        raise ValueError("name: must be of letters, digits, - and _")
    run = this_run()
    place = None
    if run is not None:
        place = run.directory / "saved" / (name if run.task is None else f"{name}-{run.task}")
        place.mkdir(mode=0o700, parents=True, exist_ok=True)
    yield Checkpoint(place, every)
