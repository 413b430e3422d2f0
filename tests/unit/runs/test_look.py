"""What a look at a run's files writes down: ends that Slurm will forget, and since when it lacks the job."""

import json
import time
from pathlib import Path
from typing import Any

import pytest
from tests.support.runs_on_disk import lay, note, opens, reading, run_id, write

from skiva.runs.look import look, look_closely, read_spec, task_statuses
from skiva.runs.paths import RunDir
from skiva.runs.queue import QueueJob, Reading
from skiva.runs.spec import Spec
from skiva.runs.status import MISSING, Status

_LOST = "Its node failed."


def _job(state: str, **more: Any) -> QueueJob:
    return QueueJob(job_id=7, state=state, **more)


class Laid:
    """A run on the disk, and what looking at it tells."""

    def __init__(self, root: Path, **spec: Any) -> None:
        self.run = RunDir(lay(root, run_id(1), end=None, **spec))
        self.spec: Spec = read_spec(self.run)
        self.now = time.time()

    def look(self, told: Reading | None) -> Status:
        """How it is."""
        return look(self.run, self.spec, told, self.now)

    def absent(self, after: float, **more: Any) -> str:
        """The state after a reading that lacks the job, so many seconds from now."""
        return self.look(reading(taken=self.now + after, **more)).state

    @property
    def seen(self) -> Any:
        """What is written down of it."""
        return json.loads(self.run.seen.read_text()) if self.run.seen.exists() else None


@pytest.fixture
def laid(tmp_path: Path) -> Laid:
    """One that has begun, with its job's number."""
    made = Laid(tmp_path)
    note(made.run.path, "started", at=made.now - 90, restarts=0)
    return made


def test_an_end_that_slurm_told_is_written_down_once(laid: Laid) -> None:
    """Slurm forgets the job, or its number is another's by then: the end stays as it was first seen."""
    found = laid.look(reading(_job("NODE_FAIL", ends=5.0)))
    assert (found.state, found.sentence, found.ended) == ("node_failed", _LOST, 5.0)
    assert laid.seen == {"state": "node_failed", "sentence": _LOST, "at": 5.0, "events": 1}
    written = laid.run.seen.stat()  # a second writing would put another file there
    for told in (None, reading(), reading(_job("CANCELLED")), reading(taken=laid.now + 999)):
        assert laid.look(told).state == "node_failed"
    assert laid.run.seen.stat().st_ino == written.st_ino
    assert laid.run.seen.stat().st_mtime_ns == written.st_mtime_ns


def test_an_end_that_the_job_wrote_needs_no_second_word(laid: Laid) -> None:
    """Nothing is written beside it, whatever Slurm says."""
    note(laid.run.path, "ended", how="failed", sentence="So.")
    assert laid.look(reading(_job("NODE_FAIL"))).sentence == "So."
    assert laid.seen is None


def test_a_job_that_went_on_is_looked_for_anew(laid: Laid) -> None:
    """Its end was seen, it began again and was lost again: the first end tells nothing of the second."""
    laid.look(reading(_job("NODE_FAIL", ends=5.0)))
    note(laid.run.path, "started", restarts=1)
    assert laid.look(reading(_job("RUNNING", restarts=1))).state == "running"
    assert laid.absent(10) == "running"
    assert laid.seen == {"missing_since": laid.now + 10}
    assert laid.absent(10 + MISSING) == "vanished"


def test_a_job_is_given_up_after_two_absences_that_are_some_time_apart(laid: Laid) -> None:
    """The first is written down and stays the first; a reading that has the job begins anew."""
    assert [laid.absent(after) for after in (0, 5, MISSING - 1)] == ["running"] * 3
    assert laid.seen == {"missing_since": laid.now}
    assert laid.look(reading(_job("RUNNING"), taken=laid.now + MISSING - 1)).state == "running"
    assert laid.seen == {}
    assert [laid.absent(after) for after in (MISSING, 2 * MISSING - 1)] == ["running"] * 2
    assert laid.absent(2 * MISSING) == "vanished"


def test_a_slurm_in_trouble_lacks_no_job(laid: Laid) -> None:
    """A reading that comes with a complaint is no proof of anything, however often."""
    assert [laid.absent(after, trouble="Slurm is not answering.") for after in (0, 100, 999)] == [
        "running"
    ] * 3
    assert laid.seen is None


def test_a_job_may_show_some_seconds_after_it_was_taken_in(tmp_path: Path) -> None:
    """Absences right after the submission count for nothing."""
    laid = Laid(tmp_path)
    write(laid.run.submission, {"job_id": 7, "at": laid.now})
    assert [laid.absent(after) for after in (1, 5)] == ["queued"] * 2
    assert laid.seen is None
    laid.absent(5.1)
    assert laid.seen == {"missing_since": laid.now + 5.1}


def test_an_end_that_cannot_be_written_down_is_told_all_the_same(laid: Laid) -> None:
    """A full disk keeps nobody from reading."""
    laid.run.seen.mkdir()  # nothing can be put in its place
    assert laid.look(reading(_job("NODE_FAIL"))).state == "node_failed"


def test_each_task_is_given_up_by_itself(tmp_path: Path) -> None:
    """The queue has the array, and lacks the job of one task: the others wait on."""
    laid = Laid(tmp_path, kind="map", tasks=3)
    rest = QueueJob(job_id=7, array_job_id=7, tasks="0,2", state="PENDING")
    for number in range(3):
        (laid.run.task(number).path).mkdir(parents=True)
    for after, states in ((0, ["queued"] * 3), (MISSING, ["queued", "vanished", "queued"])):
        told = reading(rest, taken=laid.now + after)
        found = task_statuses(laid.run, laid.spec, told, laid.now)
        assert [found[number].state for number in range(3)] == states
    assert laid.look(reading(rest, taken=laid.now + MISSING)).tasks == {"queued": 2, "vanished": 1}


def test_a_map_that_was_never_handed_over_is_refused_as_a_whole(tmp_path: Path) -> None:
    """Its submitter died before Slurm was asked: so each of its tasks can be run again."""
    laid = Laid(tmp_path, kind="map", tasks=2, job_id=None)
    for after in (100, 100 + MISSING):
        found, tasks = look_closely(laid.run, laid.spec, reading(taken=laid.now + after), laid.now)
    assert found.state == "refused"
    assert laid.seen["state"] == "refused"
    assert [one.state for one in tasks.values()] == ["refused"] * 2
    found, tasks = look_closely(laid.run, laid.spec, None, laid.now)
    assert [one.state for one in (found, *tasks.values())] == ["refused"] * 3


def test_tasks_that_have_ended_are_not_looked_at_again(tmp_path: Path) -> None:
    """Whoever watches a map of thousands opens the files of those alone that go on."""
    laid = Laid(tmp_path, kind="map", tasks=2)
    for number in range(2):
        laid.run.task(number).path.mkdir(parents=True)
        note(laid.run.task(number).path, "ended", how="completed", sentence="So.")
    known = Status(state="failed", sentence="As it was known.")
    with opens() as opened:
        _, tasks = look_closely(laid.run, laid.spec, None, laid.now, {0: known})
    assert tasks[0] is known
    assert tasks[1].state == "completed"
    assert [Path(one).parent.name for one in opened if "/tasks/" in one].count("0") == 0
    assert str(laid.run.task(1).journal) in opened
