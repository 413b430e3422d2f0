"""How far one person may scale out: counted from the queue and from the clusters' own files."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.dask.test_wish import spec

from skiva.dask.limits import Usage, check, most_jobs, most_workers, usage
from skiva.dask.place import ClusterDir
from skiva.dask.spec import ClusterSpec
from skiva.runs.files import write_json
from skiva.runs.queue import QueueJob, Reading
from skiva.runs.wish import BadWish
from skiva_slurm.offer import DaskOffer

_LIMITS = DaskOffer(most_jobs=8, most_slice_hours=40, max_hours=8)
Make = Callable[..., ClusterDir]


def cluster(letter: str, **options: Any) -> ClusterSpec:
    """A cluster of its own id."""
    return spec(**options).model_copy(update={"id": f"261122-{letter * 8}"})


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Makes the directory of a cluster with one batch of jobs."""

    def made(one: ClusterSpec, jobs: int, at: float) -> ClusterDir:
        place = ClusterDir.make(tmp_path, one, {})
        add(place, 1, jobs, at)
        return place

    return made


def add(place: ClusterDir, batch: int, jobs: int, at: float) -> None:
    """Note one submission."""
    names = [f"{place.id}-{batch}-{task}" for task in range(jobs)]
    write_json(place.batch(batch), {"workers": names, "at": at})
    place.logs(batch).mkdir(exist_ok=True)


def row(place: ClusterDir, tasks: str, batch: int = 1, state: str = "RUNNING") -> QueueJob:
    """A row of the queue."""
    return QueueJob(
        job_id=5 + batch, state=state, cluster=place.id, batch=batch, array_job_id=5 + batch, tasks=tasks
    )


@given(st.integers(0, 40), st.integers(1, 40), st.floats(0.1, 100), st.integers(0, 40), st.floats(0, 200))
def test_as_many_as_are_possible_are_taken_and_one_more_is_refused(
    most: int, more: int, hours: float, jobs: int, slice_hours: float
) -> None:
    """What `most_jobs` allows is what `check` lets pass, whatever the limits and the others' use."""
    offer = DaskOffer(most_jobs=most, most_slice_hours=hours * more, max_hours=hours)
    one = cluster("a", hours=1).model_copy(update={"hours": hours})
    allowed = most_jobs(one, offer, Usage(jobs, slice_hours))
    assert 0 <= allowed <= max(0, most - jobs)
    assert allowed * hours + slice_hours <= hours * more + 1e-3 or allowed == 0
    alone = most_jobs(one, offer, Usage())
    check(one, alone, offer, None, root=Path("/nonexistent"))
    with pytest.raises(BadWish, match=r"^workers: .*\d"):
        check(one, alone + 1, offer, None, root=Path("/nonexistent"))


def test_jobs_of_all_clusters_count_together_in_words_with_numbers(make: Make, tmp_path: Path) -> None:
    """Waiting and running ones of another cluster are what a new one is measured by."""
    place = make(cluster("a", hours=4), 5, at=time.time() - 60)
    told = Reading(time.time(), (row(place, "0-1"), row(place, "2,3-4", state="PENDING")))
    assert usage(tmp_path, told) == Usage(5, 20)
    new = cluster("b", hours=4)
    check(new, 3, _LIMITS, told, root=tmp_path)
    with pytest.raises(BadWish, match="a person have 8 at once, you have 5, so 3 more are possible"):
        check(new, 4, _LIMITS, told, root=tmp_path)
    with pytest.raises(BadWish, match=r"24 hours on slices.* ask for 40 at once, and you hold 20"):
        check(cluster("c", hours=8), 3, _LIMITS, told, root=tmp_path)
    assert most_workers(new, _LIMITS, told, root=tmp_path) == 3


def test_the_clusters_of_a_person_are_added_up(make: Make, tmp_path: Path) -> None:
    """Each at its own price; one that is closed, or that cannot be read, hides none of the others."""
    now = time.time()
    first = make(cluster("a", hours=1), 2, at=now)
    write_json(make(cluster("b", hours=1), 3, at=now).closed, {"why": "It was closed."})
    make(cluster("c", hours=1), 4, at=now).spec.write_text("{")
    make(cluster("d", hours=2), 1, at=now)
    assert usage(tmp_path, None) == Usage(3, 4)
    assert usage(tmp_path, None, without=first.id) == Usage(1, 2)


def test_each_gpu_of_a_job_costs_its_hours(tmp_path: Path) -> None:
    """Two devices a job are twice the slice-hours, and two workers."""
    pair = cluster("a", slice="2xh100", hours=4)
    assert most_workers(pair, _LIMITS, None, root=tmp_path) == 2 * 5
    with pytest.raises(BadWish, match="48 hours on slices"):
        check(pair, 6, _LIMITS, None, root=tmp_path)


def test_hours_beyond_the_sites_are_refused(tmp_path: Path) -> None:
    """Whatever the cluster's own description says."""
    with pytest.raises(BadWish, match=r"^hours: at most 8 .* not 20"):
        check(cluster("a", hours=20), 1, _LIMITS, None, root=tmp_path)


def test_what_was_sent_after_the_queue_was_read_counts_already(make: Make, tmp_path: Path) -> None:
    """Two quick steps do not slip through a reading that is seconds old, nor count twice in a newer one."""
    now = time.time()
    place = make(cluster("a"), 2, at=now - 60)
    add(place, 2, 3, at=now)
    old = Reading(now - 20, (row(place, "0-1"),))
    assert usage(tmp_path, old).jobs == 5
    new = Reading(now + 2, (row(place, "0-1"), row(place, "0-2", batch=2, state="PENDING")))
    assert usage(tmp_path, new).jobs == 5
    write_json(place.refused(2), {"sentence": "No."})
    assert usage(tmp_path, old).jobs == 2


def test_ended_jobs_and_closed_clusters_count_no_more(make: Make, tmp_path: Path) -> None:
    """A job's own last word is believed before the queue's, and an ended cluster holds nothing."""
    now = time.time()
    place = make(cluster("a"), 3, at=now - 60)
    told = Reading(now, (row(place, "0-2"),))
    write_json(place.end(1, 2), {"at": now})
    assert usage(tmp_path, told).jobs == 2
    write_json(place.closed, {"why": "x"})
    assert usage(tmp_path, told).jobs == 0


def test_without_a_queue_the_clusters_own_word_counts(make: Make, tmp_path: Path) -> None:
    """Its status, and what was sent since; so does a status that is newer than the queue's reading."""
    now = time.time()
    place = make(cluster("a"), 3, at=now - 60)
    jobs = [{"name": f"{place.id}-1-{task}", "state": "ready" if task else "ended"} for task in range(3)]
    write_json(place.status, {"at": now, "jobs": jobs})
    assert usage(tmp_path, None).jobs == 2
    assert usage(tmp_path, Reading(now - 5, ())).jobs == 2
    add(place, 2, 4, at=now)
    assert usage(tmp_path, None).jobs == 6


def test_jobs_of_a_cluster_that_is_kept_elsewhere_count(tmp_path: Path) -> None:
    """Another home's clusters are known to the queue alone."""
    place = ClusterDir(tmp_path / "261122-zzzzzzzz")
    told = Reading(time.time(), (row(place, "0"), row(place, "1"), row(place, "0", state="COMPLETED")))
    assert usage(tmp_path, told) == Usage(2, 0)
    assert most_workers(cluster("a", hours=1), _LIMITS, told, root=tmp_path) == 6


def test_garbage_in_a_directory_is_no_use(tmp_path: Path) -> None:
    """Torn, foreign and unreadable files count as nothing and raise nothing."""
    (tmp_path / "261122-aaaaaaaa").mkdir()
    (tmp_path / "261122-bbbbbbbb").mkdir()
    (tmp_path / "261122-bbbbbbbb" / "cluster.json").write_text("{")
    (tmp_path / "notes").mkdir()
    place = ClusterDir.make(tmp_path, cluster("c"), {})
    place.batch(1).write_text(json.dumps({"workers": [3, "x", None, f"{place.id}-1-0"], "at": time.time()}))
    place.batch(2).write_text("[]")
    (place.batch(1).parent / "x.json").write_text("")
    assert usage(tmp_path, None).jobs == 1


@pytest.mark.parametrize(
    ("most", "more", "first", "last"),
    [
        (0, 1, "workers: one more worker job is too many.", "so 0 more are possible"),
        (1, 2, "workers: 2 more worker jobs are too many.", "so 1 more is possible"),
    ],
)
def test_numbers_are_said_as_people_say_them(most: int, more: int, first: str, last: str) -> None:
    """One job is one, and more are more."""
    limits = DaskOffer(most_jobs=most, most_slice_hours=100.0, max_hours=8.0)
    with pytest.raises(BadWish) as refused:
        check(cluster("a", hours=1), more, limits, None, root=Path("/nonexistent"))
    assert str(refused.value).startswith(first)
    assert last in str(refused.value)


def test_limits_are_taken_to_the_last(tmp_path: Path, make: Make) -> None:
    """As many jobs and as many hours as the site has; with rounding, and no more."""
    make(cluster("b", hours=4), 5, at=time.time() - 60)
    status = {
        "at": time.time(),
        "jobs": [{"name": f"261122-bbbbbbbb-1-{task}", "state": "ready"} for task in range(5)],
    }
    write_json(ClusterDir(tmp_path / "261122-bbbbbbbb").status, status)
    exact = DaskOffer(most_jobs=8, most_slice_hours=20 + 3 * 0.1, max_hours=8)
    third = cluster("a", hours=1).model_copy(update={"hours": 0.1})
    check(third, 3, exact, None, root=tmp_path)
    assert most_jobs(third, exact, usage(tmp_path, None)) == 3
    with pytest.raises(
        BadWish, match=r"^workers: 4 more worker jobs are too many.*you have 5, so 3 more are"
    ):
        check(third, 4, exact, None, root=tmp_path)
    with pytest.raises(
        BadWish, match=r"^workers: one more worker job is 8 hours on slices.*and you hold 20;"
    ):
        check(cluster("a", hours=8), 1, exact, None, root=tmp_path)
    check(cluster("a", hours=8), 0, exact, None, root=tmp_path)


def test_what_others_hold_is_looked_at_every_few_seconds(
    tmp_path: Path, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Three of them; each cluster knows of the others alone, and of workers where a job has several."""
    now = [50.0]
    monkeypatch.setattr("skiva.dask.limits.time.monotonic", lambda: now[0])
    one = cluster("a", hours=1).model_copy(update={"processes": 2})
    assert most_workers(one, _LIMITS, None, root=tmp_path) == 16
    for letter in "ab":
        make(cluster(letter, hours=1), 3, at=time.time())
    now[0] += 2.9
    assert most_workers(one, _LIMITS, None, root=tmp_path) == 16
    now[0] += 0.1
    assert most_workers(one, _LIMITS, None, root=tmp_path) == 10


@pytest.mark.parametrize(("before", "jobs"), [(5.0, 3), (5.1, 0)])
def test_what_was_sent_five_seconds_before_a_reading_may_be_missing_in_it(
    make: Make, tmp_path: Path, before: float, jobs: int
) -> None:
    """Later the reading is believed."""
    make(cluster("a"), 3, at=1000.0 - before)
    assert usage(tmp_path, Reading(1000.0, ())).jobs == jobs


def test_only_worker_jobs_that_wait_or_run_are_held(tmp_path: Path) -> None:
    """Neither a detached scheduler, nor other jobs, nor what has ended or is not known."""
    place = ClusterDir(tmp_path / "261122-zzzzzzzz")
    rows = [row(place, "0", state=state) for state in ("PENDING", "RUNNING", "COMPLETING", "FAILED", "ODD")]
    rows += [row(place, "0", batch=0), QueueJob(job_id=3, state="RUNNING", run="261122-aaaaaaaa")]
    assert usage(tmp_path, Reading(1000.0, tuple(rows[:2]))).jobs == 2
    assert usage(tmp_path, Reading(1000.0, tuple(rows[3:]))).jobs == 0
    assert usage(tmp_path, Reading(0.0, tuple(rows))).jobs == 0, "a reading of no time is none"
    assert usage(tmp_path, Reading(1000.0, tuple(rows[:2])), without=place.id).jobs == 0
