"""Jobs of Dask clusters go with the job in which their scheduler lives, and with no other."""

import time
from collections.abc import Callable, Iterator

import pytest
from tests.support.faults import Faults
from tests.support.waiting import wait_until

from skiva_slurm.tags import ClusterTag

_SLEEP = ("--partition=cpu", "--mem=50", "--time=10", "--output=/dev/null", "--no-requeue")
_ANN, _BOB = "researcher1", "researcher2"
_ENDED = {"CANCELLED", "COMPLETED", "FAILED", "TIMEOUT"}

Submit = Callable[..., int]


@pytest.fixture
def submit(faults: Faults) -> Iterator[Submit]:
    """Submits jobs that sleep, by user, cluster, owner and options; all of them are gone afterwards."""
    made: list[int] = []

    def sleeping(user: str, cluster: str = "", owner: int = 0, *options: str, batch: int = 1) -> int:
        mark = (f"--comment={ClusterTag(f'261122-{cluster}', batch, owner).text}",) if cluster else ()
        made.append(faults.cluster.submit(user, *_SLEEP, *mark, *options, script="exec sleep 600"))
        return made[-1]

    yield sleeping
    faults.slurm("scancel", *map(str, made))


def _states(faults: Faults, *jobs: int) -> list[str]:
    """The state of each task of these jobs."""
    return faults.slurm("squeue", "-hr", "-t", "all", "-o", "%T", "-j", ",".join(map(str, jobs))).split()


def _end(faults: Faults, job: int) -> float:
    """When the last task of a job ended, in seconds since the epoch."""
    shown = faults.slurm("squeue", "-h", "-t", "all", "-O", "EndTime", "-j", str(job)).split()
    return max(time.mktime(time.strptime(one, "%Y-%m-%dT%H:%M:%S")) for one in shown)


def _all_run(faults: Faults, *jobs: int) -> bool:
    """Whether each task of these jobs has run for some seconds: one that just began is slow to end."""
    names = ",".join(map(str, jobs))
    shown = faults.slurm("squeue", "-hr", "-t", "all", "-o", "%T %S", "-j", names).splitlines()
    latest = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(time.time() - 2))
    return len(shown) >= len(jobs) and all(
        row.startswith("RUNNING ") and row.split()[1] <= latest for row in shown
    )


def _all_ended(faults: Faults, *jobs: int) -> bool:
    states = _states(faults, *jobs)
    return len(states) >= len(jobs) and set(states) <= _ENDED


def test_workers_go_with_their_session_waiting_ones_too(faults: Faults, submit: Submit) -> None:
    """The owner is cancelled: ten seconds later nothing of the cluster is left, and all else is."""
    owner, other = submit(_ANN), submit(_ANN)
    workers = submit(_ANN, "aaaaaaaa", owner, "--array=0-3")
    waiting = submit(_ANN, "aaaaaaaa", owner, "--array=0-15", "--hold", batch=2)
    kept = (
        submit(_ANN, "bbbbbbbb", other, "--array=0-1"),
        submit(_ANN, "cccccccc", 0),
        submit(_BOB, "aaaaaaaa", owner, "--array=0-1"),
    )
    wait_until(lambda: _all_run(faults, owner, other, workers, *kept), 30, "all of it runs")
    faults.slurm("scancel", str(owner), user=_ANN)
    cancelled = time.monotonic()
    wait_until(lambda: _all_ended(faults, workers, waiting), 20, "the cluster is gone")
    assert time.monotonic() - cancelled < 10
    wait_until(lambda: _all_ended(faults, owner), 20, "the owner is gone")
    wasted = 4 * (_end(faults, workers) - _end(faults, owner))
    assert wasted <= 4 * 5, f"{wasted:.0f} node-seconds without an owner"
    assert set(_states(faults, *kept, other)) == {"RUNNING"}


def test_a_hub_that_was_away_ends_them_when_it_is_back(faults: Faults, submit: Submit) -> None:
    """The session ends while no hub looks; the next one sees that it did, and its cluster goes."""
    owner = submit(_ANN)
    workers = submit(_ANN, "aaaaaaaa", owner, "--array=0-1")
    stays = submit(_ANN, "bbbbbbbb", 0)
    wait_until(lambda: _all_run(faults, owner, workers, stays), 30, "all of it runs")
    faults.hub.kill()
    faults.slurm("scancel", str(owner), user=_ANN)
    wait_until(lambda: _all_ended(faults, owner), 20, "the owner has ended")
    assert set(_states(faults, workers)) == {"RUNNING"}
    faults.hub.start()
    wait_until(lambda: _all_ended(faults, workers), 10, "the workers are gone")
    assert _states(faults, stays) == ["RUNNING"]
