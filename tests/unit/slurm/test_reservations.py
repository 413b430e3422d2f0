"""What scontrol tells of reservations."""

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skiva_slurm.errors import Unreadable
from skiva_slurm.reservations import Reservation, hides_reservations, parse_reservations

REAL = (Path(__file__).parent / "corpus" / "reservations-22.05.txt").read_text()
NAMES = st.text("abcdef-_.", min_size=1, max_size=20)


def test_reservations_of_a_real_slurm_are_read() -> None:
    """Of a part of a node, of a whole one, and one that has not begun; what is over Slurm does not print."""
    assert parse_reservations(REAL) == {
        "part": Reservation("part", 1796087695, 1796089495, ("n1",)),
        "short": Reservation("short", 1796089375, 1796089435, ("n2",)),
        "soon": Reservation("soon", 1796089676, 1796093276, ("n2",)),
    }
    assert parse_reservations("No reservations in the system\n") == {}
    flexible = REAL.replace("Flags=DAILY", "Flags=FLEX,DAILY").replace("Nodes=n2", "Nodes=n[1-2]")
    assert parse_reservations(flexible)["soon"].flexible
    assert parse_reservations(flexible)["soon"].nodes == ("n1", "n2")
    assert parse_reservations(REAL.replace("Nodes=n2", "Nodes=(null)"))["soon"].nodes == ()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "slurm_load_reservations error: Unable to contact slurm controller\n",
        REAL[:-1],
        REAL[:60] + "\n",
        REAL.replace("StartTime=1796089676", "StartTime=2026-12-01T01:47:56"),
        REAL.replace("EndTime=1796093276 ", ""),
    ],
)
def test_what_is_not_whole_is_no_absence(text: str) -> None:
    """An empty, garbled or cut answer is never a list without reservations."""
    with pytest.raises(Unreadable):
        parse_reservations(text)


@given(NAMES, st.integers(0, 2**33), st.integers(0, 2**33))
def test_every_reservation_that_is_printed_is_read(name: str, start: int, end: int) -> None:
    """Property: names and times come back as they are."""
    line = f"ReservationName={name} StartTime={start} EndTime={end} Nodes=(null) Flags=\n"
    assert parse_reservations(line) == {name: Reservation(name, start, end)}


@given(st.floats(0, 1e6), st.floats(0, 1e6), st.floats(0, 1e6))
def test_what_starts_in_a_reservation_ends_in_it(now: float, start: float, length: float) -> None:
    """Property: its longest job begins when it can, ends with it, and has a minute at least."""
    held = Reservation("course", start, start + length)
    ends = max(now, start) + held.hours(now) * 3600
    assert ends <= held.end + 1e-3 or held.hours(now) == 1 / 60
    assert Reservation("course", start, start + length, flexible=True).hours(now) == math.inf


@pytest.mark.parametrize(
    ("private", "hides"),
    [("none", False), ("jobs,usage", False), ("jobs,reservations", True), ("all", True)],
)
def test_slurm_may_hide_reservations(private: str, hides: bool) -> None:
    """Where PrivateData has them, what is not shown may be there all the same."""
    config = f"PreemptType = none\nPrivateData             = {private}\nProctrackType = x\n"
    assert hides_reservations(config) is hides
    assert hides_reservations("garbled")
