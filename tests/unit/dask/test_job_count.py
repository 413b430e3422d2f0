"""How many jobs a cluster has, while some are replaced, while people scale it, and while it adapts."""

from types import SimpleNamespace
from typing import Any

import pytest

from skiva.dask.job_count import JobCount
from skiva.dask.keeping import JobView, by_use


class _Cluster(JobCount):
    """Two jobs that work and soon expire, and the successor of the first, which waits in the queue."""

    def __init__(self, processes: int = 1) -> None:
        views = [
            JobView("old", "ready", 10, 10, 300),
            JobView("older", "ready", 5, 5, 200),
            JobView("successor", "waiting", 100),
        ]
        self.slices = SimpleNamespace(processes=processes)  # type: ignore[assignment]
        self.worker_spec: dict[str, Any] = {view.name: {} for view in views}
        self.workers = dict(self.worker_spec)
        self.leaving: set[str] = set()
        self.wanted = 2
        self.done: list[str] = []
        self.loop = SimpleNamespace(add_callback=lambda work: work())
        self._correct_state = lambda: self.done.append("Slurm is asked")
        self.arrays = SimpleNamespace(new=lambda jobs: [f"new-{job}" for job in range(jobs)])  # type: ignore[assignment]
        self.new_spec = {"options": {}}

        def least_useful(number: int) -> list[str]:
            return by_use(view for view in views if view.name in self.staying)[:number]

        self.keeper = SimpleNamespace(  # type: ignore[assignment]
            wake=lambda: self.done.append("the keeper looks"),
            has_joined=lambda name: name in {"old", "older"},
            least_useful=least_useful,
            most_useful=lambda number: least_useful(9)[max(0, len(least_useful(9)) - number) :],
        )


def test_a_successor_is_no_more_than_was_wished_for() -> None:
    """What adapts sees as many workers as are wished for, and takes no successor for one too many."""
    cluster = _Cluster()
    assert cluster.plan == cluster.requested == {"old", "older"}
    cluster._have(2)
    assert cluster.staying == ["old", "older", "successor"]


async def test_dask_cannot_let_a_successor_go() -> None:
    """It is neither counted off nor cancelled, whoever names it."""
    cluster = _Cluster()
    await cluster.scale_down(["successor"])
    assert (cluster.wanted, cluster.staying) == (2, ["old", "older", "successor"])
    assert cluster.whole_jobs(["successor", "old"]) == ["old"]


@pytest.mark.parametrize("jobs", [0, 1])
def test_fewer_means_so_many_and_no_successors(jobs: int) -> None:
    """Scaled down, the one that waits goes first, then the one that ends soonest; never one is left over."""
    cluster = _Cluster()
    cluster._have(jobs)
    assert cluster.staying == ["old"][:jobs]
    assert "successor" not in cluster.worker_spec
    assert cluster.leaving == {"old", "older"} - set(cluster.staying)


def test_a_job_goes_only_with_all_of_its_workers() -> None:
    """Of two workers in a job one that is idle does not end the other."""
    cluster = _Cluster(processes=2)
    assert cluster.whole_jobs(["old-0", "older-0", "older-1"]) == ["older"]
    assert cluster.whole_jobs(["older-1", "older-0"]) == ["older"]
    assert cluster.whole_jobs(["older-1"]) == []


def test_what_is_let_go_leaves_and_its_successor_is_not_needed() -> None:
    """So many are wished for less, namely these; they hand over, and nobody comes in their place."""
    cluster = _Cluster()
    cluster.let_go(["old"])
    assert (cluster.wanted, cluster.staying, cluster.leaving) == (1, ["older"], {"old"})
    assert cluster.done == ["Slurm is asked", "Slurm is asked", "the keeper looks"]
    cluster.let_go([])
    assert (cluster.wanted, len(cluster.done)) == (1, 3)
    cluster.wanted = 0
    cluster.let_go(["older"])
    assert (cluster.wanted, cluster.staying) == (0, [])


def test_who_has_not_joined_ends_at_once_and_who_has_hands_over() -> None:
    """Neither is counted any more; what is dropped is not there for anybody."""
    cluster = _Cluster()
    cluster._leave(["old", "successor", "nobody"])
    assert cluster.leaving == {"old"}
    assert list(cluster.worker_spec) == ["old", "older"]
    assert cluster.done == ["Slurm is asked"]
    cluster.drop_jobs(["old"])
    assert (cluster.leaving, list(cluster.worker_spec)) == (set(), ["older"])


def test_more_are_wished_for_without_anybody_leaving() -> None:
    """The keeper is woken, which asks for them as one array; as many as there are is no change."""
    cluster = _Cluster()
    for jobs in (3, 5):
        cluster._have(jobs)
        assert (cluster.wanted, cluster.leaving, len(cluster.worker_spec)) == (jobs, set(), 3)
    assert cluster.done == ["the keeper looks"] * 2
    cluster.add_jobs(2)
    assert list(cluster.worker_spec) == ["old", "older", "successor", "new-0", "new-1"]
    assert cluster.worker_spec["new-1"] is cluster.new_spec
    assert cluster.done[2:] == ["Slurm is asked"]


def test_what_dask_is_told_of_workers() -> None:
    """Those for which Slurm was asked, and those that are there; of a job of two both, of who leaves none."""
    cluster = _Cluster(processes=2)
    there = ("old-0", "old-1", "older-0", "stranger")
    cluster.scheduler_info = {"workers": {f"tls://{name}": {"name": name} for name in there}}
    assert cluster.observed == set(there)
    cluster.leaving = {"old"}
    assert cluster.observed == {"older-0", "stranger"}
    cluster.wanted = 1
    assert cluster.plan == cluster.requested == {"older-0", "older-1"}
    del cluster.workers["older"]
    assert cluster.requested == set()
    assert cluster.plan == {"older-0", "older-1"}
    assert [cluster.job_name_of(name) for name in ("a-1-0-1", "older-0")] == ["a-1-0", "older"]
    assert _Cluster().job_name_of("a-1-0") == "a-1-0"


async def test_dask_lets_go_of_whole_jobs() -> None:
    """Of whichever of its workers Dask names, the job goes with all of them."""
    cluster = _Cluster(processes=2)
    await cluster.scale_down(["old-1", "stranger-0"])
    assert (cluster.wanted, cluster.leaving) == (1, {"old"})
