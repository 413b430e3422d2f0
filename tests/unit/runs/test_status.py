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
from skiva.runs.traces import has_task, known_job, of_task, time_told
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


_SUBMITTED = {"job_id": 7, "at": _NOW - 900}
_BEGAN = {"event": "started", "at": _NOW - 600, "node": "n1", "restarts": 0}
_AGAIN = {"event": "started", "at": _NOW - 60, "node": "n2", "restarts": 1}
_WARNED = {"event": "warned", "at": _NOW - 1}
_CUT = {"event": "interrupted", "at": _NOW - 1, "how": "time_limit", "sentence": "Stopped by the time limit."}
_PUT_BACK = {"event": "requeued", "at": _NOW - 1, "sentence": "Its time limit came."}
_WAITS_AGAIN = "It begins again in another job. It waits for its turn."
_BY_ITSELF = {"ends": _NOW - 5, "exit_code": "0:0"}


@pytest.mark.parametrize(
    ("events", "job", "told"),
    [
        # It waits, for the first time and again; no run with a job that waits is over.
        ([], _job("PENDING"), ("queued", "waiting", "It waits for its turn.")),
        ([], _job("PENDING", reason="Soon."), ("queued", "waiting", "Soon.")),
        ([_BEGAN], _job("PENDING", restarts=1), ("requeued", "waiting", _WAITS_AGAIN)),
        ([_BEGAN, _WARNED], _job("PENDING", restarts=1), ("requeued", "waiting", _WAITS_AGAIN)),
        ([_BEGAN, _CUT], _job("PENDING", restarts=1), ("requeued", "waiting", _WAITS_AGAIN)),
        ([_BEGAN, _CUT], _job("PENDING"), ("requeued", "waiting", _WAITS_AGAIN)),
        ([_BEGAN, _PUT_BACK], _job("PENDING"), ("requeued", "waiting", _WAITS_AGAIN)),
        ([_BEGAN, _CUT], None, ("requeued", "waiting", "Stopped by the time limit.")),
        ([_BEGAN, _PUT_BACK], None, ("requeued", "waiting", "Its time limit came.")),
        # It runs.
        ([_BEGAN], _job("RUNNING"), ("running", "running", "Running.")),
        ([_BEGAN, _WARNED], _job("RUNNING"), ("running", "running", "Running; its time limit is near.")),
        ([_BEGAN], _job("SUSPENDED"), ("running", "running", "It is suspended for now.")),
        ([_BEGAN], None, ("running", "running", "Running.")),
        ([_BEGAN, _WARNED], None, ("running", "running", "Running.")),
        ([_BEGAN], _job("COMPLETING"), ("ending", "running", "It is ending.")),
        # It has ended without a word of its own.
        ([_BEGAN], _job("COMPLETED", **_BY_ITSELF), ("ending", "running", "It is ending.")),
        (
            [_BEGAN],
            _job("FAILED", exit_code="0:9"),
            (
                "killed",
                "ended",
                "It ended without a word (Slurm: FAILED, exit code 0:9); the end of its log may tell why.",
            ),
        ),
        (
            [],
            _job("FAILED"),
            (
                "killed",
                "ended",
                "It failed before it began (Slurm: FAILED, exit code ?); the end of its log may tell why.",
            ),
        ),
        # Slurm says what nobody here knows.
        (
            [_BEGAN],
            _job("WHO KNOWS"),
            ("unknown", "waiting", "Slurm reports a state that is not known here."),
        ),
    ],
)
def test_a_run_is_told_as_its_files_and_the_queue_have_it(
    events: list[Any], job: QueueJob | None, told: tuple[str, str, str]
) -> None:
    """State, life and sentence of each, exactly."""
    traces = Traces(events=events, submission=_SUBMITTED)
    found = status(_SPEC, traces, _reading(job) if job else None, _NOW)
    assert (found.state, found.life, found.sentence) == told


def test_times_and_places_are_those_of_the_job_that_runs_now() -> None:
    """It began with its first job, is where its last one is, and has the time that Slurm gives that one."""
    traces = Traces(events=[_BEGAN, _AGAIN], submission=_SUBMITTED)
    found = status(_SPEC, traces, _reading(_job("RUNNING", restarts=1, ends=_NOW + 50, node="n9")), _NOW)
    assert (found.submitted, found.started, found.seconds_left) == (_NOW - 900, _NOW - 600, 50)
    assert (found.job_id, found.node, found.restarts) == (7, "n2", 1)
    late = status(_SPEC, traces, _reading(_job("RUNNING", restarts=1, ends=_NOW - 50)), _NOW)
    assert late.seconds_left == 0
    unseen = status(_SPEC, Traces(), _reading(_job("RUNNING", started=_NOW - 3, node="n9")), _NOW)
    assert (unseen.job_id, unseen.started, unseen.node) == (7, _NOW - 3, "n9")
    by_files = status(_SPEC, traces, None, _NOW)
    assert by_files.seconds_left == 3600 - 60
    assert status(_SPEC, replace(traces, events=[_BEGAN, _WARNED]), None, _NOW).seconds_left is None
    waits = status(_SPEC, Traces(), _reading(_job("PENDING", expected=_NOW + 9, action="Wait.")), _NOW)
    assert (waits.expected, waits.action) == (_NOW + 9, "Wait.")


def test_of_several_jobs_the_liveliest_speaks() -> None:
    """A map runs while one of its tasks does, and waits while one waits."""
    jobs = [_job(word) for word in ("FAILED", "WHO KNOWS", "PENDING", "COMPLETING", "SUSPENDED", "RUNNING")]
    told = []
    while jobs:
        told.append(status(_SPEC, Traces(submission=_SUBMITTED), _reading(*jobs), _NOW).sentence.split()[0:4])
        jobs.pop()
    assert [" ".join(words) for words in told] == [
        *("Running.", "It is suspended for", "It is ending.", "It waits for its", "It failed before it"),
        "It failed before it",
    ]


def test_a_run_that_slurm_lacks_ends_as_its_last_word_says() -> None:
    """Interrupted for good: as it was then. Without a submission: never handed over, once that is sure."""
    gone = {"missing_since": _NOW - MISSING}
    cut = Traces(events=[_BEGAN, _CUT], submission=_SUBMITTED, seen=gone)
    found = status(_SPEC, cut, _reading(), _NOW)
    assert (found.state, found.sentence, found.ended) == ("time_limit", _CUT["sentence"], _NOW - 1)
    odd = replace(cut, events=[_BEGAN, {**_CUT, "how": "great"}])
    assert status(_SPEC, odd, _reading(), _NOW).state == "vanished"
    for age, state in ((119, "preparing"), (121, "refused")):
        young = replace(_SPEC, created=_NOW - age)
        assert status(young, Traces(seen=gone), _reading(), _NOW).state == state


def test_an_end_that_was_seen_has_its_words_unless_there_is_a_result() -> None:
    """The job had completed before its node was lost: that is what counts."""
    seen = {"state": "node_failed", "sentence": "Its node is burning.", "at": _NOW - 50, "events": 1}
    traces = Traces(events=[_BEGAN], submission=_SUBMITTED, seen=seen)
    found = status(_SPEC, traces, None, _NOW)
    assert (found.state, found.sentence, found.ended) == ("node_failed", "Its node is burning.", _NOW - 50)
    assert found.action.startswith("Submit it again")
    found = status(_SPEC, replace(traces, has_result=True), None, _NOW)
    assert (found.state, found.sentence, found.action) == ("completed", "Completed.", "")


def test_a_maps_job_that_completed_needs_no_word_of_its_own() -> None:
    """The array as a whole writes none; each of its tasks does."""
    ended = _job("COMPLETED", ends=_NOW - 100, exit_code="0:0")
    traces = Traces(submission=_SUBMITTED)
    assert status(replace(_SPEC, tasks=2), traces, _reading(ended), _NOW).state == "completed"
    assert status(_SPEC, traces, _reading(ended), _NOW).state == "killed"


def test_only_a_number_that_slurm_can_give_is_a_jobs() -> None:
    """Anything else in the file is as good as nothing, and the queue is searched by the run's mark."""
    for told in (0, -7, "7", None, [7]):
        assert known_job(Traces(submission={"job_id": told})) is None
    assert known_job(Traces(submission={"job_id": 7})) == 7
    for odd in (-1.0, True, float("nan"), 1e12, "1", None):
        assert time_told(odd) is None
    assert [time_told(0), time_told(1.5)] == [0, 1.5]


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
        ("DEADLINE", "time_limit"),
    ],
)
def test_where_the_job_left_no_word_slurm_has_it(word: str, state: str) -> None:
    """Slurm's word for the end is the run's, unless there is a result."""
    traces = Traces(events=[{"event": "started", "at": _NOW - 9}], submission={"job_id": 7, "at": _NOW - 10})
    found = status(_SPEC, traces, _reading(_job(word)), _NOW)
    assert (found.state, found.over) == (state, True)
    assert status(_SPEC, replace(traces, has_result=True), _reading(_job(word)), _NOW).state == "completed"


@pytest.mark.parametrize(
    "state",
    [
        *("completed", "failed", "cancelled", "time_limit", "preempted", "out_of_memory", "node_failed"),
        *("killed", "not_restarted", "refused", "vanished"),
    ],
)
def test_every_end_is_one_and_has_words(state: str) -> None:
    """None of them is waited for, and none is shown as an empty line."""
    for traces in (Traces(events=[{"event": "ended", "how": state}]), Traces(seen={"state": state})):
        found = status(_SPEC, traces, None, _NOW)
        assert (found.state, found.life, found.over) == (state, "ended", True)
        assert found.sentence


def test_a_last_line_that_is_not_seen_yet_is_waited_for() -> None:
    """A job that ended by itself has written one; on another machine's disk it shows a moment later."""
    traces = Traces(events=[{"event": "started", "at": _NOW - 9}], submission={"job_id": 7, "at": _NOW - 10})
    for word, code in (("COMPLETED", "0:0"), ("FAILED", "1:0")):
        job = _job(word, ends=_NOW - 5, exit_code=code)
        assert status(_SPEC, traces, _reading(job), _NOW).state == "ending"
        assert status(_SPEC, traces, _reading(job), _NOW + 60).state == "killed"
        # A time that lies ahead is nobody's clock: it would be waited for for ever.
        assert status(_SPEC, traces, _reading(replace(job, ends=_NOW + 999)), _NOW).state == "killed"
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
    assert status(_SPEC, old, _reading(_job("PENDING")), _NOW).state == "queued"
    assert status(_SPEC, old, None, _NOW).state == "queued"


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
    assert has_task("0-3,...", 2)
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
    waits = QueueJob(job_id=7, state="PENDING", run=_ID)
    assert of_task([waits], 0) == ()
    assert of_task([rest], 0) == (rest,)
    assert of_task([rest, ran], 0) == (ran,)


def _ended(state: str, at: float | None = None) -> Status:
    return Status(state=state, sentence=f"So {state}.", ended=at, started=_NOW - 9, restarts=1)


@pytest.mark.parametrize(
    ("whole", "tasks", "told"),
    [
        # Nothing has ended: as the array is.
        ("queued", [("queued", None), ("queued", None)], ("queued", "So queued.", "Wait.")),
        ("running", [("running", 9.0), ("queued", None)], ("running", "0 of 2 tasks ended.", "")),
        ("refused", [("preparing", None), ("preparing", None)], ("refused", "So refused.", "Wait.")),
        # Some have: it goes on, whatever is said of the array.
        ("queued", [("completed", 9.0), ("queued", None)], ("running", "1 of 2 tasks ended.", "Wait.")),
        ("cancelled", [("completed", 9.0), ("ending", None)], ("running", "1 of 2 tasks ended.", "")),
        ("cancelled", [("completed", 9.0), ("queued", None)], ("running", "1 of 2 tasks ended.", "Wait.")),
        # All have.
        ("queued", [("completed", 9.0), ("completed", 3.0)], ("completed", "All 2 tasks completed.", "")),
        (
            "completed",
            [("completed", 1.0), ("failed", 9.0), ("failed", 3.0)],
            (
                "failed",
                "2 of 3 tasks did not complete; the first: So failed.",
                "rerun() repeats those alone.",
            ),
        ),
        (
            "completed",
            [("node_failed", 9.0), ("cancelled", 3.0)],
            (
                "failed",
                "2 of 2 tasks did not complete; the first: So node_failed.",
                "rerun() repeats those alone.",
            ),
        ),
        (
            "cancelled",
            [("completed", 9.0), ("cancelled", 3.0)],
            ("cancelled", "1 of 2 tasks did not complete; the first: So cancelled.", ""),
        ),
    ],
)
def test_a_map_is_told_as_one(
    whole: str, tasks: list[tuple[str, float | None]], told: tuple[str, str, str]
) -> None:
    """State, sentence and action, exactly; it ended when its last task did."""
    array = Status(state=whole, sentence=f"So {whole}.", action="Wait.", ended=_NOW)
    found = combined(array, [_ended(state, at) for state, at in tasks])
    assert (found.state, found.sentence, found.action) == told
    if found.state not in {"queued", "running"}:
        assert found.ended == (_NOW if found.state == "refused" else 9.0)


def test_a_map_has_the_times_of_its_tasks() -> None:
    """It began with the first, lasts as long as the last, and has begun again as often as any."""
    tasks = [
        Status(state="running", started=_NOW - 5, seconds_left=10, restarts=2),
        Status(state="running", started=_NOW - 9, seconds_left=70),
        Status(state="queued"),
    ]
    array = Status(state="running", job_id=7, submitted=_NOW - 10, expected=_NOW + 5, trouble="Slow.")
    found = combined(array, tasks)
    assert (found.started, found.seconds_left, found.restarts) == (_NOW - 9, 70, 2)
    assert (found.job_id, found.submitted, found.expected, found.trouble) == (7, _NOW - 10, _NOW + 5, "Slow.")
    assert found.tasks == {"running": 2, "queued": 1}
    assert found.progress == {"done": 0, "total": 3, "text": "", "unit": "tasks"}
