"""How a run is told to be: always something, never worse than what is known, and the same for all."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skiva.runs.queue import QueueJob, Reading
from skiva.runs.spec import Spec
from skiva.runs.status import ENDED, MISSING, Status, Traces, status
from skiva.runs.tasks import combined
from skiva.runs.traces import has_task
from skiva_slurm.states import JOB_STATES

_ID = "261122-aaaaaaaa"
_NOW = 1_800_000_000.0
_SPEC = Spec(id=_ID, name="n", kind="function", created=_NOW - 500, slice="cpu", hours=1, cwd="/")

_odd = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.lists(st.none())
_times = st.floats(_NOW - 1000, _NOW) | _odd
_ends = st.sampled_from(sorted(ENDED)) | _odd
_events = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "event": st.sampled_from(["started", "warned", "requeued", "interrupted", "ended", "new"]) | _odd,
            "at": _times,
            "how": _ends,
            "sentence": _odd,
            "restarts": st.integers(-1, 3) | _odd,
            "node": _odd,
        },
    ),
    max_size=5,
)
_told = st.none() | st.fixed_dictionaries(
    {},
    optional={"at": _times, "job_id": st.integers(1, 9) | _odd, "state": _ends, "sentence": _odd}
    | {"missing_since": _times, "events": st.integers(0, 5) | _odd},
)
_traces = st.builds(
    Traces,
    events=_events,
    submission=_told,
    refused=_told,
    cancel=_told,
    seen=_told,
    progress=_told,
    has_result=st.booleans(),
)
_words = st.sampled_from([*JOB_STATES, "", " ", "+", "CANCELLED by 0", "PREEMPTED+REQUEUED", "WHO KNOWS"])
_jobs = st.builds(
    QueueJob,
    job_id=st.integers(1, 9),
    state=_words,
    run=st.sampled_from(["", _ID, "261122-bbbbbbbb"]),
    array_job_id=st.none() | st.integers(1, 9),
    tasks=st.sampled_from(["", "0", "0-3%2", "1,3-", "...", "x", "٣", "1-x,2"]),
    ends=st.none() | st.floats(_NOW - 1000, _NOW + 1000),
    restarts=st.integers(0, 3),
)
_readings = st.none() | st.builds(
    Reading,
    st.floats(0, _NOW),
    st.lists(_jobs, max_size=4).map(tuple),
    st.sampled_from(["", "Slurm is not answering"]),
)
_silent = st.none() | st.builds(Reading, st.just(_NOW), st.just(()))


def _job(state: str, **more: Any) -> QueueJob:
    return QueueJob(job_id=7, state=state, run=_ID, **more)


def _reading(*jobs: QueueJob, taken: float = _NOW) -> Reading:
    return Reading(taken, jobs)


@settings(max_examples=200)
@given(_traces, _readings, st.none() | st.integers(0, 4))
def test_whatever_the_files_and_the_queue_say_there_is_a_status(
    traces: Traces, reading: Reading | None, task: int | None
) -> None:
    """Any combination gives a known state, one of three lives, and words for an end."""
    found = status(_SPEC, traces, reading, _NOW, task)
    assert found.life in {"waiting", "running", "ended"}
    assert found.over == (found.life == "ended")
    assert isinstance(found.sentence, str)
    assert found.sentence
    for told in (found.started, found.ended, found.submitted, found.seconds_left):
        assert told is None or told >= 0


@given(_traces, _readings, st.sampled_from(sorted(ENDED)))
def test_an_end_that_the_job_wrote_wins(traces: Traces, reading: Reading | None, how: str) -> None:
    """Whatever the queue says, and whatever was written before: the line is believed."""
    events = [event for event in traces.events if event.get("event") != "ended"]
    line = {"event": "ended", "at": _NOW, "how": how, "sentence": "So it was."}
    told = replace(traces, events=[*events, line], refused=None)
    found = status(_SPEC, told, reading, _NOW)
    assert (found.state, found.sentence, found.ended) == (how, "So it was.", _NOW)


@given(_traces, _silent)
def test_silence_and_one_absence_end_nothing(traces: Traces, reading: Reading | None) -> None:
    """With no reading, or the first that lacks the job, a run without a written end is not over."""
    events = [event for event in traces.events if event.get("event") != "ended"]
    told = replace(traces, events=events, refused=None, seen=None)
    assert not status(_SPEC, told, reading, _NOW).over


@given(st.floats(0, MISSING - 0.001), _traces)
def test_two_absences_too_close_together_end_nothing(apart: float, traces: Traces) -> None:
    """A job is given up only when the readings that lack it are some time apart."""
    events = [event for event in traces.events if event.get("event") != "ended"]
    seen = {"missing_since": _NOW - apart}
    told = replace(traces, events=events, refused=None, seen=seen)
    assert not status(_SPEC, told, _reading(), _NOW).over


def test_a_run_that_two_readings_lack_has_vanished() -> None:
    """It began, Slurm no longer knows it, and it left no word."""
    traces = Traces(
        events=[{"event": "started", "at": _NOW - 400}],
        submission={"job_id": 7, "at": _NOW - 500},
        seen={"missing_since": _NOW - MISSING - 1},
    )
    assert status(_SPEC, traces, _reading(), _NOW).state == "vanished"
    assert status(_SPEC, replace(traces, has_result=True), _reading(), _NOW).state == "completed"
    assert status(_SPEC, replace(traces, cancel={"at": _NOW}), _reading(), _NOW).state == "cancelled"


def test_a_reading_that_is_older_than_the_start_does_not_make_it_a_second_one() -> None:
    """The queue was read while the job still waited; by its own word it runs since."""
    traces = Traces(
        events=[{"event": "started", "at": _NOW, "restarts": 0}], submission={"job_id": 7, "at": _NOW - 3}
    )
    assert status(_SPEC, traces, _reading(_job("PENDING"), taken=_NOW - 1), _NOW).state == "running"
    again = status(_SPEC, traces, _reading(_job("PENDING", restarts=1)), _NOW)
    assert again.state == "requeued"
    newer = replace(traces, events=[*traces.events, {"event": "started", "at": _NOW, "restarts": 1}])
    assert status(_SPEC, newer, _reading(_job("RUNNING")), _NOW).state == "running"


def test_a_number_that_slurm_gave_away_again_is_not_this_run() -> None:
    """Another run's job under the same number tells nothing of this one."""
    traces = Traces(submission={"job_id": 7, "at": _NOW - 500})
    other = QueueJob(job_id=7, state="RUNNING", run="261122-bbbbbbbb")
    assert status(_SPEC, traces, _reading(other), _NOW).state == "queued"


def test_an_end_that_somebody_saw_is_over_only_until_the_job_goes_on() -> None:
    """A job that operators put back after its end is told as it is now."""
    seen = {"state": "node_failed", "sentence": "Its node failed.", "at": _NOW - 50, "events": 1}
    began = {"event": "started", "at": _NOW - 100, "restarts": 0}
    traces = Traces(events=[began], submission={"job_id": 7, "at": _NOW - 200}, seen=seen)
    assert status(_SPEC, traces, None, _NOW).state == "node_failed"
    again = replace(traces, events=[began, {"event": "started", "at": _NOW, "restarts": 1}])
    assert status(_SPEC, again, _reading(_job("RUNNING", restarts=1)), _NOW).state == "running"


@pytest.mark.parametrize(
    ("word", "state"),
    [
        ("NODE_FAIL", "node_failed"),
        ("OUT_OF_MEMORY", "out_of_memory"),
        ("TIMEOUT", "time_limit"),
        ("PREEMPTED", "preempted"),
        ("CANCELLED by 0", "cancelled"),
        ("FAILED", "killed"),
        ("COMPLETED", "killed"),
        ("BOOT_FAIL", "node_failed"),
    ],
)
def test_where_the_job_left_no_word_slurm_has_it(word: str, state: str) -> None:
    """Slurm's word for the end is the run's, unless there is a result."""
    traces = Traces(events=[{"event": "started", "at": _NOW - 9}], submission={"job_id": 7, "at": _NOW - 10})
    found = status(_SPEC, traces, _reading(_job(word)), _NOW)
    assert (found.state, found.over) == (state, True)
    assert status(_SPEC, replace(traces, has_result=True), _reading(_job(word)), _NOW).state == "completed"


def test_a_last_line_that_is_not_seen_yet_is_waited_for() -> None:
    """A job that ended by itself has written one; on another machine's disk it shows a moment later."""
    traces = Traces(events=[{"event": "started", "at": _NOW - 9}], submission={"job_id": 7, "at": _NOW - 10})
    for word, code in (("COMPLETED", "0:0"), ("FAILED", "1:0")):
        job = _job(word, ends=_NOW - 5, exit_code=code)
        assert status(_SPEC, traces, _reading(job), _NOW).state == "ending"
        assert status(_SPEC, traces, _reading(job), _NOW + 60).state == "killed"
    killed = _job("FAILED", ends=_NOW - 5, exit_code="0:9")
    assert status(_SPEC, traces, _reading(killed), _NOW).state == "killed"


def test_a_job_that_does_not_end_when_told_to_is_said_to_run() -> None:
    """After a while "is being cancelled" would be a lie."""
    traces = Traces(submission={"job_id": 7, "at": _NOW - 500}, cancel={"at": _NOW - 5})
    for word in ("RUNNING", "PENDING"):
        assert status(_SPEC, traces, _reading(_job(word)), _NOW).state == "ending"
    assert status(_SPEC, traces, None, _NOW).state == "ending"
    old = replace(traces, cancel={"at": _NOW - 300})
    found = status(_SPEC, old, _reading(_job("RUNNING")), _NOW)
    assert found.state == "running"
    assert "cancel it once more" in found.sentence


_states = st.sampled_from([*sorted(ENDED), "queued", "running", "ending", "requeued", "preparing", "unknown"])


@given(_states, st.lists(_states, min_size=1, max_size=8))
def test_a_map_is_over_when_all_of_it_is(whole: str, states: list[str]) -> None:
    """It counts every task once, is over only with the last one, and completed only if all completed."""
    tasks = [Status(state=state, sentence=state, started=_NOW) for state in states]
    found = combined(Status(state=whole), tasks)
    assert sum((found.tasks or {}).values()) == len(tasks)
    assert found.progress is not None
    assert found.progress["done"] == sum(task.over for task in tasks)
    if any(task.over for task in tasks) or not Status(state=whole).over:
        assert found.over == all(task.over for task in tasks)
    if all(task.over for task in tasks):
        assert (found.state == "completed") == (set(states) == {"completed"})


@given(st.text("0123456789-,%x. ٣", max_size=12), st.integers(0, 20))
def test_any_list_of_tasks_can_be_asked(told: str, task: int) -> None:
    """What Slurm writes for the tasks of a row never stops anything."""
    assert has_task(told, task) in {True, False}


def test_lists_of_tasks_are_read_as_slurm_writes_them() -> None:
    """Numbers, ranges, a limit, and a list that was cut short."""
    assert [task for task in range(9) if has_task("0,2-4,7%3", task)] == [0, 2, 3, 4, 7]
    assert has_task("0,2,...", 99)
    assert not has_task("", 0)
    assert [task for task in range(20) if has_task("7-15:4,18%2", task)] == [7, 11, 15, 18]


def test_the_cancelled_rest_of_a_map_is_cancelled_and_not_vanished() -> None:
    """After `scancel` a rest that waited is one job without tasks; tasks that ran keep their own."""
    spec = replace(_SPEC, kind="map", tasks=4)
    rest = QueueJob(job_id=7, state="CANCELLED", run=_ID)
    ran = QueueJob(job_id=8, state="COMPLETED", run=_ID, array_job_id=7, tasks="0", exit_code="0:0")
    reading = Reading(_NOW, (rest, ran))
    traces = Traces(submission={"job_id": 7, "at": _NOW - 100})
    told = [status(spec, traces, reading, _NOW, task).state for task in range(4)]
    assert told[1:] == ["cancelled"] * 3
    assert told[0] != "cancelled"
