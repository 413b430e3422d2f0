"""A run as a row of the list: every field by what it may hold, however large or odd it was written down."""

import sys
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.support.runs_on_disk import reading

from skiva.runs.queue import QueueJob
from skiva.runs.spec import Spec
from skiva.runs.status import Status
from skiva.server.runs.offered import offered
from skiva.server.runs.reading import Readings
from skiva.server.runs.rows import at, row, task_row, told_alike, unreadable

_SPEC = Spec(id="261122-aaaaaaaa", kind="notebook", name="fit", slice="cpu", hours=2.0, cwd="/", created=5.0)
_STATUS = Status(state="running", sentence="It runs.")


def _row(spec: Spec = _SPEC, status: Status = _STATUS) -> dict[str, Any]:
    return row(spec, status, directory="runs/x", result="pickle")


def test_a_row_has_what_was_written_down() -> None:
    """Each field is its own; what is empty is told as nothing."""
    spec = replace(
        _SPEC,
        slice_title="CPU",
        simulated=True,
        source={"notebook": "/n.ipynb", "cell_id": "c1"},
        again_of="261122-bbbbbbbb",
    )
    status = replace(
        _STATUS,
        action="Wait.",
        started=6.0,
        ended=7.0,
        seconds_left=8.0,
        progress={"done": 1, "total": 2, "text": "half", "unit": "x", "more": 1},
        job_id=9,
        node="n1",
        submitted=5.5,
        expected=10.0,
        restarts=3,
        tasks={"running": 1},
        trouble="Slow.",
    )
    assert _row(spec, status) == {
        "id": "261122-aaaaaaaa",
        "name": "fit",
        "kind": "notebook",
        "slice": "cpu",
        "slice_title": "CPU",
        "simulated": True,
        "hours": 2.0,
        "created": 5.0,
        "notebook": "/n.ipynb",
        "cell_id": "c1",
        "state": "running",
        "life": "running",
        "sentence": "It runs.",
        "action": "Wait.",
        "started": 6.0,
        "ended": 7.0,
        "seconds_left": 8.0,
        "progress": {"done": 1.0, "total": 2.0, "text": "half", "unit": "x"},
        "job_id": 9,
        "node": "n1",
        "submitted": 5.5,
        "expected": 10.0,
        "restarts": 3,
        "tasks": {"running": 1},
        "trouble": "Slow.",
        "dir": "runs/x",
        "result": "pickle",
        "again_of": "261122-bbbbbbbb",
    }
    bare = _row(replace(_SPEC, source={}))
    assert (bare["slice_title"], bare["notebook"], bare["cell_id"], bare["again_of"]) == (
        "cpu",
        None,
        None,
        None,
    )
    assert (bare["tasks"], bare["progress"], bare["restarts"], bare["simulated"]) == (None, None, 0, False)
    assert task_row(4, status)["task"] == 4
    assert {name: told for name, told in task_row(4, status).items() if name != "task"}.items() <= _row(
        spec, status
    ).items()


@pytest.mark.parametrize(
    ("where", "field", "most"),
    [
        ("spec", "name", 200),
        ("spec", "slice", 200),
        ("spec", "slice_title", 200),
        ("spec", "again_of", 40),
        ("status", "sentence", 2000),
        ("status", "action", 2000),
        ("status", "node", 200),
        ("status", "trouble", 2000),
    ],
)
def test_no_text_of_a_row_is_endless(where: str, field: str, most: int) -> None:
    """It is cut where nobody reads on."""
    for length in (most, most + 1):
        change: dict[str, Any] = {field: "x" * length}
        told = _row(replace(_SPEC, **change)) if where == "spec" else _row(status=replace(_STATUS, **change))
        assert told[field] == "x" * most
    progress = {"text": "x" * 301, "unit": "y" * 41}
    told_progress = _row(status=replace(_STATUS, progress=progress))["progress"]
    assert told_progress == {"done": None, "total": None, "text": "x" * 300, "unit": "y" * 40}


@example(1e308)
@given(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3) | st.just(10**400))
def test_a_number_of_a_row_is_one_that_browsers_read(value: Any) -> None:
    """Finite, no truth, and whole numbers as far as they count exactly."""
    told = _row(status=replace(_STATUS, started=value, job_id=value))
    number = isinstance(value, int | float) and not isinstance(value, bool)
    finite = number and abs(value) <= sys.float_info.max
    assert told["started"] == (float(value) if finite else None)
    assert told["job_id"] == (int(value) if finite and abs(value) <= 2**53 else None)


def test_a_run_that_cannot_be_read_has_every_field_of_one_that_can() -> None:
    """And says why, as far as anybody would read."""
    told = unreadable("261122-aaaaaaaa", 7.0, directory=None, why="y" * 400)
    assert told.keys() == _row().keys()
    assert (told["id"], told["name"], told["created"], told["kind"]) == (
        *("261122-aaaaaaaa", "261122-aaaaaaaa", 7.0, "unknown"),
    )
    assert (told["state"], told["life"], told["dir"], told["simulated"]) == ("unknown", "ended", None, False)
    assert told["sentence"] == f"What is written about this run cannot be read: {'y' * 300}"
    assert {told[name] for name in ("slice", "slice_title", "action", "node", "trouble")} == {""}
    nothing = ("hours", "job_id", "started", "ended", "seconds_left", "progress", "tasks", "result")
    assert {told[name] for name in nothing} == {None}


def test_only_the_time_that_is_left_may_differ_between_alike_rows() -> None:
    """It runs down by itself, and not below nothing."""
    old = _row(status=replace(_STATUS, seconds_left=10.0))
    assert told_alike(old, {**old, "seconds_left": 3.0})
    assert not told_alike(old, {**old, "node": "n2"})
    assert not told_alike(None, old)
    assert at(old, 100.0, 104.04)["seconds_left"] == 6.0
    assert at(old, 100.0, 111.0)["seconds_left"] == 0.0
    assert old["seconds_left"] == 10.0, "the row itself stays as it was made"
    never = _row()
    assert at(never, 100.0, 104.0) is never


# -- a reading of the queue ----------------------------------------------------------------------


def _jobs() -> Readings:
    return Readings(
        reading(
            QueueJob(job_id=1, state="PENDING", run="a"),
            QueueJob(job_id=2, state="COMPLETED", run="b"),
            QueueJob(job_id=4, array_job_id=3, state="RUNNING", run="c"),
            QueueJob(job_id=5, state="RUNNING"),
            QueueJob(job_id=6, state="SUSPENDED", run="d"),
            taken=100.0,
            trouble="Slow.",
        )
    )


def test_a_reading_is_sorted_by_runs() -> None:
    """Which it speaks of, and of which a job waits, runs or is paused."""
    found = _jobs()
    assert found.runs == {"a", "b", "c", "d"}
    assert found.living == found.living == {"a", "c", "d"}
    assert Readings(None).living == Readings(None).runs == set()


def test_of_one_run_a_reading_tells_its_jobs_alone() -> None:
    """By the job's number or the array's; all of it where the number is not known yet."""
    found = _jobs()
    for number in (3, 4):
        one = found.of("c", number)
        assert one is not None
        assert [job.job_id for job in one.jobs] == [4]
        assert (one.taken, one.trouble) == (100.0, "Slow.")
    assert found.of("a", None) is found.reading
    assert Readings(None).of("a", 1) is None
    gone = found.of("a", 99)
    assert gone is not None
    assert gone.jobs == ()


def test_what_a_reading_says_of_a_run_has_a_mark() -> None:
    """The same while it says the same; each time anew where the job is not there."""
    found, later = _jobs(), _jobs()
    assert found.mark("a", 1) == later.mark("a", 1)
    assert found.mark("a", None) == found.mark("a", 1)
    assert found.mark("a", 1) != found.mark("c", 3)
    absent = Readings(reading(taken=101.0)), Readings(reading(taken=102.0))
    assert absent[0].mark("a", 1) != absent[1].mark("a", 1)
    assert absent[0].mark("a", 1) == Readings(reading(taken=101.0)).mark("a", 1)
    assert absent[0].mark("a", 1) != Readings(reading(taken=101.0, trouble="x")).mark("a", 1)
    assert Readings(None).mark("a", 1) is None


# -- what is offered ------------------------------------------------------------------------------


def test_without_a_site_nothing_is_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    """And what the hub's stream says of slices counts for nothing."""
    from skiva.runs.offer import NoOffer

    def none() -> None:
        raise NoOffer("No site is known here.")

    monkeypatch.setattr("skiva.server.runs.offered.find_offer", none)
    told = offered([{"id": "cpu", "free": 1}, 5, {"id": 5}, {}])
    assert told == {"slices": [], "hours": 1.0, "max_hours": 0.0, "trouble": "No site is known here."}
