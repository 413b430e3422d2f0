"""How a cluster stands in words and numbers, from what its keeper knows of the jobs."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from distributed.core import Status as DaskStatus
from hypothesis import given
from hypothesis import strategies as st
from tests.support.clusters_on_disk import lay_cluster

from skiva.dask.keeping import Trouble
from skiva.dask.observing import KnownJob
from skiva.dask.place import ClusterDir
from skiva.dask.status import Bounds, Event, Status
from skiva.dask.telling import tell
from skiva.runs.files import write_json
from skiva_slurm.offer import SliceOffer

_PAIR = SliceOffer(
    id="2xh100", title="Two H100", partition="p", gres="gpu:h100:2", cores=4, memory_mb=8000, simulated=True
)


@pytest.fixture
def place(tmp_path: Path) -> ClusterDir:
    """A cluster of one worker a job."""
    return lay_cluster(tmp_path / "c", keys=False)


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> ClusterDir:
    """A cluster of two workers a job, made once: examples only read it."""
    return lay_cluster(tmp_path_factory.mktemp("pairs") / "c", keys=False, processes=2)


def _job(name: str, phase: str, ready: int = 0, **facts: Any) -> KnownJob:
    return KnownJob(name, asked=1.0, phase=phase, ready=ready, **facts)  # type: ignore[arg-type]


def _told(
    place: ClusterDir,
    *jobs: KnownJob,
    wanted: int = 2,
    trouble: Trouble | None = None,
    status: DaskStatus = DaskStatus.running,
    scheduler: Any = None,
) -> Status:
    cluster: Any = SimpleNamespace(
        slices=place.read_spec(),
        place=place,
        wanted=wanted,
        ends=77.0,
        bounds=Bounds(minimum=1, maximum=5),
        scheduler=scheduler,
        status=status,
    )
    return tell(cluster, jobs, (Event(at=1, text="Hello"),), trouble or Trouble(), 9, 1234.5)


def _words(status: Status) -> tuple[str, str, str]:
    return status.state, status.sentence, status.action


# -- words -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("jobs", "wanted", "words"),
    [
        ([], 0, ("running", "No workers are wished for.", "")),
        ([("ready", 1)], 1, ("running", "1 worker ready.", "")),
        ([("ready", 1), ("ready", 1)], 2, ("running", "2 workers ready.", "")),
        ([("ready", 1), ("ready", 1)], 1, ("running", "2 workers ready.", "")),
        ([("ready", 1), ("starting", 0)], 2, ("running", "1 of 2 workers ready.", "")),
        ([("starting", 0), ("waiting", 0)], 2, ("starting", "0 of 2 workers ready.", "")),
        ([], 2, ("starting", "0 of 2 workers ready.", "")),
        ([("leaving", 1)], 1, ("starting", "0 of 1 workers ready.", "")),
    ],
)
def test_a_cluster_says_how_many_workers_it_has(
    place: ClusterDir, jobs: list[tuple[str, int]], wanted: int, words: tuple[str, str, str]
) -> None:
    """One is one; it runs from the first that is ready, and who leaves counts no more."""
    known = [_job(f"a-1-{number}", *facts) for number, facts in enumerate(jobs)]
    assert _words(_told(place, *known, wanted=wanted)) == words


def test_who_waits_says_what_for(place: ClusterDir) -> None:
    """Slurm's reason and what can be done, of the first that has any; a reason of who works is old."""
    jobs = [
        _job("a-1-0", "ready", 1, reason="Old.", action="Old."),
        _job("a-1-1", "waiting"),
        _job("a-1-2", "waiting", reason="Others are ahead."),
        _job("a-1-3", "waiting", reason="Later.", action="Ask for less."),
    ]
    told = _told(place, *jobs, wanted=4)
    assert _words(told) == ("running", "1 of 4 workers ready. Others are ahead.", "Ask for less.")


def test_what_can_never_start_is_said_unless_others_work(place: ClusterDir) -> None:
    """Without a single worker the cluster is stuck, with Slurm's words; with one it runs all the same."""
    hopeless = _job("a-1-1", "waiting", hopeless=True, reason="Never.", action="Take another slice.")
    fine = _job("a-1-0", "waiting", reason="Soon.")
    assert _words(_told(place, fine, hopeless)) == ("stuck", "Never.", "Take another slice.")
    assert _told(place, _job("a-1-0", "ready", 1), hopeless).state == "running"
    started = _job("a-1-1", "starting", hopeless=True, reason="Never.")
    assert _told(place, started).state == "starting"


def test_what_keeps_workers_from_coming_is_said_first(place: ClusterDir) -> None:
    """Slurm's own no, then that they die at once; with what a person can do about it."""
    ready = _job("a-1-0", "ready", 1)
    refused = _told(place, ready, trouble=Trouble(failures=3, refused="QOS limit."))
    assert _words(refused) == (
        "stuck",
        "Slurm does not take its workers: QOS limit.",
        "Close it, or scale it to fewer workers.",
    )
    state, sentence, action = _words(_told(place, ready, trouble=Trouble(failures=3)))
    assert (state, sentence) == ("stuck", "Its workers end before they can work.")
    assert action == "Look at their last lines, mend what they say, then scale the cluster again."
    assert _told(place, ready, trouble=Trouble(failures=2), wanted=1).state == "running"


def test_its_end_goes_before_everything(place: ClusterDir) -> None:
    """Who closes it says why, whatever its workers were at."""
    trouble = Trouble(refused="No.")
    closing = _told(place, trouble=trouble, status=DaskStatus.closing)
    assert _words(closing) == ("closing", "It is being closed.", "")
    assert _words(_told(place, trouble=trouble, status=DaskStatus.closed)) == ("closed", "", "")
    write_json(place.closed, {"why": "Its time was over."})
    assert _words(_told(place, status=DaskStatus.closed)) == ("closed", "Its time was over.", "")


# -- numbers -----------------------------------------------------------------------------------

_PHASES = ("waiting", "starting", "ready", "partial", "leaving", "over")


@given(
    st.lists(st.tuples(st.sampled_from(_PHASES), st.integers(0, 2)), max_size=8),
    st.integers(0, 5),
)
def test_every_worker_is_counted_once(pairs: ClusterDir, jobs: list[tuple[str, int]], wanted: int) -> None:
    """Of two workers a job: ready, starting, queued and leaving ones together are all that there are."""
    fitting = {"waiting": 0, "ready": 2, "over": 0}
    known = [
        _job(f"a-1-{number}", phase, fitting.get(phase, ready)) for number, (phase, ready) in enumerate(jobs)
    ]
    told = _told(pairs, *known, wanted=wanted).workers
    phases = [job.phase for job in known]
    assert told.wanted == 2 * wanted
    assert told.queued == 2 * phases.count("waiting")
    assert told.leaving == 2 * phases.count("leaving")
    assert told.ready == sum(job.ready for job in known if job.phase != "leaving")
    assert told.ready + told.starting + told.queued + told.leaving == 2 * (len(jobs) - phases.count("over"))


def test_more_workers_than_fit_into_the_jobs_that_start_are_no_negative_number(place: ClusterDir) -> None:
    """A worker that was started anew beside its dying self is there twice for a moment."""
    assert _told(place, _job("a-1-0", "partial", 3)).workers.starting == 0


def test_memory_and_tasks_are_those_of_all_workers_together(place: ClusterDir) -> None:
    """Workers that have told nothing yet hold nothing; tasks that no worker may take wait."""
    workers = {
        "tls://1": SimpleNamespace(metrics={"memory": 5}, memory_limit=100),
        "tls://2": SimpleNamespace(metrics={"memory": 7.9}, memory_limit=100),
        "tls://3": SimpleNamespace(metrics={}, memory_limit=None),
    }
    groups = {
        "a": SimpleNamespace(states={"processing": 1, "waiting": 2, "no-worker": 3, "released": 50}),
        "b": SimpleNamespace(states={"processing": 10, "queued": 4, "memory": 5, "erred": 6}),
    }
    told = _told(place, scheduler=SimpleNamespace(workers=workers, task_groups=groups))
    assert (told.memory.used, told.memory.limit) == (12, 200)
    assert told.tasks.model_dump() == {"processing": 11, "waiting": 5, "queued": 4, "memory": 5, "erred": 6}
    nothing = _told(place)
    assert (nothing.memory.limit, nothing.tasks.model_dump()) == (
        0,
        dict.fromkeys(told.tasks.model_dump(), 0),
    )


def test_what_does_not_change_is_as_it_was_written_down(tmp_path: Path) -> None:
    """Its name, slice and kind, what is possible, what was said, and each job's own status."""
    place = lay_cluster(tmp_path / "c", keys=False, slice=_PAIR, cuda=True, processes=2, detached=True)
    told = _told(place, _job("a-1-0", "ready", 2, node="n1"))
    spec = place.read_spec()
    assert (told.id, told.name, told.created) == (spec.id, spec.name, spec.created)
    assert (told.slice, told.slice_title, told.simulated) == ("2xh100", "Two H100", True)
    assert (told.cuda, told.detached, told.per_job, told.threads) == (True, True, 2, 1)
    assert (told.at, told.ends, told.most_workers) == (1234.5, 77.0, 9)
    assert told.adapt == Bounds(minimum=1, maximum=5)
    assert [event.text for event in told.events] == ["Hello"]
    assert [(job.name, job.state, job.node, job.ready, job.workers) for job in told.jobs] == [
        ("a-1-0", "ready", "n1", 2, 2)
    ]


def test_pages_of_gpus_are_those_of_clusters_with_gpus(place: ClusterDir, tmp_path: Path) -> None:
    """Dask has them for each cluster; where there are no GPUs they would be empty."""
    plain = [page.path for page in _told(place).pages]
    with_gpus = lay_cluster(tmp_path / "gpus", keys=False, slice=_PAIR, cuda=True, processes=2)
    more = [page.path for page in _told(with_gpus).pages]
    assert plain[0] == "individual-task-stream"
    assert plain[-1] == "status"
    assert len(set(plain)) == len(plain)
    assert more == [*plain, "individual-gpu-memory", "individual-gpu-utilization"]
