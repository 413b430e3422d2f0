"""Slurm's reasons in words."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skiva_slurm.reasons import explain, purpose
from skiva_slurm.tags import ClusterTag, RunTag, Tag

CORPUS = Path(__file__).parent / "corpus"
REASONS = (CORPUS / "reasons.txt").read_text().splitlines()


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_of_slurm_has_words(reason: str) -> None:
    """No code of 22.05 to 25.11 reaches a person as a code; each is a sentence."""
    words = explain(reason)
    assert not words.sentence.startswith("Slurm says")
    assert words.sentence.endswith(".")
    assert words.sentence[0].isupper()
    assert not words.action or words.action.endswith(".")
    assert not words.hopeless or words.action


@pytest.mark.parametrize(
    ("reason", "sentence", "action"),
    [
        (
            "QOSMaxGRESPerUser",
            "You already hold as many slices as you may at once.",
            "Stop one of your sessions, or wait until it ends.",
        ),
        (
            "QOSMaxMemoryPerUser",
            "You already hold as much memory as you may at once.",
            "Stop one of your sessions,",
        ),
        ("AssocGrpGRES", "Your account already holds as many slices as it may at once.", "Wait until"),
        ("MaxGRESPerAccount", "Your account already holds as many slices as it may at once.", "Wait until"),
        ("AssocGrpGRESMinutes", "Your account has used up the hours that may be used.", "Choose fewer hours"),
        ("QOSMaxJobsPerUserLimit", "You already hold as many jobs as you may at once.", "Stop one"),
        ("AssocMaxJobsLimit", "You already hold as many jobs as you may at once.", "Stop one"),
        (
            "QOSGrpMemLimit",
            "All users of this kind of session together already hold as much memory as they may at once.",
            "Wait until one of these sessions ends, or choose another slice.",
        ),
        (
            "QOSGrpWallLimit",
            "All users of this kind of session together have used up the hours that may be used.",
            "Choose fewer hours, or wait until hours come free. For more: Ask the operators of this cluster.",
        ),
        ("MaxCpuRunMinsPerUser", "You have used up the hours that may be used.", "Choose fewer hours"),
        (
            "QOSMinMemory",
            "It asks for less memory than is allowed.",
            "Stop waiting and choose another slice.",
        ),
        ("QOSMinGRES", "It asks for fewer slices than is allowed.", "Stop waiting and choose another slice."),
        (
            "AssocMaxGRESPerNode",
            "One session may not have so many slices.",
            "Stop waiting and choose a smaller",
        ),
        (
            "QOSMaxMemoryPerJob",
            "One session may not have so much memory.",
            "Stop waiting and choose a smaller",
        ),
        ("(Priority)", "Others are ahead of you in the queue.", ""),
        (
            "ReqNodeNotAvail, Reserved for maintenance",
            "The nodes with this slice are reserved for maintenance soon.",
            "Choose fewer hours, or wait.",
        ),
    ],
)
def test_limits_say_whose_they_are(reason: str, sentence: str, action: str) -> None:
    """A limit's words name who has reached it, of what, and what helps."""
    words = explain(reason)
    assert words.sentence == sentence
    assert words.action.startswith(action)


@pytest.mark.parametrize(
    "reason",
    [
        "BadConstraints",
        "PartitionTimeLimit",
        "PartitionConfig",
        "DependencyNeverSatisfied",
        "InvalidAccount",
        "InvalidQOS",
        "ReservationDeleted",
        "Reservation short was deleted",
        "QOSMaxGRESPerJob",
        "QOSMinGRES",
        "QOSMaxWallDurationPerJobLimit",
        "MaxMemPerLimit",
        "JobHoldMaxRequeue",
        "launch failed requeued held",
        "Job's account not permitted to use this partition (gpu allows a not b)",
    ],
)
def test_what_can_never_start_is_said_to_be_hopeless(reason: str) -> None:
    """Nobody is left waiting for a job that waiting cannot help."""
    assert explain(reason).hopeless


@pytest.mark.parametrize(
    "reason", ["", "Priority", "Resources", "JobHeldAdmin", "QOSMaxGRESPerUser", "PartitionDown"]
)
def test_what_may_still_start_is_not(reason: str) -> None:
    """Queues, holds and limits that pass are worth waiting for."""
    assert not explain(reason).hopeless


@given(st.text(max_size=600))
def test_anything_else_is_passed_on_cleanly(reason: str) -> None:
    """An unknown reason is one short printable sentence, never an error."""
    words = explain(reason)
    assert words.sentence.isprintable()
    assert 0 < len(words.sentence) < 500


def test_what_slurm_says_is_passed_on_as_it_is() -> None:
    """The first 400 letters, with a space for what cannot be shown."""
    assert explain("(odd\x00thing: really)").sentence == "Slurm says: odd thing: really"
    assert explain("x" * 500).sentence == f"Slurm says: {'x' * 400}"


def test_runs_are_not_called_sessions() -> None:
    """For what waits other than a session the words fit that; Slurm's own words are left as they are."""
    assert "run" in explain("None", "run").sentence
    assert "session" not in explain("QOSMaxJobsPerUserLimit", "run").action
    assert explain("my session broke", "run").sentence == "Slurm says: my session broke"


@pytest.mark.parametrize("waiting", ["worker", "scheduler"])
@pytest.mark.parametrize("reason", REASONS)
def test_jobs_of_dask_clusters_are_told_as_what_they_are(reason: str, waiting: str) -> None:
    """No reason speaks of a session that waits, and what helps is done to the cluster, not to one worker."""
    words, session = explain(reason, waiting), explain(reason)
    assert "session" not in f"{words.sentence} {words.action}"
    assert f"the {waiting} again" not in words.action
    assert (bool(words.action), words.hopeless) == (bool(session.action), session.hopeless)
    assert words.action == "" or words.action.endswith(".")


def test_what_helps_workers_is_said_in_plain_words() -> None:
    """A limit, a worker that ended early and one that can never start each have their own advice."""
    assert explain("QOSMaxGRESPerUser", "worker").action.startswith("Ask for fewer workers, or wait")
    assert explain("TimeLimit", "worker").action == "The Dask cluster starts another in its place."
    assert explain("TimeLimit", "scheduler").action == "Start the Dask cluster again."
    assert explain("PartitionTimeLimit", "worker").action.endswith("start it with fewer hours.")
    assert explain("JobHoldMaxRequeue", "worker").action.startswith("Start the Dask cluster again.")


def test_what_a_job_is_for_is_told_by_its_mark() -> None:
    """Runs, workers and schedulers are known by their marks; anything else is taken for what is said."""
    assert purpose(RunTag("261122-k3f9ta2x").text) == "run"
    assert purpose(ClusterTag("261122-k3f9ta2x", 3, 17).text) == "worker"
    assert purpose(ClusterTag("261122-k3f9ta2x", 0, 0).text) == "scheduler"
    assert purpose(Tag("lab", "ann", "", "0123456789abcdef").text) == "session"
    assert purpose("", "run") == "run"
