"""When a schedule is due: cron's five fields, on the clock of a time zone.

The hours in which clocks are put forward or back are cron's: what is due at a fixed time happens once, at
once where the clock has skipped it; what is due every so often goes by the time that passes.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

import pytz
from croniter import CroniterBadDateError, croniter

__all__ = ["BadSchedule", "Schedule", "zone"]

_MINUTE = timedelta(minutes=1)
_WORDS = re.compile("l|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec|sun|mon|tue|wed|thu|fri|sat")
_ALIASES = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}


class BadSchedule(ValueError):
    """What was given is no schedule; names the field and says what it must be."""


def zone(name: str | None) -> tzinfo:
    """The time zone of this name; UTC without one. Raises BadSchedule."""
    if not name:
        return UTC
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, LookupError):
        pass
    try:  # an image may do without the system's own
        with pytz.open_resource(name) as file:
            return ZoneInfo.from_file(file, key=name)
    except (OSError, ValueError):
        raise BadSchedule(f"timezone: {name!r:.60} is none, such as Europe/Berlin") from None


@dataclass(frozen=True, slots=True)
class Schedule:
    """Times at which something is due."""

    text: str
    zone: tzinfo
    minutes: frozenset[int] | None
    """None for every one."""
    hours: frozenset[int] | None
    fixed: bool
    """Whether it names times of the day."""

    @classmethod
    def parse(cls, text: str, timezone: str | None = None) -> "Schedule":
        """A schedule as people write it, such as `0 9 * * mon-fri`. Raises BadSchedule."""
        plain = " ".join(text.lower().split())
        plain = _ALIASES.get(plain, plain)
        fields = plain.split(" ")
        words = re.findall("[a-z]+", plain)
        # croniter knows more: seconds, and times that it draws by lot.
        usual = re.fullmatch(r"[a-z0-9 *,/#-]+", plain) and all(map(_WORDS.fullmatch, words))
        if len(fields) != 5 or not usual or not croniter.is_valid(plain):
            raise BadSchedule(
                f"schedule: {text!r:.80} is none; five fields are needed, such as '0 9 * * mon-fri'"
            )
        minutes, hours = croniter.expand(plain)[0][:2]
        fixed = not (fields[0].startswith("*") or fields[1].startswith("*"))
        return cls(plain, zone(timezone), _numbers(minutes), _numbers(hours), fixed)

    def latest(self, after: float, until: float) -> int | None:
        """The last time that is due after the one and until the other, all in seconds since the epoch."""
        minute = int(until // 60) * 60
        while minute > after:
            if self.due(minute):
                return minute
            minute -= 60
        return None

    def due(self, minute: int) -> bool:
        """Whether this minute is one; in seconds since the epoch."""
        now = datetime.fromtimestamp(minute, self.zone)
        wall = now.replace(tzinfo=None, fold=0)
        if self.fixed and now.fold:
            return False  # it was, an hour ago
        if self._names(wall):
            return True
        return self.fixed and any(self._names(skipped) for skipped in self._skipped(minute, wall))

    def _skipped(self, minute: int, wall: datetime) -> Iterator[datetime]:
        """The minutes that the clock has never shown before it showed this one."""
        before = datetime.fromtimestamp(minute - 60, self.zone).replace(tzinfo=None, fold=0)
        while (before := before + _MINUTE) < wall:
            yield before

    def _names(self, wall: datetime) -> bool:
        if self.minutes is not None and wall.minute not in self.minutes:
            return False
        if self.hours is not None and wall.hour not in self.hours:
            return False
        try:
            return bool(croniter.match(self.text, wall))
        except CroniterBadDateError:  # the 31st of February
            return False


def _numbers(field: list[Any]) -> frozenset[int] | None:
    return None if "*" in field else frozenset(int(one) for one in field)
