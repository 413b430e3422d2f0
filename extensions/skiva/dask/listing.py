"""A person's clusters, wherever they were started. Needs no Dask."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from skiva.dask.look import look
from skiva.dask.place import ClusterDir, clusters_dir
from skiva.dask.status import Status
from skiva.runs.ids import is_run_id
from skiva.runs.paths import own_place
from skiva.runs.queue import Queue, Reading

__all__ = ["Clusters", "clusters", "find", "here", "names_taken", "statuses"]

_ENDED = 10
"""Clusters that have ended and are still listed."""


class Clusters(list[Status]):
    """Clusters, shown as a table."""

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        from skiva.dask.display import table

        return table(self)


def clusters(*, ended: int = _ENDED) -> Clusters:
    """Your clusters, newest first: those that live, and the last that have ended."""
    return Clusters(statuses(here(), ended=ended))


def statuses(root: Path, *, ended: int = _ENDED, queue: Queue | None = None) -> list[Status]:
    """How the clusters in a directory are, newest first, with so many of those that have ended."""
    told = (queue or Queue()).told()
    found, over = [], 0
    everything = [status for place in _places(root) if (status := _status(place, told)) is not None]
    for status in sorted(everything, key=lambda one: one.created, reverse=True):
        over += not status.living
        if status.living or over <= ended:
            found.append(status)
    return found


def names_taken(root: Path) -> set[str]:
    """The names of the clusters that live."""
    return {status.name for status in statuses(root, ended=0)}


def find(root: Path, name: str) -> ClusterDir:
    """The living cluster with this name or id.

    Raises:
        LookupError: says what there is.
    """
    known = statuses(root, ended=1000)
    for status in known:
        if status.living and name in {status.id, status.name}:
            return ClusterDir(root / status.id)
    for status in known:
        if name in {status.id, status.name}:
            raise LookupError(f"The cluster {name!r} has ended. {status.sentence}")
    living = ", ".join(repr(status.name) for status in known if status.living)
    there = f"Those that live: {living}." if living else "None of yours lives."
    raise LookupError(
        f"There is no cluster {name!r}. {there} To start one, say on which slice=… or workers=…."
    )


def here() -> Path:
    """Where this person's clusters are. Raises NotYours where others could have put some there."""
    root = clusters_dir()
    return own_place(root) if root.exists() else root


def _places(root: Path) -> Iterator[ClusterDir]:
    try:
        names = [path.name for path in root.iterdir() if is_run_id(path.name)]
    except OSError:
        return
    yield from (ClusterDir(root / name) for name in names)


def _status(place: ClusterDir, told: Reading | None) -> Status | None:
    try:
        return look(place, told)
    except (OSError, ValueError):
        return None
