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
        self.loop = SimpleNamespace(add_callback=lambda *_: None)
        self._correct_state = None

        def least_useful(number: int) -> list[str]:
            return by_use(view for view in views if view.name in self.staying)[:number]

        self.keeper = SimpleNamespace(  # type: ignore[assignment]
            wake=lambda: None,
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
