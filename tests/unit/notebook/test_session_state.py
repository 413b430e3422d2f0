"""The session's state: the end moves, warnings come and go, and nothing is made up."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from skiva.server import SessionFacts, write_facts
from skiva.server.state import SessionState

START = 1_000_000.0
FACTS = SessionFacts(
    slice="1g.10gb",
    title="MIG",
    job_id=7,
    ends=START + 3600,
    warn=120,
    extend_hours=1,
    extend_until=START + 9000,
)


class Clock:
    """Time that goes on only when it is told to."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock that stands at START."""
    return Clock()


@pytest.fixture
def state(tmp_path: Path, clock: Clock) -> SessionState:
    """A session of one hour, with a hub to ask."""
    write_facts(tmp_path / "session.json", FACTS)
    state = SessionState(tmp_path / "session.json", clock)
    state.can_ask_hub = True
    return state


def told(state: SessionState) -> dict[str, Any]:
    """The status, as the page gets it."""
    return state.status(None, None)


def test_seconds_left_run_down_and_stop_at_zero(state: SessionState, clock: Clock) -> None:
    """The page counts from what is left, never from two computers' clocks."""
    clock.now += 600
    assert told(state)["seconds_left"] == 3000
    clock.now += 9000
    assert told(state)["seconds_left"] == 0


def test_outside_a_session_there_is_nothing_to_show(tmp_path: Path) -> None:
    """A plain Jupyter server answers that there is no session."""
    assert told(SessionState(None)) == {"slice": None}
    assert told(SessionState(tmp_path / "missing")) == {"slice": None}


def test_a_file_that_vanishes_leaves_the_last_facts(state: SessionState, tmp_path: Path) -> None:
    """A full or failing file system hides no running countdown."""
    assert told(state)["slice"] == "1g.10gb"
    (tmp_path / "session.json").unlink()
    assert told(state)["slice"] == "1g.10gb"


def test_a_rewritten_file_is_read_again(state: SessionState, tmp_path: Path) -> None:
    """A launcher may correct what it wrote; half a file is not believed."""
    told(state)
    write_facts(tmp_path / "session.json", replace(FACTS, ends=START + 60))
    assert told(state)["seconds_left"] == 60
    (tmp_path / "session.json").write_text("{")
    os.utime(tmp_path / "session.json", (1, 1))
    assert told(state)["seconds_left"] == 60


def test_an_old_reading_of_the_queue_does_not_undo_an_extension(state: SessionState, clock: Clock) -> None:
    """For half a minute an earlier end is old news; later it is the truth, as when a job is shortened."""
    told(state)
    state.extended(START + 7200)
    state.saw_end(START + 3600)
    assert told(state)["seconds_left"] == 7200
    clock.now += 31
    state.saw_end(START + 3600)
    assert told(state)["seconds_left"] == 3569


def test_a_warning_for_the_time_limit_names_it(state: SessionState, clock: Clock) -> None:
    """Slurm sends its signal up to a minute early; what is left is still counted from the end."""
    clock.now = START + 3600 - 170
    state.warned()
    assert told(state)["warning"] == {
        "id": int(clock.now * 1000),
        "minutes": 3,
        "seconds_left": 170,
        "early": False,
        "sentence": "Slurm ends this session in about 3 minutes: its time limit is reached then.",
    }
    assert told(state)["extend"]["allowed"]


def test_an_extension_takes_the_warning_back(state: SessionState, clock: Clock) -> None:
    """Who has an hour more is not told that the session ends now."""
    clock.now = START + 3500
    state.warned()
    state.extended(START + 7200)
    assert told(state)["warning"] is None


def test_a_warning_long_before_the_limit_has_another_cause(state: SessionState, clock: Clock) -> None:
    """Preemption is not called a time limit and offers no extension; a signal sent by hand is forgotten."""
    clock.now = START + 60
    state.warned(90)
    status = told(state)
    assert status["warning"]["early"]
    assert status["warning"]["seconds_left"] == 90
    assert status["warning"]["sentence"] == "Slurm ends this session in about 2 minutes: it needs the node."
    assert not status["extend"]["allowed"]
    state.extended(START + 7200)
    assert told(state)["warning"]
    clock.now += 300
    assert told(state)["warning"] is None
    assert told(state)["extend"]["allowed"]


def test_a_long_warning_time_is_no_other_cause(tmp_path: Path, clock: Clock) -> None:
    """A site that asks Slurm for ten minutes' notice gets words about its time limit."""
    write_facts(tmp_path / "session.json", replace(FACTS, warn=600))
    state = SessionState(tmp_path / "session.json", clock)
    clock.now = START + 3600 - 640
    state.warned()
    assert not told(state)["warning"]["early"]
    assert told(state)["warning"]["minutes"] == 11


@pytest.mark.parametrize(
    ("facts", "allowed", "hours"),
    [
        (FACTS, True, 1),
        (replace(FACTS, extend_hours=0.0), False, 0),
        (replace(FACTS, extend_until=START + 5400), True, 0.5),
        (replace(FACTS, extend_until=START + 3610), False, 0),
        (replace(FACTS, extend_until=None), True, 1),
        (replace(FACTS, ends=None), False, 1),
    ],
)
def test_an_extension_is_offered_only_where_there_is_one(
    tmp_path: Path, facts: SessionFacts, allowed: bool, hours: float
) -> None:
    """The button tells what it adds, and is not there when nothing can be added."""
    write_facts(tmp_path / "session.json", facts)
    state = SessionState(tmp_path / "session.json", Clock())
    assert not told(state)["extend"]["allowed"]
    state.can_ask_hub = True
    assert told(state)["extend"] == {"allowed": allowed, "hours": hours, "until": facts.extend_until}


def test_without_a_time_limit_nothing_is_counted(tmp_path: Path) -> None:
    """A partition without a limit has no end to show."""
    write_facts(tmp_path / "session.json", replace(FACTS, ends=None))
    status = told(SessionState(tmp_path / "session.json", Clock()))
    assert status["ends"] is None
    assert status["seconds_left"] is None


@pytest.mark.parametrize(
    ("left", "when"),
    [(0, "now"), (1, "in about 1 minute"), (60, "in about 1 minute"), (61, "in about 2 minutes")],
)
def test_a_warning_says_when_as_people_do(state: SessionState, clock: Clock, left: int, when: str) -> None:
    """Minutes are rounded up; one is one, and none is now."""
    clock.now = START + 3600 - left
    state.warned()
    warning = told(state)["warning"]
    assert warning["sentence"] == f"Slurm ends this session {when}: its time limit is reached then."
    assert (warning["minutes"], warning["seconds_left"]) == (-(-left // 60), left)


def test_how_far_off_a_signal_has_another_cause(tmp_path: Path, clock: Clock) -> None:
    """Two minutes beyond what was asked of Slurm, or what the caller says; a minute where nobody said."""

    def early(warn: int, left: float, seconds: float | None = None) -> bool:
        write_facts(tmp_path / "session.json", replace(FACTS, warn=warn, ends=START + 3600))
        state = SessionState(tmp_path / "session.json", clock)
        clock.now = START + 3600 - left
        state.warned(seconds)
        answer = told(state)["warning"]["early"]
        assert isinstance(answer, bool)
        return answer

    assert [early(120, left) for left in (240, 240.1)] == [False, True]
    assert [early(0, left) for left in (180, 180.1)] == [False, True]
    assert [early(60, left, 300) for left in (420, 420.1)] == [False, True]
    assert [early(300, left, 60) for left in (420, 420.1)] == [False, True]


def test_a_signal_where_no_end_is_known_announces_one(tmp_path: Path, clock: Clock) -> None:
    """In as many seconds as the caller says; a number below zero is at once."""
    write_facts(tmp_path / "session.json", replace(FACTS, ends=None, warn=0))
    for seconds, left in ((None, 60.0), (90.0, 90.0), (-5.0, 0.0)):
        state = SessionState(tmp_path / "session.json", clock)
        state.warned(seconds)
        warning = told(state)["warning"]
        assert (warning["early"], warning["seconds_left"]) == (True, left)
        assert warning["sentence"].endswith("it needs the node.")


def test_a_warning_is_believed_until_two_minutes_after_its_end(state: SessionState, clock: Clock) -> None:
    """Slurm may be that late; after it the signal was somebody's by hand."""
    clock.now = START + 3500
    state.warned()
    clock.now = START + 3720
    assert told(state)["warning"]["seconds_left"] == 0
    clock.now = START + 3720.1
    assert told(state)["warning"] is None


@pytest.mark.parametrize(("by", "there"), [(120, True), (120.1, False)])
def test_an_end_that_moves_by_little_takes_no_warning_back(
    state: SessionState, clock: Clock, by: float, there: bool
) -> None:
    """Two minutes are Slurm's own uncertainty."""
    clock.now = START + 3500
    state.warned()
    state.extended(START + 3600 + by)
    assert bool(told(state)["warning"]) is there


def test_the_whole_answer(state: SessionState) -> None:
    """Every field that the page reads, of a session that was just described."""
    assert told(state) == {
        "slice": "1g.10gb",
        "title": "MIG",
        "environment": "",
        "digest": "",
        "isolation": "none",
        "simulated": False,
        "job_id": 7,
        "node": "",
        "gres": "",
        "started": None,
        "ends": START + 3600,
        "seconds_left": 3600,
        "memory": None,
        "gpus": None,
        "warning": None,
        "extend": {"allowed": True, "hours": 1, "until": START + 9000},
        "trouble": "",
    }


@pytest.mark.parametrize(("until", "allowed"), [(60, True), (59, False), (-1, False)])
def test_less_than_a_minute_is_not_worth_a_press(
    tmp_path: Path, clock: Clock, until: int, allowed: bool
) -> None:
    """Of what the site still allows at least one is offered."""
    write_facts(tmp_path / "session.json", replace(FACTS, extend_until=START + 3600 + until))
    state = SessionState(tmp_path / "session.json", clock)
    state.can_ask_hub = True
    assert told(state)["extend"]["allowed"] is allowed
    assert told(state)["extend"]["hours"] == round(max(0, until) / 3600, 2)


def test_an_end_that_the_stream_tells_later_is_taken_at_once(state: SessionState, clock: Clock) -> None:
    """Only an earlier one may be old news, and only within half a minute of an extension."""
    state.extended(START + 7200)
    state.saw_end(START + 9000)
    assert state.ends == START + 9000
    clock.now += 29.9
    state.saw_end(START + 3600)
    assert state.ends == START + 9000
    clock.now = START + 30
    state.saw_end(START + 3600)
    assert state.ends == START + 3600
