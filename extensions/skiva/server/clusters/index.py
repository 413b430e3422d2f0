"""The clusters on the disk: what each told last, and the way to those that live. Belongs into a thread."""

import os
import time
from dataclasses import dataclass
from pathlib import Path

from skiva.dask.ask import NoAnswer, Way, way_to
from skiva.dask.look import look
from skiva.dask.place import ClusterDir
from skiva.dask.status import Status
from skiva.runs.ids import is_run_id
from skiva.runs.queue import Reading
from skiva.server.held import held

__all__ = ["Index", "Seen"]

_ENDED = 10
"""How many that have ended are listed."""
_SETTLES = 60.0
"""Seconds after its end for which a cluster's last words may still be written."""


@dataclass(frozen=True, slots=True)
class Seen:
    """One cluster, as the disk has it."""

    status: Status
    way: Way | None = None
    """To its scheduler; None where there is none yet, or any more."""


class Index:
    """The directory of a person's clusters; those that have ended are read once."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._settled: dict[str, Seen] = {}

    def all(self, reading: Reading | None) -> list[Seen]:
        """The living ones and the last that have ended, newest first. Raises OSError."""
        names = self._names()
        self._settled = {name: seen for name, seen in self._settled.items() if name in names}
        found = sorted(filter(None, (self._readable(name, reading) for name in names)), key=_age)
        ended = [one for one in found if not one.status.living][:_ENDED]
        return [one for one in found if one.status.living or one in ended]

    def one(self, cluster: str, reading: Reading | None) -> Seen:
        """One of them. Raises LookupError or OSError."""
        # Only its owner can put another into its place: the root is nobody else's.
        with held(self.root, cluster, "cluster"):
            try:
                return self._read(ClusterDir.of(self.root, cluster), reading)
            except FileNotFoundError:
                raise LookupError(f"There is no cluster {cluster}.") from None
            except ValueError:
                raise LookupError(f"What is written about the cluster {cluster} cannot be read.") from None

    def _names(self) -> set[str]:
        try:
            return {entry.name for entry in self.root.iterdir() if is_run_id(entry.name)}
        except FileNotFoundError:
            return set()

    def _readable(self, name: str, reading: Reading | None) -> Seen | None:
        if (settled := self._settled.get(name)) is not None:
            return settled
        try:
            return self.one(name, reading)
        except (LookupError, OSError):
            return None

    def _read(self, place: ClusterDir, reading: Reading | None) -> Seen:
        """Raises OSError or ValueError."""
        status = look(place, reading)
        if status.id != place.id:
            raise ValueError("it is of another cluster")
        if status.state == "closed":
            seen = Seen(status)
            if time.time() - os.lstat(place.closed).st_mtime > _SETTLES:
                self._settled[place.id] = seen
            return seen
        try:
            return Seen(status, way_to(place))
        except NoAnswer:
            return Seen(status)


def _age(seen: Seen) -> tuple[float, str]:
    return -seen.status.created, seen.status.id
