"""What Slurm's words for states mean."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skiva_slurm.states import JOB_STATES, Life, life, node_states, node_usable

CORPUS = Path(__file__).parent / "corpus"
NODES = [line.split(" => ") for line in (CORPUS / "node-states.txt").read_text().splitlines()]
# As `man squeue` of 22.05 lists them, and what later versions added.
MANUAL = [
    "BOOT_FAIL",
    "CANCELLED",
    "COMPLETED",
    "CONFIGURING",
    "COMPLETING",
    "DEADLINE",
    "FAILED",
    "NODE_FAIL",
    "OUT_OF_MEMORY",
    "PENDING",
    "PREEMPTED",
    "RUNNING",
    "RESV_DEL_HOLD",
    "REQUEUE_FED",
    "REQUEUE_HOLD",
    "REQUEUED",
    "RESIZING",
    "REVOKED",
    "SIGNALING",
    "SPECIAL_EXIT",
    "STAGE_OUT",
    "STOPPED",
    "SUSPENDED",
    "TIMEOUT",
    "LAUNCH_FAILED",
    "POWER_UP_NODE",
    "RECONFIG_FAIL",
    "UPDATE_DB",
    "EXPEDITING",
]


def test_every_state_of_the_manual_is_in_the_table() -> None:
    """The table is total over Slurm's own list."""
    assert set(MANUAL) == set(JOB_STATES)


@pytest.mark.parametrize(
    "state", ["SUSPENDED", "STOPPED", "STAGE_OUT", "RESIZING", "SIGNALING", "COMPLETING"]
)
def test_a_job_that_still_holds_its_slice_is_not_over(state: str) -> None:
    """States in which a job holds its devices never read as an end."""
    assert life(state) in {Life.RUNNING, Life.PAUSED, Life.ENDING}


@pytest.mark.parametrize(
    ("state", "meaning"),
    [
        ("CANCELLED by 0", Life.ENDED),
        ("CANCELLED by 1000", Life.ENDED),
        ("COMPLETING+CANCELLED", Life.ENDING),
        ("RUNNING+COMPLETING", Life.ENDING),
        ("RUNNING+CONFIGURING", Life.QUEUED),
        ("RUNNING+RESIZING", Life.RUNNING),
        ("RUNNING+STOPPED", Life.PAUSED),
        ("PREEMPTED+REQUEUED", Life.QUEUED),
        ("COMPLETING+REQUEUED", Life.QUEUED),
        ("NODE_FAIL+REQUEUE_HOLD", Life.QUEUED),
        ("FAILED+LAUNCH_FAILED", Life.ENDED),
        ("COMPLETED+UPDATE_DB", Life.ENDED),
        ("running", Life.RUNNING),
        (" PENDING ", Life.QUEUED),
        ("REVOKED", Life.UNKNOWN),
        ("", Life.UNKNOWN),
        ("NEVER_HEARD_OF", Life.UNKNOWN),
        ("RUNNING+NEVER_HEARD_OF", Life.UNKNOWN),
        ("slurm_load_jobs error: Unable to contact slurm controller", Life.UNKNOWN),
    ],
)
def test_flags_and_phrases_are_understood(state: str, meaning: Life) -> None:
    """Flags beside a base state, and a canceller's number, change the meaning as Slurm means it."""
    assert life(state) is meaning


@given(st.text(max_size=400))
def test_no_text_that_slurm_does_not_use_is_an_end(text: str) -> None:
    """Only Slurm's own words end a job; everything else is UNKNOWN."""
    if not any(word in text.upper() for word in JOB_STATES):
        assert life(text) is Life.UNKNOWN


@pytest.mark.parametrize(("text", "meaning"), NODES)
def test_nodes_are_usable_when_slurm_would_start_a_job_there(text: str, meaning: str) -> None:
    """Base states, flags and signs of the corpus decide whether a node takes jobs."""
    states = node_states(text)
    assert node_usable(states) is (meaning == "usable")
    assert node_usable(states, reserved=True) is (meaning in {"usable", "reserved"})


@given(st.text(max_size=100))
def test_nothing_is_promised_on_a_node_in_an_unknown_state(text: str) -> None:
    """A word that is in no table never makes a node usable."""
    assert not node_usable(node_states(f"IDLE+X{text}"))
