"""What the list of runs costs, counted in files that are opened: time says nothing on a busy machine."""

import os
from pathlib import Path
from typing import Any

import pytest
from tests.support.runs_on_disk import Clock, lay, note, opens, reading, run_id

from skiva.runs.queue import QueueJob
from skiva.server.runs.index import Index


@pytest.fixture
def clock() -> Clock:
    """One for the test's index."""
    return Clock()


def names(answer: dict[str, Any]) -> list[str]:
    """Of the runs in an answer."""
    return [row["id"] for row in answer["runs"]]


def test_a_thousand_runs_cost_a_page_of_reading_once(tmp_path: Path, clock: Clock) -> None:
    """The first page opens what it shows; after that the list costs one look at the directory."""
    for number in range(1000):
        lay(tmp_path, run_id(number))
    index = Index(tmp_path, clock=clock)
    with opens() as first:
        answer = index.answer(None)
    assert len(answer["runs"]) == 200
    assert len(first) <= 200 * 9 + 5
    with opens() as second:
        again = index.answer(None, since=answer["version"])
        index.answer(None)
    assert (again["runs"], len([one for one in second if "/proc/self/fd" in one])) == ([], 0)


def test_a_page_of_a_slow_disk_ends_where_it_is(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waits gets the newest at least, and is told that there are more; nothing is left out."""
    monkeypatch.setattr("skiva.server.runs.index._PATIENCE", -1.0)
    runs = [run_id(number) for number in range(3)]
    for number, run in enumerate(runs):
        os.utime(lay(tmp_path, run) / "spec.json", (1000 + number, 1000 + number))
    index = Index(tmp_path, clock=clock)
    told: list[str] = []
    for left in (True, True, False):
        answer = index.answer(None, before=told[-1] if told else None)
        assert (len(answer["runs"]), answer["more"]) == (1, left)
        told += names(answer)
    assert told == runs[::-1]


def test_what_lives_is_read_only_when_it_has_changed(tmp_path: Path, clock: Clock) -> None:
    """Twenty waiting runs are watched by their stamps; one that begins is read, and no other."""
    runs = [run_id(number) for number in range(20)]
    for number, run in enumerate(runs):
        lay(tmp_path, run, end=None, job_id=number)
    jobs = [QueueJob(job_id=number, state="PENDING", run=run) for number, run in enumerate(runs)]
    queue = reading(*jobs, taken=clock())
    index = Index(tmp_path, clock=clock)
    first = index.answer(queue)
    clock.ahead += 1
    with opens() as quiet:
        assert index.answer(queue, since=first["version"])["runs"] == []
    assert [one for one in quiet if one.endswith("json")] == []
    note(tmp_path / runs[7], "started", node="n1")
    clock.ahead += 1
    with opens() as one:
        told = index.answer(queue, since=first["version"])
    assert names(told) == [runs[7]]
    assert len([file for file in one if file.endswith("spec.json")]) == 0
    assert len([file for file in one if file.endswith("state.jsonl")]) == 1
    # Another reading that says the same of all but one.
    jobs[3] = QueueJob(job_id=3, state="PENDING", run=runs[3], reason="Others go first.")
    clock.ahead += 1
    told = index.answer(reading(*jobs, taken=clock()), since=told["version"])
    assert names(told) == [runs[3]]


def test_tasks_that_ended_are_not_read_again(tmp_path: Path, clock: Clock) -> None:
    """Of a map only the tasks that live are looked at when one of them moves."""
    run = run_id(1)
    place = lay(tmp_path, run, end=None, kind="map", tasks=50, at_once=2)
    (place / "tasks").mkdir()
    for number in range(40):
        task = place / "tasks" / str(number)
        task.mkdir()
        note(task, "started", node="n1")
        if number < 38:
            note(task, "ended", how="completed", sentence="Done.")
    index = Index(tmp_path, clock=clock)
    first = index.answer(None)
    assert first["runs"][0]["tasks"]["completed"] == 38
    index.answer(None)
    clock.ahead += 1
    note(place / "tasks" / "38", "ended", how="failed", sentence="ValueError")
    with opens() as found:
        told = index.answer(None, since=first["version"])
    assert told["runs"][0]["tasks"] == {"completed": 38, "failed": 1, "running": 1, "queued": 10}
    assert not any("/tasks/3/" in file for file in found)


def test_a_map_that_ended_costs_no_more_than_another_run(tmp_path: Path, clock: Clock) -> None:
    """The next server reads one file instead of one for each task; what was put back is looked at anew."""
    run = run_id(1)
    place = lay(tmp_path, run, end=None, kind="map", tasks=100, job_id=5)
    for number in range(100):
        (place / "tasks" / str(number)).mkdir(parents=True)
        note(place / "tasks" / str(number), "started", node="n1")
        note(place / "tasks" / str(number), "ended", how="failed" if number else "completed")
    (first,) = Index(tmp_path, clock=clock).answer(None)["runs"]
    assert (first["state"], first["tasks"]) == ("failed", {"completed": 1, "failed": 99})
    with opens() as found:
        (again,) = Index(tmp_path, clock=clock).answer(None)["runs"]
    assert again == first
    assert len(found) < 10
    (place / "summary.json").write_text('{"state": "completed"}')
    assert Index(tmp_path, clock=clock).answer(None)["runs"] == [first]
