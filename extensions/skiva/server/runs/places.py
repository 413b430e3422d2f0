"""Where runs are on the disk, opened so that nothing outside of their directory is ever reached."""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from skiva.runs.ids import is_run_id
from skiva.runs.look import read_spec
from skiva.runs.paths import RunDir
from skiva.runs.spec import Spec
from skiva.server.held import held

__all__ = ["Stamp", "made", "opened", "result_of", "run_names", "served_as", "spec_of", "stamp"]

_SETTLES = 2.0
"""Seconds within which two changes may leave the same time behind."""


def run_names(root: Path) -> set[str]:
    """The names in the directory of runs that could be runs. Raises OSError where it cannot be read."""
    try:
        return {entry.name for entry in root.iterdir() if is_run_id(entry.name)}
    except FileNotFoundError:
        return set()


@contextmanager
def opened(root: Path, run: str) -> Iterator[RunDir]:
    """A run's directory, held open: whatever takes its place meanwhile, this one is read.

    Raises:
        LookupError: there is none, or it is a link, a file, or somebody else's.
        OSError: it cannot be opened.
    """
    with held(root, run, "run") as place:
        yield RunDir(place)


def served_as(path: Path, served: Iterable[Path]) -> str | None:
    """What the file browser calls `path`; None where it does not show it. `served` are names of its root."""
    for place in served:
        if path.is_relative_to(place):
            parts = path.relative_to(place).parts
            return None if any(part.startswith(".") for part in parts) else "/".join(parts)
    return None


def made(root: Path, run: str) -> float:
    """When the run was written down, by which a day's runs are sorted; seconds since the epoch."""
    try:
        return (root / run / "spec.json").lstat().st_mtime
    except OSError:
        return 0.0


@dataclass(frozen=True, slots=True)
class Stamp:
    """What changes whenever a run's files do."""

    marks: tuple[object, ...]
    newest: float
    """When the last of the changes was."""

    def settled(self, looked: float) -> bool:
        """Whether a look at the time `looked` cannot have missed a change with the same stamp."""
        return looked - self.newest > _SETTLES


def stamp(run: RunDir, tasks: Iterable[int] = ()) -> Stamp:
    """Of the run's directory and its journal, and of those of the named tasks of a map.

    Every file but the journals is replaced as a whole, which changes its directory.
    """
    places = [run.path, run.journal, run.path / "tasks"]
    for number in tasks:
        places += [run.task(number).path, run.task(number).journal]
    marks: list[object] = []
    newest = 0.0
    for place in places:
        try:
            # The first is a name for the open directory, which must be followed.
            found = place.stat() if place is run.path else place.lstat()
        except OSError:
            marks.append(None)
            continue
        marks.append((found.st_mtime_ns, found.st_size, found.st_ino))
        newest = max(newest, found.st_mtime)
    return Stamp(tuple(marks), newest)


def spec_of(name: str, place: RunDir) -> Spec:
    """What the run called `name` is. Raises ValueError, which says what is wrong with it."""
    if (place.path / "tasks").is_symlink():
        raise ValueError("a directory of it is a link.")
    try:
        spec = read_spec(place)
    except LookupError:
        raise ValueError("spec.json is missing.") from None
    except ValueError:
        raise ValueError("spec.json cannot be understood.") from None
    if spec.id != name:
        raise ValueError("spec.json is of another run.")
    if spec.tasks is not None and not (type(spec.tasks) is int and 0 <= spec.tasks <= 100_000):
        raise ValueError("spec.json tells no possible number of tasks.")
    return spec


def result_of(place: RunDir) -> str | None:
    """In which form there is something that came out of the run."""
    for name, kind in ((place.output, "notebook"), (place.result, "pickle")):
        if os.path.lexists(name):
            return kind
    return None
