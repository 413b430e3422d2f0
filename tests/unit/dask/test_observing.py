"""What is known of worker jobs, from the scheduler, from their own words and from Slurm's queue."""

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.clusters_on_disk import lay_cluster

from skiva.dask.keeping import JobView, Phase
from skiva.dask.observing import KnownJob, last_lines, look
from skiva.dask.place import ClusterDir
from skiva.dask.worker_jobs import job_of, name_of
from skiva.runs.files import write_json
from skiva.runs.queue import QueueJob, Reading

_NOW = 1000.0


def _told(place: ClusterDir, state: str, *, batch: int = 1, tasks: str = "0", **more: object) -> Reading:
    row = {"job_id": 7, "array_job_id": 7, "state": state, "cluster": place.id, "batch": batch}
    return Reading(_NOW, (QueueJob(**{**row, "tasks": tasks, **more}),))  # type: ignore[arg-type]


def _see(
    place: ClusterDir,
    job: KnownJob,
    *,
    there: int = 0,
    workers: int = 1,
    reading: Reading | None = None,
    now: float = _NOW,
    leaving: bool = False,
) -> str:
    look(
        [job],
        place=place,
        there=Counter({job.name: there}),
        workers=workers,
        leaving={job.name} if leaving else set(),
        reading=reading,
        now=now,
    )
    return job.phase


def _job(place: ClusterDir, batch: int = 1, task: int = 0) -> KnownJob:
    place.logs(batch).mkdir(exist_ok=True)
    return KnownJob(name_of(place.id, batch, task), asked=_NOW - 10)


@given(st.integers(1, 10**6), st.integers(0, 10**6))
def test_a_name_tells_batch_and_task(batch: int, task: int) -> None:
    """Names of jobs are taken apart as they were put together, the cluster's own dash included."""
    assert job_of(name_of("261122-abcdefgh", batch, task)) == (batch, task)


def test_a_job_is_followed_from_the_queue_to_its_end(tmp_path: Path) -> None:
    """It waits for Slurm's reason, begins by its own word, is ready when all are there, ends by its word."""
    place = lay_cluster(tmp_path / "c")
    job = _job(place)
    waits = _told(place, "PENDING", reason="It waits.", expected=2000.0)
    assert _see(place, job, reading=waits) == "waiting"
    job.job_id = "7_0"
    told = job.status(2)
    assert (told.state, told.reason, told.expected) == ("queued", "It waits.", 2000.0)
    write_json(place.start(1, 0), {"at": 990.0, "node": "n1", "ends": 5000.0})
    assert _see(place, job, reading=waits, workers=2) == "starting"
    assert (job.node, job.ends, job.status(2).reason) == ("n1", 5000.0, "")
    assert _see(place, job, there=1, workers=2) == "starting"
    assert job.ready_at is None
    assert _see(place, job, there=2, workers=2, now=1010.0) == "ready"
    assert [job.ready_at, job.since] == [1010.0, 1010.0]
    assert _see(place, job, there=2, workers=2, now=1020.0, leaving=True) == "leaving"
    write_json(place.end(1, 0), {"at": 1.0, "how": "ended", "exit": 0, "sentence": "It ended by itself."})
    assert _see(place, job, there=0, workers=2, now=1030.0, leaving=True) == "over"


def test_a_job_whose_workers_are_gone_is_over_soon_though_nobody_says_so(tmp_path: Path) -> None:
    """As with a lost node; what is started anew has some seconds to come back."""
    place = lay_cluster(tmp_path / "c")
    job = _job(place)
    assert _see(place, job, there=2, workers=2) == "ready"
    assert _see(place, job, there=1, workers=2, now=1001.0) == "partial"
    assert _see(place, job, there=0, workers=2, now=1002.0) == "partial"
    assert _see(place, job, there=0, workers=2, now=1006.9) == "partial"
    assert _see(place, job, there=0, workers=2, now=1007.1) == "over"
    third, runs = _job(place, 3), _told(place, "RUNNING", batch=3)
    assert _see(place, third, there=1, reading=runs) == "ready"
    seen = [_see(place, third, reading=runs, now=now) for now in (1001.0, 1020.0, 1030.0, 1032.0)]
    assert seen == ["partial", "partial", "partial", "over"], "while Slurm runs it it has longer"
    other = _job(place, 2)
    assert _see(place, other, there=1) == "ready"
    assert _see(place, other, there=0, now=1001.0) == "partial"
    assert _see(place, other, there=1, now=1003.0) == "ready"
    assert _see(place, other, there=0, now=1004.0) == "partial"
    assert _see(place, other, there=0, now=1008.0) == "partial", "the time counts from its last absence"


def test_a_job_that_slurm_ended_is_over_without_a_word_of_its_own(tmp_path: Path) -> None:
    """Killed, cancelled while it waited, or lost with its node, but not while its workers are there."""
    place = lay_cluster(tmp_path / "c")
    for number, state in enumerate(("CANCELLED by 0", "FAILED", "NODE_FAIL", "OUT_OF_MEMORY"), 1):
        reading = _told(place, state, batch=number)
        assert _see(place, _job(place, number), reading=reading) == "over"
    assert _see(place, _job(place, 9), there=1, reading=_told(place, "FAILED", batch=9)) == "ready"


def test_silence_and_unknown_words_of_slurm_are_nobodys_death(tmp_path: Path) -> None:
    """No reading, one without the job, a state that is new: what waited waits, what worked works."""
    place = lay_cluster(tmp_path / "c")
    for reading in (None, Reading(_NOW), Reading(_NOW, (), "no answer"), _told(place, "BEWILDERED")):
        assert _see(place, _job(place), reading=reading) == "waiting"
        assert _see(place, _job(place), there=1, reading=reading) == "ready"


def test_tasks_that_wait_together_share_a_row_and_one_that_runs_has_its_own(tmp_path: Path) -> None:
    """Also where Slurm cut the list of those that wait short; other clusters' rows count for nothing."""
    place = lay_cluster(tmp_path / "c")
    known = {"array_job_id": 7, "cluster": place.id, "batch": 1}
    rows = (
        QueueJob(job_id=7, state="PENDING", tasks="1-2,4-...", reason="together", **known),  # type: ignore[arg-type]
        QueueJob(job_id=8, state="RUNNING", tasks="0", node="n3", ends=3000.0, **known),  # type: ignore[arg-type]
        QueueJob(job_id=9, state="RUNNING", tasks="1", cluster="261122-zzzzzzzz", batch=1),
    )
    jobs = [_job(place, 1, task) for task in range(6)]
    for job in jobs:
        _see(place, job, reading=Reading(_NOW, rows))
    assert [job.phase for job in jobs] == ["starting", *["waiting"] * 5]
    assert (jobs[0].node, jobs[0].ends) == ("n3", 3000.0)
    assert {job.reason for job in jobs[1:]} == {"together"}


def test_what_a_job_left_on_the_disk_cannot_make_a_look_stumble(tmp_path: Path) -> None:
    """Half a file, other types, a log that is no text, none at all: as if nothing were there."""
    place = lay_cluster(tmp_path / "c")
    job = _job(place)
    place.start(1, 0).write_text('{"at": "yester')
    place.end(1, 0).write_text("[]")
    assert _see(place, job) == "waiting"
    write_json(place.start(1, 0), {"at": "soon", "node": None, "ends": True})
    assert _see(place, job) == "waiting"
    assert last_lines(place, job.name) == ()
    place.log(1, 0).write_bytes(b"\xff\xfe\x00" * 40_000 + b"\nMemoryError: the end\n" + b"x" * 900)
    lines = last_lines(place, job.name)
    assert lines[-2] == "MemoryError: the end"
    assert max(map(len, lines)) <= 500


@pytest.mark.parametrize(
    ("phase", "state"),
    [
        ("waiting", "queued"),
        ("starting", "starting"),
        ("ready", "ready"),
        ("partial", "starting"),
        ("leaving", "leaving"),
        ("over", "ended"),
    ],
)
def test_what_people_are_told_of_a_job(phase: Phase, state: str) -> None:
    """In one of six words; what Slurm says of its waiting belongs to those that wait."""
    job = KnownJob("a-1-0", 1.0, phase, 2.0, "7_0", 1, None, None, 5.0, 9.0, "n1", "Why.", "Do.", False, 8.0)
    told = job.status(3)
    assert (told.name, told.job_id, told.state, told.node) == ("a-1-0", "7_0", state, "n1")
    assert (told.since, told.ends, told.ready, told.workers) == (2.0, 9.0, 1, 3)
    waits = phase == "waiting"
    assert (told.reason, told.action, told.expected) == (("Why.", "Do.", 8.0) if waits else ("", "", None))
    job.job_id = ""
    assert job.status(3).state == ("submitting" if waits else state)
    assert job.view() == JobView("a-1-0", phase, 2.0, None, 9.0)


def test_what_slurms_queue_says_counts_where_it_knows_more(tmp_path: Path) -> None:
    """Of a job that runs its end and its node; of one that waits why, and whether it can ever start."""
    place = lay_cluster(tmp_path / "c", keys=False)
    job = _job(place)
    row: dict[str, Any] = {
        "reason": "Why.",
        "action": "Do.",
        "expected": 8.0,
        "hopeless": True,
        "ends": 7.0,
        "node": "n9",
    }
    _see(place, job, reading=_told(place, "PENDING", **row))
    assert (job.reason, job.action, job.expected, job.hopeless) == ("Why.", "Do.", 8.0, True)
    assert (job.ends, job.node) == (None, ""), "an end that is only expected is none"
    _see(place, job, reading=_told(place, "RUNNING", ends=5000.0, node="n2"))
    assert (job.ends, job.node, job.hopeless) == (5000.0, "n2", False)
    _see(place, job, reading=_told(place, "RUNNING", ends=6000.0, node=""))
    assert (job.ends, job.node) == (6000.0, "n2")
    _see(place, job, reading=_told(place, "RUNNING", node="n3"))
    assert (job.ends, job.node) == (6000.0, "n2")


def test_a_job_is_ready_for_the_first_time_once(tmp_path: Path) -> None:
    """When one of its workers comes back it is as old as it was; what changed when is kept until it does."""
    place = lay_cluster(tmp_path / "c", keys=False)
    job = _job(place)
    for there, now, phase, since in (
        (2, 1000.0, "ready", 1000.0),
        (2, 1001.0, "ready", 1000.0),
        (1, 1002.0, "partial", 1002.0),
        (1, 1003.0, "partial", 1002.0),
        (2, 1004.0, "ready", 1004.0),
    ):
        assert _see(place, job, there=there, workers=2, now=now) == phase
        assert (job.since, job.ready_at, job.gone_at, job.ready) == (since, 1000.0, None, there)
    _see(place, job, there=0, workers=2, now=1005.0)
    _see(place, job, there=0, workers=2, now=1006.0)
    assert job.gone_at == 1005.0


def test_only_the_last_lines_of_a_log_are_told(tmp_path: Path) -> None:
    """Twelve of them, each cut where nobody reads on."""
    place = lay_cluster(tmp_path / "c", keys=False)
    job = _job(place)
    place.log(1, 0).write_text("\n".join(f"{number} {'x' * 600}" for number in range(20)))
    lines = last_lines(place, job.name)
    assert [line.split()[0] for line in lines] == [str(number) for number in range(8, 20)]
    assert {len(line) for line in lines} == {500}
