"""The list of runs in memory: complete, never behind its versions, and cheap."""

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.runs_on_disk import Clock, lay, note, reading, run_id, write

from skiva.runs.queue import QueueJob
from skiva.server.runs.index import Index


@pytest.fixture
def clock() -> Clock:
    """One for the test's index."""
    return Clock()


def names(answer: dict[str, Any]) -> list[str]:
    """Of the runs in an answer."""
    return [row["id"] for row in answer["runs"]]


# -- order and pages -----------------------------------------------------------------------------


@given(st.integers(0, 12), st.integers(1, 5), st.booleans())
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_pages_together_are_all_runs_newest_first(
    tmp_path_factory: pytest.TempPathFactory, number: int, limit: int, days: bool
) -> None:
    """However large a page is, none is told twice and none is left out."""
    root = tmp_path_factory.mktemp("runs")
    made = []
    for at in range(number):
        run = run_id(at, f"2611{20 + at // 3 if days else 22}")
        os.utime(lay(root, run) / "spec.json", (1000 + at, 1000 + at))
        made.append(run)
    index, before = Index(root), None
    told: list[str] = []
    for _ in range(number + 1):
        answer = index.answer(None, limit=limit, before=before)
        assert len(answer["runs"]) <= limit
        told += names(answer)
        if not answer["more"]:
            break
        before = told[-1]
    assert told == made[::-1]


def test_a_run_that_slurm_speaks_of_is_told_however_old_it_is(tmp_path: Path) -> None:
    """A page of newer ones does not hide what still waits."""
    old = run_id(1, "260101")
    lay(tmp_path, old, end=None, job_id=5)
    for number in range(3):
        lay(tmp_path, run_id(number))
    index = Index(tmp_path)
    first = index.answer(None, limit=2)
    assert old not in names(first)
    queue = reading(QueueJob(job_id=5, state="PENDING", run=old, reason="Others go first."))
    later = index.answer(queue, since=first["version"])
    assert [(row["id"], row["sentence"]) for row in later["runs"]] == [(old, "Others go first.")]


# -- versions ------------------------------------------------------------------------------------

_STEPS = st.lists(
    st.tuples(
        st.sampled_from(["new", "start", "progress", "end", "remove", "back", "ask", "part"]),
        st.integers(0, 5),
    ),
    max_size=25,
)


class Person:
    """Runs that change, and a page that follows them by asking what has changed."""

    def __init__(self, root: Path) -> None:
        self.root = root / "runs"
        self.trash = root / "trash"
        self.trash.mkdir(parents=True)
        self.clock = Clock()
        self.index = Index(self.root, clock=self.clock)
        self.page: dict[str, Any] = {}
        self.version: int | None = None

    def do(self, what: str, number: int) -> None:
        """One step; one that is not possible now is none."""
        run = run_id(number)
        place, away = self.root / run, self.trash / run
        there, over = place.exists(), (place / "over").exists()
        self.clock.ahead += 1
        if what == "new" and not there and not away.exists():
            lay(self.root, run, end=None)
        elif what == "start" and there and not over:
            note(place, "started", node="n1")
        elif what == "progress" and there and not over:
            write(place / "progress.json", {"done": self.clock.ahead, "total": 1000, "text": "", "unit": ""})
        elif what == "end" and there and not over:
            note(place, "ended", how="completed", sentence="Done.")
            (place / "over").touch()
        elif what == "remove" and there:
            place.rename(away)
        elif what == "back" and away.exists() and not there:
            away.rename(place)
        elif what in {"ask", "part"}:
            self.ask(1 if what == "part" else 200)

    def ask(self, limit: int) -> bool:
        """Take what has changed; whether there is more."""
        answer = self.index.answer(None, since=self.version, limit=limit)
        if answer["whole"]:
            self.page = {}
        for gone in answer["removed"]:
            self.page.pop(gone, None)
        self.page |= {row["id"]: row for row in answer["runs"]}
        self.version = answer["version"]
        return bool(answer["more"]) and not answer["whole"]


@given(_STEPS)
@settings(max_examples=60, deadline=None)
def test_whoever_asks_what_has_changed_sees_what_whoever_begins_anew_sees(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    """Whatever happens between two questions, and in however small pieces it is answered: nothing is lost."""
    person = Person(tmp_path_factory.mktemp("person"))
    person.ask(200)
    for what, number in steps:
        person.do(what, number)
    for _ in range(50):
        if not person.ask(1):
            break
    fresh = Index(person.root, clock=person.clock).answer(None)
    bare = {name: {**row, "seconds_left": None} for name, row in person.page.items()}
    assert bare == {row["id"]: {**row, "seconds_left": None} for row in fresh["runs"]}


def test_a_version_of_an_earlier_server_begins_anew(tmp_path: Path) -> None:
    """A page that outlived its server gets the whole list, not the changes since another's count."""
    lay(tmp_path, run_id(1))
    old = Index(tmp_path, clock=lambda: 1000.0).answer(None)
    new = Index(tmp_path, clock=lambda: 2000.0)
    for since in (old["version"], 10**16, 0):
        answer = new.answer(None, since=since)
        assert answer["whole"]
        assert len(answer["runs"]) == 1
    assert not new.answer(None, since=answer["version"])["whole"]


def test_time_that_runs_down_is_no_change(tmp_path: Path, clock: Clock) -> None:
    """A run that only comes nearer to its end is not told again; where it is told, its time is right."""
    run = run_id(1)
    lay(tmp_path, run, end=None, job_id=5)
    ends = clock() + 100
    queue = reading(QueueJob(job_id=5, state="RUNNING", run=run, ends=ends), taken=clock())
    index = Index(tmp_path, clock=clock)
    first = index.answer(queue)
    clock.ahead += 60
    assert index.answer(queue, since=first["version"])["runs"] == []
    left = index.answer(queue)["runs"][0]["seconds_left"]
    assert left == pytest.approx(ends - clock(), abs=1)


def test_a_job_that_was_put_back_is_seen_although_its_run_had_ended(tmp_path: Path, clock: Clock) -> None:
    """An operator can requeue what had been told as lost with its node."""
    run = run_id(1)
    lay(tmp_path, run, end=None, job_id=5)
    index = Index(tmp_path, clock=clock)
    lost = reading(QueueJob(job_id=5, state="NODE_FAIL", run=run), taken=clock())
    first = index.answer(lost)
    assert first["runs"][0]["state"] == "node_failed"
    (tmp_path / run / "seen.json").unlink()
    note(tmp_path / run, "started", node="n2")
    clock.ahead += 30
    back = reading(QueueJob(job_id=5, state="RUNNING", run=run, node="n2"), taken=clock())
    assert index.answer(back, since=first["version"])["runs"][0]["state"] == "running"


def test_changes_within_one_tick_of_the_disks_clock_are_seen(tmp_path: Path) -> None:
    """Two files of the same size in the same millisecond are two files."""
    run = run_id(1)
    place = lay(tmp_path, run, end=None)
    index = Index(tmp_path)
    for done in range(10, 60):
        write(place / "progress.json", {"done": done})
        assert index.one(run, None)["progress"]["done"] == done
        write(place / "progress.json", {"done": 60 + done % 10})
        index._entries[run].due = 0
        (row,) = index.answer(None)["runs"]
        assert row["progress"]["done"] == 60 + done % 10
