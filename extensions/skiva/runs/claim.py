"""One run or cluster for each key, however often and by however many it is asked for.

A claim is a small file that appears whole or not at all and is never taken away: where whoever made it came
to nothing, the next one lies beside it under the next number, and again only one can be the first with that.
"""

import hashlib
import os
import secrets
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from skiva.runs.files import read_plain
from skiva.runs.ids import is_run_id

__all__ = ["Claims"]

_PATIENCE = 10.0
"""Seconds from a claim to what it is for, which is all but there by then."""
_MOST = 10_000


class _Place(Protocol):
    """The directory of a run or a cluster."""

    @property
    def spec(self) -> Path:
        """What is written last."""


_Of = TypeVar("_Of", bound=_Place)


@dataclass(frozen=True)
class Claims(Generic[_Of]):
    """The keys below one directory.

    Attributes:
        root: the directory of all runs, or of all clusters, of which each has its id's name.
        at: what lies in such a directory.
        lives: whether Slurm has taken it, or may have; where not, its key is free again.
    """

    root: Path
    at: Callable[[Path], _Of]
    lives: Callable[[_Of], bool]

    def find(self, key: str, *, refused: bool = False) -> _Of | None:
        """What has this key, or a `refused` one if such are asked for; None where there is none."""
        last = None
        for place in self._places(key):
            if not place.exists():
                break
            found = self._of(place)
            if found is not None and self.lives(found):
                return found
            last = found or last
        return last if refused else None

    def claim(self, key: str, new: str) -> _Of | None:
        """What has this key; None when the key now is that of the id `new`, which must appear at once.

        Raises:
            OSError: the claim could not be written.
        """
        keys = self.root / ".keys"
        keys.mkdir(mode=0o700, exist_ok=True)
        mine = keys / f".{secrets.token_hex(8)}"
        mine.write_text(new)
        try:
            for place in self._places(key):
                try:
                    os.link(mine, place)  # all or nothing, on a network file system too
                except FileExistsError:
                    found = self._awaited(place)
                    if found is not None and self.lives(found):
                        return found
                else:
                    return None
        finally:
            mine.unlink(missing_ok=True)
        raise OSError(f"key: {key!r:.60} was refused too often; take another one")

    def _places(self, key: str) -> Iterator[Path]:
        name = hashlib.blake2b(key.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()
        yield self.root / ".keys" / name
        for number in range(1, _MOST):
            yield self.root / ".keys" / f"{name}.{number}"

    def _of(self, place: Path) -> _Of | None:
        """What is behind a claim, if it is there."""
        try:
            owner = read_plain(place, 100).decode("ascii", "replace")
        except OSError:
            return None
        found = self.at(self.root / owner) if is_run_id(owner) else None
        return found if found is not None and found.spec.exists() else None

    def _awaited(self, place: Path) -> _Of | None:
        """The same, once it is there; None where whoever claimed it came to nothing."""
        end = time.monotonic() + _PATIENCE
        while (found := self._of(place)) is None and time.monotonic() < end and _is_fresh(place):
            time.sleep(0.02)
        return found


def _is_fresh(place: Path) -> bool:
    """Whether it may have been made a moment ago, though clocks of file servers are not ours."""
    try:
        return abs(time.time() - place.stat().st_mtime) < 12 * _PATIENCE
    except OSError:
        return False
