"""What one reading of the queue can be asked."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


@pytest.mark.parametrize(
    ("tasks", "numbers"),
    [
        ("7", (7,)),
        ("3-6%2", (3, 4, 5, 6)),
        ("0-20:4", (0, 4, 8, 12, 16, 20)),
        ("1,3,5-7%2", (1, 3, 5, 6, 7)),
        ("1,3,5-7,...", None),
        ("1,3,...%4", None),
        ("odd%odd", None),
        ("9-2", None),
        ("", None),
        ("1,", None),
        ("0-4294967294", None),
        ("0-99999", tuple(range(100_000))),
        ("0-100000", None),
    ],
)
def test_tasks_that_wait_together_are_named(tasks: str, numbers: tuple[int, ...] | None) -> None:
    """Which tasks a row stands for, or nothing at all where the list is cut short, odd or endless."""
    assert Array(3, tasks).numbers() == numbers


_ranges = st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 300), st.integers(1, 9)), min_size=1)


@given(_ranges, st.none() | st.integers(1, 999))
def test_numbers_of_tasks_are_read_back(ranges: list[tuple[int, int, int]], limit: int | None) -> None:
    """Whatever Slurm may write, the numbers are all of it, and as many as are counted."""
    written = ",".join(f"{a}-{a + n}:{step}" if n else f"{a}" for a, n, step in ranges)
    array = Array(3, f"{written}%{limit}" if limit else written)
    expected = tuple(k for a, n, step in ranges for k in range(a, a + n + 1, step))
    assert array.numbers() == expected
    assert array.count == len(expected)


@given(st.text(alphabet="0123456789-:,%. x", max_size=40))
def test_no_list_of_tasks_is_too_odd(tasks: str) -> None:
    """Anything else is answered at once, with nothing or with no more than can be told."""
    numbers = Array(3, tasks).numbers()
    assert numbers is None or 0 < len(numbers) <= 100_000
