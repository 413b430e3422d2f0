"""What is known of the queue: told by the server, whatever its file holds, or by Slurm itself."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.fake_runs import FakePerson

from skiva.runs import queue as queue_module
from skiva.runs.queue import Queue, QueueJob, Reading, from_event, from_jobs
from skiva_slurm.jobs import Array, Job

_odd: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda some: st.lists(some, max_size=2) | st.dictionaries(st.text(max_size=5), some, max_size=2),
    max_leaves=4,
)
_FIELDS = (
    "job_id",
    "slurm_state",
    "run",
    "array",
    "cluster",
    "reason",
    "action",
    "expected",
    "starts",
    "ends",
    "restarts",
)
_job = st.fixed_dictionaries({"job_id": st.integers() | _odd}, optional=dict.fromkeys(_FIELDS[1:], _odd))


@settings(max_examples=60)
@given(_odd, st.lists(_job | _odd, max_size=3) | _odd, _odd)
def test_any_event_of_the_queue_is_read_or_left_out(taken: Any, jobs: Any, trouble: Any) -> None:
    """What the server's file holds never stops anything."""
    assert from_event({"taken": taken, "jobs": jobs, "trouble": trouble}) is None or isinstance(jobs, list)
    found = from_event({"taken": 1.0, "jobs": [*(jobs if isinstance(jobs, list) else ()), {"job_id": 1}]})
    assert found is not None
    assert found.jobs[-1] == QueueJob(job_id=1, state="")
    for job in found.jobs:
        assert job.life
        assert job.ends is None or job.ends < 1e12


@pytest.mark.parametrize(
    "at", [None, "soon", float("nan"), True, [], 0, lambda: time.time() - 50, lambda: time.time() + 50]
)
def test_a_file_of_the_queue_without_a_recent_time_is_not_believed(
    tmp_path: Path, at: float | str | Callable[[], float]
) -> None:
    """Too old, from the future, or of no time at all."""
    told: dict[str, Any] = {"at": at() if callable(at) else at, "taken": 1.0, "jobs": []}
    (tmp_path / "queue.json").write_text(json.dumps(told))
    assert Queue({"SKIVA_RUN_DIR": str(tmp_path)}).told() is None
    for age in (0, 30):  # the server may be late with the next one
        (tmp_path / "queue.json").write_text(json.dumps({**told, "at": time.time() - age}))
        assert Queue({"SKIVA_RUN_DIR": str(tmp_path)}).told() == Reading(1.0)


_RUN, _CLUSTER = "261122-aaaaaaaa", "261122-bbbbbbbb"
_WAITS = Job(7, "ann", "PENDING", "QOSMaxJobsPerUserLimit", start=50.0, end=90.0, tag=f"skiva-run:{_RUN}")
_RUNS = Job(8, "ann", "RUNNING", "Priority", nodes=("n1", "n2"), start=50.0, end=90.0, restarts=2)
_WORKS = Job(9, "ann", "RUNNING", tag=f"skiva-cluster:{_CLUSTER}:3:7", array=Array(9, "0-3%2"))
_ENDED = Job(10, "ann", "FAILED", start=50.0, end=60.0, exit_code="1:0", array=Array(7, "1"))
_FOREIGN = Job(11, "bob", "RUNNING", tag=f"skiva-run:{_RUN}")


def test_slurms_own_answer_is_read_as_it_is() -> None:
    """A job that waits has an expected start and a reason in words; one that runs has begun and will end."""
    found = from_jobs([_WAITS, _RUNS, _WORKS, _ENDED, _FOREIGN], "ann", 99.0)
    assert found.taken == 99.0
    waits, runs, works, ended = found.jobs
    assert waits.reason
    assert waits.reason != "QOSMaxJobsPerUserLimit"
    assert (waits.run, waits.expected, waits.started, waits.ends, waits.node) == (_RUN, 50.0, None, None, "")
    assert runs == QueueJob(job_id=8, state="RUNNING", started=50.0, ends=90.0, node="n1", restarts=2)
    assert (works.run, works.cluster, works.batch) == ("", _CLUSTER, 3)
    assert (works.array_job_id, works.tasks) == (9, "0-3%2")
    assert (ended.array_job_id, ended.tasks, ended.exit_code, ended.ends) == (7, "1", "1:0", 60.0)
    assert len(from_jobs([_FOREIGN], "", 99.0).jobs) == 1


def test_a_job_that_can_never_start_is_known_as_such() -> None:
    """With words and an action, from Slurm as from the hub."""
    [job] = from_jobs([Job(7, "ann", "PENDING", "BadConstraints")], "ann", 1.0).jobs
    assert (job.hopeless, bool(job.reason), bool(job.action)) == (True, True, True)
    [job] = from_jobs([Job(7, "ann", "PENDING", "Priority")], "ann", 1.0).jobs
    assert (job.hopeless, bool(job.reason)) == (False, True)


def test_an_event_of_the_hub_tells_all_of_a_job() -> None:
    """Field for field, under the names that the stream has."""
    told = {
        "job_id": 7, "slurm_state": "PENDING", "run": _RUN, "cluster": {"id": _CLUSTER, "batch": 3},
        "array": {"job_id": 6, "tasks": "1-3"}, "reason": "All are in use.", "action": "Wait.",
        "hopeless": True, "expected": 1.0, "starts": 2.0, "ends": 3.0, "node": "n1", "restarts": 4,
        "exit_code": "0:9",
    }  # fmt: skip
    found = from_event({"taken": 5, "jobs": [told, {"job_id": "7"}, "7"], "trouble": "Slow."})
    job = QueueJob(
        job_id=7, state="PENDING", run=_RUN, cluster=_CLUSTER, batch=3, array_job_id=6, tasks="1-3",
        reason="All are in use.", action="Wait.", hopeless=True, expected=1.0, started=2.0, ends=3.0,
        node="n1", restarts=4, exit_code="0:9",
    )  # fmt: skip
    assert found == Reading(5.0, (job,), "Slow.")
    for odd in ("3", True, None):
        event = from_event({"taken": 5, "jobs": [{**told, "cluster": {"id": _CLUSTER, "batch": odd}}]})
        assert event is not None
        assert (event.jobs[0].cluster, event.jobs[0].batch) == (_CLUSTER, None)


def test_jobs_of_a_run_are_found_by_number_or_by_mark() -> None:
    """By its own number or its array's, where that is known, but never one that another run claims."""
    own, task, other = (
        QueueJob(job_id=7, state="RUNNING"),
        QueueJob(job_id=9, array_job_id=7, tasks="1", state="RUNNING", run=_RUN),
        QueueJob(job_id=7, state="RUNNING", run=_CLUSTER),
    )
    found = Reading(1.0, (own, task, other))
    assert found.of_run(_RUN, 7) == (own, task)
    assert found.of_run(_RUN, 9) == (task,)
    assert found.of_run(_RUN, None) == (task,)
    works = QueueJob(job_id=8, state="RUNNING", cluster=_CLUSTER)
    assert Reading(1.0, (own, works)).of_cluster(_CLUSTER) == (works,)


def test_slurm_is_asked_seldom_and_its_silence_makes_nothing_newer(
    person: FakePerson, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once in five seconds, however often somebody looks; a failure keeps the last answer and its age."""
    now = [1000.0]
    moments = SimpleNamespace(monotonic=lambda: now[0], time=lambda: now[0])
    monkeypatch.setattr(queue_module, "time", moments)
    number, queue = person.slurm.add_job(user="ann"), Queue(person.env)
    person.slurm.add_job(user="bob")
    for now[0] in (1000.0, 1004.9, 1005.0):
        assert (found := queue.reading()) is not None
        assert ([job.job_id for job in found.jobs], found.trouble) == ([number], "")
    assert len(person.slurm.calls("squeue")) == 2
    person.slurm.fault("squeue", fail="slurm_load_jobs error: Unable to contact slurm controller")
    now[0] = 1010.0
    assert (silent := queue.reading()) is not None
    assert (silent.taken, [job.job_id for job in silent.jobs]) == (1005.0, [number])
    assert "not answering" in silent.trouble
    assert (never := Queue(person.env).reading()) is not None
    assert (never.taken, never.jobs) == (0.0, ())
