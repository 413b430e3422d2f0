"""Amounts and times as people say them."""

import pytest

from skiva_hub.pages import words


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 s"),
        (40.4, "40 s"),
        (-3, "0 s"),
        (170, "3 min"),
        (7500, "2 h 5 min"),
        (7200, "2 h"),
        (400000, "5 days"),
    ],
)
def test_a_span_is_rounded_as_people_do(seconds: float, said: str) -> None:
    """Seconds up to a minute and a half, then minutes, hours, days."""
    assert words.span(seconds) == said


@pytest.mark.parametrize(
    ("amount", "said"), [(8, "8 h"), (1.5, "1.5 h"), (0.5, "30 min"), (72, "3 days"), (24, "24 h")]
)
def test_a_sessions_length_is_short(amount: float, said: str) -> None:
    """Lengths fit on a button."""
    assert words.hours(amount) == said


@pytest.mark.parametrize(
    ("number", "said"), [(1, "1st"), (2, "2nd"), (3, "3rd"), (11, "11th"), (112, "112th"), (21, "21st")]
)
def test_places_have_endings(number: int, said: str) -> None:
    """Also the teens."""
    assert words.ordinal(number) == said


@pytest.mark.parametrize(
    ("megabytes", "said"), [(512, "512 MB"), (1536, "1.5 GB"), (65536, "64 GB"), (2048000, "2000 GB")]
)
def test_memory_is_in_gigabytes(megabytes: int, said: str) -> None:
    """Below one gigabyte in megabytes."""
    assert words.memory(megabytes) == said


def test_a_moment_survives_being_written() -> None:
    """What the page sends to the browser is the same moment."""
    assert words.moment(words.iso(1_790_000_000.0) or "") == 1_790_000_000.0
