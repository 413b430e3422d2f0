"""What code in a job may know of its run, and tell of its progress."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.support.runs_on_disk import lay, note, run_id

from skiva.runs import this_run as this_run_module
from skiva.runs.paths import RunDir
from skiva.runs.this_run import PLACE, ThisRun, progress, this_run


@pytest.fixture
def current(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ThisRun:
    """The run that this process is part of."""
    made = ThisRun("261122-aaaaaaaa", "fit", 0, None, tmp_path)
    monkeypatch.setattr(this_run_module, "_current", made)
    monkeypatch.setattr(this_run_module, "_noted", 0.0)
    return made


def test_progress_that_cannot_be_written_ends_nothing(current: ThisRun) -> None:
    """Where the disk is full a function goes on computing."""
    current.directory /= "gone"
    progress(1, 1)


def test_progress_is_written_seldom_and_the_last_always(
    current: ThisRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twice a second at most, so that it may be told in an inner loop; the end of it is never left out."""
    now = [100.0]
    monkeypatch.setattr(this_run_module, "time", SimpleNamespace(monotonic=lambda: now[0], time=lambda: 5.0))
    written: list[Any] = []
    for number in range(1, 101):
        now[0] = 100 + number / 50
        progress(number, 100, f"loss {number}\n" + "x" * 999)
        told = json.loads((current.directory / "progress.json").read_text())
        if told not in written:
            written.append(told)
    assert [told["done"] for told in written] == [1, 26, 51, 76, 100]
    assert {**written[-1], "text": len(written[-1]["text"])} == {
        "at": 5.0,
        "done": 100,
        "total": 100,
        "text": 200,
        "unit": "",
    }


def test_a_task_has_a_progress_of_its_own(current: ThisRun) -> None:
    """Those of a map do not write over each other's."""
    current.task = 3
    RunDir(current.directory).task(3).path.mkdir(parents=True)
    progress(1, 2)
    assert RunDir(current.directory).task(3).progress.exists()
    assert not RunDir(current.directory).progress.exists()


def test_a_kernel_knows_the_run_of_its_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the directory that it was told; how often it had begun before is counted anew each time."""
    monkeypatch.setattr(this_run_module, "_current", None)
    place = lay(tmp_path, run_id(1), end=None, name="fit")
    monkeypatch.setenv(PLACE, str(place))
    for begun in range(3):
        found = this_run()
        assert found is not None
        assert (found.id, found.name, found.task, found.directory) == (run_id(1), "fit", None, place)
        assert found.restarts == max(0, begun - 1)
        note(place, "started")
        note(place, "warned")
    monkeypatch.setenv(PLACE, str(tmp_path / "gone"))
    assert this_run() is None
    monkeypatch.delenv(PLACE)
    assert this_run() is None
