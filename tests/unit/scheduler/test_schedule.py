"""When schedules are due, all over the world and on the days on which clocks change."""

from datetime import UTC, datetime, timedelta
from typing import Self
from zoneinfo import ZoneInfo

import pytest
from croniter import croniter
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.schedules import ZONES, minutes_of

from skiva.scheduler.schedule import BadSchedule, Schedule, zone

_MINUTES = st.integers(0, 59)
_HOURS = st.integers(0, 23)
_TIMES = st.integers(1_000_000_000, 2_140_000_000).map(lambda at: datetime.fromtimestamp(at, UTC))
_CRON = ["*/7 * * * *", "5 */4 * * 1-5", "0 9 1,15 * *", "0 9 13 * fri", "59 23 l * *", "0 0 * * mon#1"]


def _dues(schedule: Schedule, first: datetime, days: int = 1) -> list[str]:
    minutes = minutes_of(first, first + timedelta(days=days))
    found = [datetime.fromtimestamp(minute, schedule.zone) for minute in minutes if schedule.due(minute)]
    return [one.strftime("%d %H:%M %z") for one in found]


@pytest.mark.parametrize(
    ("text", "there"),
    [
        ("30 2 * * *", ["03:00 +0200"]),
        ("15 2,3 * * *", ["03:00 +0200", "03:15 +0200"]),
        ("0 3 * * *", ["03:00 +0200"]),
        ("*/30 2 * * *", []),
        ("0 * * * *", [f"{hour:02}:00 +0{1 + (hour > 2)}00" for hour in range(24) if hour != 2]),
    ],
)
def test_clocks_put_forward(text: str, there: list[str]) -> None:
    """What the clock leaves out is done once, right after it; what is due every so often is not doubled."""
    berlin = ZoneInfo("Europe/Berlin")
    found = _dues(Schedule.parse(text, "Europe/Berlin"), datetime(2026, 3, 29, tzinfo=berlin))
    assert found == [f"29 {one}" for one in there]


@pytest.mark.parametrize(
    ("text", "there"),
    [
        ("30 2 * * *", ["02:30 +0200"]),
        ("0 3 * * *", ["03:00 +0100"]),
        ("*/30 2 * * *", ["02:00 +0200", "02:30 +0200", "02:00 +0100", "02:30 +0100"]),
    ],
)
def test_clocks_put_back(text: str, there: list[str]) -> None:
    """What is due at a fixed time is done once, and what is due every so often in both hours."""
    berlin = ZoneInfo("Europe/Berlin")
    found = _dues(Schedule.parse(text, "Europe/Berlin"), datetime(2026, 10, 25, tzinfo=berlin))
    assert found == [f"25 {one}" for one in there]


@settings(max_examples=25, deadline=None)
@given(ZONES, _HOURS, _MINUTES, _TIMES)
def test_a_daily_time_comes_once_a_day(name: str, hour: int, minute: int, day: datetime) -> None:
    """In every zone and on every day, what is due daily is due once on that day's calendar."""
    there = zone(name)
    first = datetime(day.year, day.month, day.day, tzinfo=there)
    after = first + timedelta(days=1)
    schedule = Schedule.parse(f"{minute} {hour} * * *", name)
    around = minutes_of(first - timedelta(hours=3), after + timedelta(hours=3))
    days = [datetime.fromtimestamp(at, there).date() for at in around if schedule.due(at)]
    assert days.count(first.date()) == 1


@settings(max_examples=25, deadline=None)
@given(ZONES, st.sampled_from(_CRON), _TIMES)
def test_where_no_clock_changes_it_is_as_croniter_says(name: str, text: str, begin: datetime) -> None:
    """Away from the days on which a clock changes, what is due is what cron's fields say of the clock."""
    there = zone(name)
    schedule = Schedule.parse(text, name)
    minutes = minutes_of(begin, begin + timedelta(hours=3))
    offsets = {datetime.fromtimestamp(at, there).utcoffset() for at in (minutes[0] - 86400, *minutes)}
    if len(offsets) > 1:
        return
    for at in minutes[::13]:
        wall = datetime.fromtimestamp(at, there).replace(tzinfo=None)
        assert schedule.due(at) == croniter.match(text, wall)


@settings(max_examples=25, deadline=None)
@given(ZONES, _MINUTES, st.integers(10**9, 2 * 10**9), st.integers(0, 900), st.integers(0, 900))
def test_looking_in_pieces_misses_and_repeats_nothing(
    name: str, minute: int, begin: int, first: int, second: int
) -> None:
    """Two looks, one after the other, find together what one look finds."""
    schedule = Schedule.parse(f"{minute} * * * *", name)
    middle, end = begin + first, begin + first + second
    whole = schedule.latest(begin, end)
    assert whole == (schedule.latest(middle, end) or schedule.latest(begin, middle))
    assert whole is None or begin < whole <= end


@pytest.mark.parametrize(
    "text", ["", "every day", "* * * * * *", "61 * * * *", "r r * * *", "h * * * *", "0 0 * * ;", "@reboot"]
)
def test_what_is_no_schedule_is_refused(text: str) -> None:
    """What cron does not know, what names seconds and what is drawn by lot is refused in a sentence."""
    with pytest.raises(BadSchedule, match=r"^schedule: .* five fields"):
        Schedule.parse(text)


@pytest.mark.parametrize("name", ["Nowhere/Town", "../etc/passwd", "Europe", "/etc/localtime"])
def test_what_is_no_zone_is_refused(name: str) -> None:
    """A zone that is not known is refused in a sentence, whatever path it spells."""
    with pytest.raises(BadSchedule, match=r"^timezone: "):
        zone(name)


def test_zones_are_known_without_the_systems_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the system has no files of zones, the same times are found."""
    usual = Schedule.parse("30 2 * * *", "Europe/Paris")
    monkeypatch.setattr("skiva.scheduler.schedule.ZoneInfo", _NoSystem)
    alone = Schedule.parse("30 2 * * *", "Europe/Paris")
    day = datetime(2026, 3, 29, tzinfo=UTC)
    assert _dues(alone, day) == _dues(usual, day)


def test_a_day_that_never_comes_is_never_due() -> None:
    """The 31st of February is accepted as cron does, and never comes."""
    assert Schedule.parse("* * 31 2 *").latest(1.7e9, 1.7e9 + 3600) is None


class _NoSystem(ZoneInfo):
    def __new__(cls, key: str) -> Self:
        raise LookupError(key)
