"""The measurement of handing off: what is listed, how late lines are, what the report makes of it."""

import re
import sys
import time
from pathlib import Path

import pytest
from bench import handoff_driver, handoff_listing
from bench.handoff import Found, report
from tests.support.runs_on_disk import lay


def _found() -> Found:
    found = Found(counts={"map: skiva": 1, "map: submitit, a loop": 200, "list: jobs": 9})
    for what in ("function: submit", "function: file", "function: result"):
        found.add(what, "skiva", 1.0, 3.0, 2.0)
        found.add(what, "submitit", 4.0)
    found.add("notebook: result", "skiva", 3.0)
    found.add("notebook: result", "papermill", 2.0)
    found.add("map: submit", "skiva", 0.05)
    found.add("map: submit", "submitit, a loop", 50.0)
    found.add("map: submit", "submitit, a loop without its pauses", 0.4)
    found.add("print: server", "skiva", 0.1, 2.5)
    found.add("list: index", "skiva", 0.2)
    return found


def test_medians_are_compared_and_goals_told() -> None:
    """Both medians and their ratio stand in a row; goals are told, and one late line misses one."""
    text = report(_found(), "cpu").text()
    row = next(line for line in text.splitlines() if line.startswith("function: submit to result"))
    assert re.sub(" +", " ", row).endswith("2.00 s (1.00 to 3.00) 4.00 s (4.00 to 4.00) submitit 0.50")
    assert "reached: function: result, median beside submitit's: 0.5, at most 1" in text
    assert "MISSED: notebook: median beside papermill's in sbatch: 1.5, at most 1" in text
    assert "reached: map: time beside a loop of submitit's: 0.001, at most 0.1" in text
    assert "MISSED: map: time beside a loop of submitit's without its pauses: 0.125, at most 0.1" in text
    assert "MISSED: print to the server, latest, s: 2.5, at most 2" in text


def test_many_runs_are_listed_by_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Copies of one run are all there, and kernel and server list as many as are shown."""
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    monkeypatch.setattr(handoff_listing, "MANY", 30)
    monkeypatch.setattr(handoff_listing, "SHOWN", 20)
    (lay(tmp_path / "skiva-runs", "261122-aaaaaaaa") / "result.pkl").write_bytes(b"")
    many = tmp_path / "many"
    handoff_listing.make(many)
    assert len(list(many.iterdir())) == 30
    monkeypatch.setenv("SKIVA_RUNS", str(many))
    assert handoff_listing.jobs()["seconds"] > 0
    assert set(handoff_listing.index(many)) == {"seconds", "first", "again"}


def test_a_line_is_as_late_as_it_is_shown() -> None:
    """What was printed a while ago and is shown now is as late as that; other lines do not count."""

    class Spoken:
        def logs(self, *, follow: bool) -> None:
            assert follow
            sys.stdout.write(f"hello\nsaid {time.time() - 3:.4f}\n")

    (late,) = handoff_driver.late(Spoken())  # type: ignore[arg-type]
    assert 2.9 < late < 4
