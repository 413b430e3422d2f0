"""All runs of a person, kept in memory: what has ended is read once, what lives when it has changed.

Nothing here waits for Slurm, and everything here is files: it belongs into a thread, one call at a time.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from skiva.runs.look import look_closely
from skiva.runs.paths import RunDir
from skiva.runs.queue import Reading
from skiva.runs.spec import Spec
from skiva.runs.status import Status

from .places import Stamp, made, opened, result_of, run_names, served_as, spec_of, stamp
from .reading import Readings
from .rows import Row, at, row, told_alike, unreadable
from .summary import read_summary, write_summary

__all__ = ["Index"]

_LOOK_AGAIN = 20.0
"""Seconds after which a live run is looked at although nothing has changed: some states come with time."""
_SHARE = 9.0
"""A look is followed by a pause so many times as long as it took: maps of a thousand tasks are work."""
_PATIENCE = 0.6
"""Seconds after which a page ends where it is, so that a slow disk does not keep a person waiting."""
_AT_ONCE = 500
"""Runs that appeared, read in one call; the next call reads on."""
_REMEMBERED = 10_000
"""Removed runs that are remembered for those who ask what has changed."""


@dataclass(slots=True)
class _Entry:
    """One run as it was seen last. Without a row it has not been read."""

    made: float
    version: int = 0
    row: Row | None = None
    spec: Spec | None = None
    over: bool = False
    looked: float = 0.0
    due: float = 0.0
    stamp: Stamp | None = None
    queue: object = None
    ended: dict[int, Status] = field(default_factory=dict)
    alive: tuple[int, ...] = ()


class Index:
    """The runs below one directory."""

    def __init__(
        self,
        root: Path,
        served: Sequence[Path] = (),
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.root = root
        self._served = tuple(served)
        self._clock = clock
        self._entries: dict[str, _Entry] = {}
        self._unread: set[str] = set()
        self._removed: dict[str, int] = {}
        self._listed = False
        # Versions of an earlier server are all smaller, so that its pages begin anew.
        self._first = self._version = int(clock() * 1000)
        self._readings = Readings(None)

    def answer(
        self, reading: Reading | None, since: int | None = None, limit: int = 200, before: str | None = None
    ) -> dict[str, Any]:
        """The newest runs, older ones than `before`, or what has changed since a version.

        Raises:
            OSError: the directory of runs cannot be read.
        """
        self._readings = self._readings if self._readings.reading is reading else Readings(reading)
        self._list()
        self._read_news()
        changes = before is None and since is not None and self._first <= since <= self._version
        more = self._page(before, limit) if not changes else ([], False)
        self._look_at_the_living()
        if changes and since is not None:
            return self._changes(since, limit)
        names, left = more
        rows = [self._told(name) for name in names]
        return {
            "version": self._version,
            "whole": True,
            "runs": [one for one in rows if one is not None],
            "removed": [],
            "more": left,
        }

    def one(self, run: str, reading: Reading | None) -> Row:
        """One run, as it is this moment.

        Raises:
            LookupError: there is none.
            OSError: its directory cannot be opened.
        """
        with opened(self.root, run):
            entry = self._entries.setdefault(run, _Entry(made(self.root, run)))
        self._readings = self._readings if self._readings.reading is reading else Readings(reading)
        self._unread.discard(run)
        self._removed.pop(run, None)
        if not entry.over:
            self._look(run, entry)
        found = self._told(run)
        if found is None:
            raise LookupError(f"There is no run {run}.")
        return found

    def tasks(self, run: str) -> dict[int, Status]:
        """The tasks of a map that have ended, as far as they are known already."""
        entry = self._entries.get(run)
        return dict(entry.ended) if entry else {}

    # -- what there is ---------------------------------------------------------------------

    def _list(self) -> None:
        names = run_names(self.root)
        for name in self._entries.keys() - names:
            self._forget(name)
        for name in names - self._entries.keys():
            self._entries[name] = _Entry(-1.0)
            if self._listed:
                self._unread.add(name)
        self._listed = True
        # Runs that Slurm speaks of are alive, however old they are.
        self._unread |= {name for name in self._readings.runs & names if self._entries[name].row is None}

    def _forget(self, name: str) -> None:
        entry = self._entries.pop(name)
        self._unread.discard(name)
        if entry.row is not None:
            self._version += 1
            self._removed[name] = self._version
            while len(self._removed) > _REMEMBERED:
                self._first = self._removed.pop(next(iter(self._removed)))

    def _made(self, name: str) -> float:
        entry = self._entries[name]
        if entry.made < 0:
            entry.made = made(self.root, name)
        return entry.made

    def _sorted(self, names: Iterable[str]) -> Iterator[str]:
        """The newest first. Only the days that somebody asks for are looked at."""
        days: dict[str, list[str]] = {}
        for name in names:
            days.setdefault(name[:6], []).append(name)
        for day in sorted(days, reverse=True):
            yield from sorted(days[day], key=lambda name: (self._made(name), name), reverse=True)

    # -- reading ---------------------------------------------------------------------------

    def _read_news(self) -> None:
        for number, name in enumerate(list(self._sorted(self._unread))):
            if number >= _AT_ONCE:
                break
            self._unread.discard(name)
            self._look(name, self._entries[name])

    def _page(self, before: str | None, limit: int) -> tuple[list[str], bool]:
        names: list[str] = []
        began = time.monotonic()
        known = set(self._entries)
        if before is not None and before not in known:
            known = {name for name in known if name[:6] <= before[:6]}
            before = None
        for name in self._sorted(known if before is None else {n for n in known if n[:6] <= before[:6]}):
            if before is not None:
                before = None if name == before else before
                continue
            if names and time.monotonic() - began > _PATIENCE:
                return names, True
            entry = self._entries[name]
            if entry.row is None:
                self._look(name, entry, news=False)
            if entry.row is None:
                continue  # somebody else's, or a link
            if len(names) == limit:
                return names, True
            names.append(name)
        return names, False

    def _look_at_the_living(self) -> None:
        now = self._clock()
        for name, entry in list(self._entries.items()):
            if entry.row is None or (entry.over and not self._is_back(name, entry)):
                continue
            if now >= entry.due and self._is_other(name, entry):
                self._look(name, entry)

    def _is_back(self, name: str, entry: _Entry) -> bool:
        """Whether Slurm speaks of a job of a run that had ended by Slurm's own word: it was put back."""
        if name not in self._readings.living:
            return False
        return entry.queue != self._readings.mark(name, _job(entry))

    def _is_other(self, name: str, entry: _Entry) -> bool:
        """Whether anything may have changed since the last look."""
        if abs(self._clock() - entry.looked) >= _LOOK_AGAIN or entry.stamp is None:
            return True
        if entry.queue != self._readings.mark(name, _job(entry)) or not entry.stamp.settled(entry.looked):
            return True
        try:
            with opened(self.root, name) as place:
                return stamp(place, entry.alive) != entry.stamp
        except (LookupError, OSError):
            return True

    def _look(self, name: str, entry: _Entry, *, news: bool = True) -> None:
        """Read the run. Whatever is in its files, this leaves it with a row, or without where it is none."""
        began, now = time.monotonic(), self._clock()
        directory = served_as(self.root / name, self._served)
        try:
            with opened(self.root, name) as place:
                found = self._read(name, place, entry, directory, now)
        except LookupError:
            return
        except Exception as problem:  # noqa: BLE001 - one run must not keep the others from being shown
            why = str(problem) or type(problem).__name__
            found = unreadable(name, self._made(name), directory=directory, why=why)
        entry.looked = now
        entry.due = now + (time.monotonic() - began) * _SHARE
        if not told_alike(entry.row, found) and (news or entry.row is not None):
            self._version += 1
            entry.version = self._version
            self._removed.pop(name, None)
        entry.row = found

    def _read(self, name: str, place: RunDir, entry: _Entry, directory: str | None, now: float) -> Row:
        # Before the look: what changes meanwhile is seen by the next.
        before = entry.stamp = stamp(place, entry.alive)
        entry.queue = self._readings.mark(name, _job(entry))
        spec = entry.spec = entry.spec or spec_of(name, place)
        status, tasks = self._looked(name, place, spec, entry, now)
        entry.ended = {number: one for number, one in tasks.items() if one.over}
        there = {number for number in tasks if number not in entry.ended and place.task(number).path.exists()}
        alive = tuple(sorted(there))
        entry.stamp = before if alive == entry.alive else None
        entry.alive = alive
        told = row(spec, status, directory=directory, result=result_of(place))
        if told["notebook"]:
            told["notebook"] = served_as(Path(told["notebook"]), self._served) or told["notebook"]
        entry.over = status.over
        return told

    def _looked(
        self, name: str, place: RunDir, spec: Spec, entry: _Entry, now: float
    ) -> tuple[Status, dict[int, Status]]:
        # Of a map that ended, a thousand files say what one can.
        known = read_summary(place) if spec.tasks is not None and name not in self._readings.living else None
        if known is not None:
            return known, {}
        found = look_closely(place, spec, self._readings.of(name, _job(entry)), now, entry.ended)
        if spec.tasks is not None and found[0].over:
            write_summary(place, found[0])
        return found

    # -- telling ---------------------------------------------------------------------------

    def _told(self, name: str) -> Row | None:
        entry = self._entries[name]
        return None if entry.row is None else at(entry.row, entry.looked, self._clock())

    def _changes(self, since: int, limit: int) -> dict[str, Any]:
        changed = sorted(
            (entry.version, name)
            for name, entry in self._entries.items()
            if entry.row is not None and entry.version > since
        )
        more = len(changed) > limit
        version = changed[limit - 1][0] if more else self._version
        rows = [self._told(name) for name in self._sorted(name for _, name in changed[:limit])]
        gone = [name for name, when in self._removed.items() if since < when <= version]
        return {
            "version": version,
            "whole": False,
            "runs": rows,
            "removed": gone,
            "more": more or bool(self._unread),
        }


def _job(entry: _Entry) -> int | None:
    return entry.row["job_id"] if entry.row else None
