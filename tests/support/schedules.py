"""Zones whose clocks change in every way there is, and minutes to look at."""

from datetime import datetime

from hypothesis import strategies as st

__all__ = ["ZONES", "minutes_of"]

ZONES = st.sampled_from(
    [
        "UTC",
        "Europe/Berlin",
        "America/New_York",
        "America/Sao_Paulo",  # midnight was left out
        "Australia/Lord_Howe",  # half an hour
        "Asia/Kathmandu",
        "Africa/Casablanca",
        "Pacific/Auckland",
    ]
)


def minutes_of(first: datetime, end: datetime) -> range:
    """Every minute between two moments, in seconds since the epoch."""
    return range(int(first.timestamp()) // 60 * 60, int(end.timestamp()), 60)
