"""All runs of a person, newest first."""

import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from skiva.runs.ids import is_run_id
from skiva.runs.look import read_spec
from skiva.runs.offer import NoOffer, find_offer
from skiva.runs.paths import RunDir, own_place, runs_dir
from skiva.runs.run import Run

__all__ = ["Runs", "jobs", "newest", "run"]


class Runs(list[Run]):
    """Runs, shown as a table."""

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        from skiva.runs.display import table

        return table(self)


def here() -> Path:
    """The directory of this person's runs. Raises NotYours where others could have put some there."""
    try:
        root = runs_dir(site=find_offer().runs)
    except NoOffer:
        root = runs_dir()
    return own_place(root) if root.exists() else root


def newest(root: Path) -> Iterator[RunDir]:
    """The directories of runs, the newest first; a day's runs in the order in which they were made."""
    try:
        names = [entry.name for entry in root.iterdir() if is_run_id(entry.name)]
    except OSError:
        return
    days: dict[str, list[RunDir]] = {}
    for name in names:
        days.setdefault(name[:6], []).append(RunDir(root / name))
    for day in sorted(days, reverse=True):
        yield from sorted(days[day], key=_made, reverse=True)


def _made(directory: RunDir) -> float:
    try:
        return directory.spec.stat().st_mtime
    except OSError:
        return time.time()


def jobs(*, limit: int = 50, name: str | None = None, state: str | None = None) -> Runs:
    """Your runs, newest first; with a part of a name, or a state such as `running` or `failed`."""
    found = Runs()
    for directory in newest(here()):
        try:
            one = Run(_own(directory), read_spec(directory))
        except (LookupError, ValueError):
            continue
        fits = name is None or name.lower() in one.name.lower()
        if fits and (state is None or state in {one.status.state, one.status.life}):
            found.append(one)
            if len(found) >= limit:
                break
    return found


def run(id: str) -> Run:  # noqa: A002 - what it is called everywhere
    """The run with this id, from whatever notebook, terminal or server it was submitted.

    Raises:
        LookupError: there is none.
        ValueError: this is no run's id.
    """
    return Run(_own(RunDir.of(here(), str(id))))


def _own(directory: RunDir) -> RunDir:
    """It, if it is one's own: results are unpickled. Raises LookupError where it is not, or a link."""
    try:
        state = directory.path.lstat()
    except OSError:
        raise LookupError(f"There is no run {directory.id}.") from None
    if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.geteuid():
        raise LookupError(f"There is no run {directory.id} of yours.")
    return directory
