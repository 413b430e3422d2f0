"""Why a session is not there, in words."""

import json
from dataclasses import replace

import pytest
from tests.unit.pages import samples

from skiva_slurm.states import JOB_STATES
from skiva_spawners.failure import Failure, ended, tail

JOB = samples.running(42)


@pytest.mark.parametrize(
    ("state", "cause", "words"),
    [
        ("TIMEOUT", "timeout", "Your session ended: its time limit was reached."),
        ("CANCELLED by 0", "cancelled", "Your session ended: its job was cancelled in Slurm."),
        (
            "PREEMPTED",
            "preempted",
            "Your session ended: Slurm gave its place to work with a higher priority.",
        ),
        ("NODE_FAIL", "node_failure", "Your session ended: its compute node failed."),
        ("OUT_OF_MEMORY", "out_of_memory", "Your session ended: it used more memory than its slice has."),
        ("FAILED", "crash", "Your session ended: its server stopped with an error."),
        (
            "FAILED+LAUNCH_FAILED",
            "node_failure",
            "Your session could not start: Slurm could not launch it on its node.",
        ),
    ],
)
def test_each_cause_has_words_of_its_own(state: str, cause: str, words: str) -> None:
    """Whoever lost a session is told which of the causes it was."""
    told = ended(replace(JOB, state=state))
    assert (told.cause, told.sentence, told.job_id, told.lived) == (cause, words, 42, True)
    assert told.action


@pytest.mark.parametrize(
    ("end", "due", "reserved_until", "cause", "words"),
    [
        # As Slurm 22.05 ended a job of 30 minutes in a reservation of one: 14 s after it.
        (1045.0, 2771.0, (86_400.0, 1031.0), "reservation", "the reservation of its slice ended."),
        (1045.0, 1050.0, (1031.0,), "timeout", "its time limit was reached."),
        (1045.0, 2771.0, (), "timeout", "Slurm ended it before its time limit was reached."),
        (1045.0, 2771.0, (1100.0, 500.0), "timeout", "Slurm ended it before its time limit was reached."),
        (1045.0, None, (1031.0,), "timeout", "its time limit was reached."),
        (None, 2771.0, (1031.0,), "timeout", "its time limit was reached."),
    ],
)
def test_an_end_with_the_reservation_is_not_called_the_time_limit(
    end: float | None, due: float | None, reserved_until: tuple[float, ...], cause: str, words: str
) -> None:
    """Slurm says TIMEOUT of both; only what was seen to end early, as the reservation did, is called so."""
    job = replace(JOB, state="TIMEOUT", end=end)
    told = ended(job, due=due, reserved_until=reserved_until)
    assert (told.cause, told.sentence) == (cause, f"Your session ended: {words}")


@pytest.mark.parametrize("state", [*JOB_STATES, "NEW_STATE", ""])
def test_no_state_is_left_without_words(state: str) -> None:
    """Also for a state that only a later Slurm has."""
    for lived in (True, False):
        told = ended(replace(JOB, state=state), lived=lived)
        assert told.sentence.endswith(".")
        assert told.action.endswith(".")


def test_a_start_that_failed_is_not_called_a_session_that_ended() -> None:
    """A job that ends before its server answered never was a session."""
    for state in ("FAILED", "COMPLETED"):
        told = ended(replace(JOB, state=state), lived=False)
        assert (told.cause, told.sentence) == (
            "crash",
            "Your session could not start: its server stopped before it answered.",
        )
    assert ended(replace(JOB, state="TIMEOUT"), lived=False).sentence.startswith(
        "Your session could not start:"
    )


def test_a_failure_survives_the_hubs_database() -> None:
    """What `to_state` gives is JSON and comes back the same."""
    told = ended(replace(JOB, state="TIMEOUT"), log="one\ntwo")
    assert Failure.from_state(json.loads(json.dumps(told.to_state()))) == told


@pytest.mark.parametrize("kept", [{}, {"sentence": "x", "job_id": "y"}, {"sentence": "x", "log_tail": 5}])
def test_a_state_that_is_no_failure_is_passed_over(kept: dict[str, object]) -> None:
    """A database of another version does not break the page."""
    assert Failure.from_state(kept) is None


def test_the_log_is_cut_to_its_last_readable_lines() -> None:
    """Long logs, long lines and control characters stay harmless."""
    log = (
        "x" * 10_000_000
        + "\n"
        + "\n".join(f"line {n} \x1b[31mred\x00" for n in range(100))
        + "\n"
        + "y" * 5000
    )
    lines = tail(log)
    assert len(lines) == 30
    assert lines[0] == "line 71 \N{REPLACEMENT CHARACTER}[31mred\N{REPLACEMENT CHARACTER}"
    assert len(lines[-1]) == 400
