"""The measurement of scaling out: what the report makes of it, and when its goals are missed."""

import re

from bench import dask, dask_tasks
from bench.dask_room import STOCK, STOCK_TLS
from bench.handoff import Found
from bench.proc import cpu_since


def _found() -> Found:
    found = Found()
    for size in (1, 4, 16):
        found.add(f"ready {size}", "skiva", 3.0, 1.0, 2.0)
        found.add(f"ready {size}", STOCK, 4.0)
    found.add("requests 16", "skiva", 6, 5, 7)
    found.add("requests 16", STOCK, 32)
    found.add("storm", "skiva", 12.0)
    found.add("storm", STOCK, 10.0)
    found.add("storm", STOCK_TLS, 11.8)
    found.add("killed: gone", "skiva", 3.0, 11.0)
    found.add("killed: gone", STOCK, 64.0)
    found.add("killed: ran", "skiva", 0.0, 0.0)
    found.add("killed: ran", STOCK, 0.0, 120.0)
    return found


def _tasks() -> str:
    return dask_tasks.report(_found(), "cpu").text()


def _rows(words: str) -> list[str]:
    lines = [*dask.report(_found(), "cpu").text().splitlines(), *_tasks().splitlines()]
    return [re.sub(" +", " ", line) for line in lines if line.startswith(words)]


def test_medians_stand_beside_each_other() -> None:
    """Both medians and their ratio are in a row; encryption has a row of its own; requests are whole."""
    (ready,) = _rows("from the call to 16 workers ready")
    assert ready.endswith("2.00 s (1.00 to 3.00) 4.00 s (4.00 to 4.00) dask-jobqueue 0.50")
    plain, encrypted = _rows("20,000 tiny tasks on 2 workers")
    assert plain.endswith("dask-jobqueue 1.20")
    assert encrypted.endswith("dask-jobqueue with TLS 1.02")
    (requests,) = _rows("requests to slurmctld: 16 workers")
    assert "6 (5 to 7) 32 (32 to 32)" in requests


def test_goals_are_told() -> None:
    """Reached and missed goals are told as they are; of kills the worst one counts."""
    text = dask.report(_found(), "cpu").text()
    assert "reached: 4 workers, median beside stock's: 0.5, at most 1" in text
    assert "reached: requests for 16, beside stock's: 0.188, at most 0.25" in text
    assert "MISSED: median beside stock's without encryption: 1.2, at most 1.05" in _tasks()
    assert "reached: median beside stock's with TLS: 1.02, at most 1.05" in _tasks()
    assert "MISSED: kill -9: the last job gone, s: 11, at most 10" in text
    assert "reached: kill -9: seconds of jobs that waited: 0, at most 0" in text


def test_what_was_not_measured_has_no_row() -> None:
    """A row stands for values that there are."""
    assert not _rows("scale(16) returns")


def test_programs_of_the_turn_before_do_not_count() -> None:
    """Processor time is that of what is there: a program that has ended meanwhile takes none away."""
    assert cpu_since({(1, "a"): 2.0, (2, "b"): 50.0}, {(1, "a"): 3.0, (3, "c"): 1.5, (2, "d"): 0.5}) == 3.0
