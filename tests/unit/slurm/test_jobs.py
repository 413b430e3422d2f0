"""What one reading of the queue can be asked."""

import pytest

from skiva_slurm.jobs import Array, Job, Snapshot

TAG = "skiva:hub1:alice/:0123456789abcdef"


def seen(*jobs: Job) -> Snapshot:
    return Snapshot.of(0.0, {job.id: job for job in jobs}, {})


def test_a_copied_tag_on_somebody_elses_job_hides_nothing() -> None:
    """Everybody may read and copy a comment: with the owner named, only the owner's job is found."""
    copied, own = Job(1, "mallory", "RUNNING", tag=TAG), Job(2, "alice", "PENDING", tag=TAG)
    assert seen(copied, own).tagged(TAG, "alice") == own
    assert seen(copied).tagged(TAG, "alice") is None


def test_a_refused_submission_does_not_hide_the_job_that_was_taken() -> None:
    """Slurm keeps refused submissions as failed jobs with the same comment; the living one counts."""
    taken, refused = Job(1, "alice", "PENDING", tag=TAG), Job(2, "alice", "FAILED", tag=TAG)
    assert seen(taken, refused).tagged(TAG) == taken
    assert seen(refused).tagged(TAG) == refused


@pytest.mark.parametrize(
    ("tasks", "count", "at_once"),
    [
        ("7", 1, 1),
        ("3-199", 197, 197),
        ("3-199%8", 197, 8),
        ("0-20:4", 6, 6),
        ("7-199:2%500", 97, 97),
        ("1,3,5-7%2", 5, 2),
        ("1,3,5-7,...", 5, 5),
        ("odd%odd", 1, 1),
        ("9-2", 1, 1),
    ],
)
def test_tasks_that_wait_together_are_counted(tasks: str, count: int, at_once: int) -> None:
    """One row of an array stands for many tasks; how many may run together is the array's own limit."""
    array = Array(3, tasks)
    assert (array.count, array.at_once) == (count, at_once)
