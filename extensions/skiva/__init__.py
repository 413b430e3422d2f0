"""What a notebook imports: work is sent to the batch queue and found again, Dask clusters grow on slices.

Names are loaded when they are first used, so that a session's start does not wait for them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skiva.dask.cluster import SliceCluster
    from skiva.dask.listing import clusters
    from skiva.dask.starting import cluster
    from skiva.dask.waiting import NeverStarted
    from skiva.runs.checkpoint import Checkpoint, checkpoint
    from skiva.runs.functions import map_items as map  # noqa: A004 - the field's word
    from skiva.runs.functions import submit
    from skiva.runs.listing import jobs, run
    from skiva.runs.notebook.handing import submit_notebook, submit_rest
    from skiva.runs.offer import NoOffer
    from skiva.runs.run import NotDone, Run, RunFailed
    from skiva.runs.status import Status
    from skiva.runs.submit import NotSubmitted
    from skiva.runs.this_run import ThisRun, progress, this_run
    from skiva.runs.travel import Stays
    from skiva.runs.wish import BadWish

__all__ = [
    "BadWish",
    "Checkpoint",
    "NeverStarted",
    "NoOffer",
    "NotDone",
    "NotSubmitted",
    "Run",
    "RunFailed",
    "SliceCluster",
    "Status",
    "Stays",
    "ThisRun",
    "checkpoint",
    "cluster",
    "clusters",
    "jobs",
    "map",
    "progress",
    "run",
    "submit",
    "submit_notebook",
    "submit_rest",
    "this_run",
]

_PLACES = {
    "BadWish": "skiva.runs.wish",
    "Checkpoint": "skiva.runs.checkpoint",
    "NeverStarted": "skiva.dask.waiting",
    "NoOffer": "skiva.runs.offer",
    "NotDone": "skiva.runs.run",
    "NotSubmitted": "skiva.runs.submit",
    "Run": "skiva.runs.run",
    "RunFailed": "skiva.runs.run",
    "SliceCluster": "skiva.dask.cluster",
    "Status": "skiva.runs.status",
    "Stays": "skiva.runs.travel",
    "ThisRun": "skiva.runs.this_run",
    "checkpoint": "skiva.runs.checkpoint",
    "cluster": "skiva.dask.starting",
    "clusters": "skiva.dask.listing",
    "jobs": "skiva.runs.listing",
    "map": "skiva.runs.functions:map_items",
    "progress": "skiva.runs.this_run",
    "run": "skiva.runs.listing",
    "submit": "skiva.runs.functions",
    "submit_notebook": "skiva.runs.notebook.handing",
    "submit_rest": "skiva.runs.notebook.handing",
    "this_run": "skiva.runs.this_run",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'skiva' has no attribute {name!r}")
    module, _, other = _PLACES[name].partition(":")
    return getattr(import_module(module), other or name)


def load_ipython_extension(shell: Any) -> None:
    """`%load_ext skiva`: the magics. Kernels of a session have them already."""
    from skiva.magics import load_ipython_extension as load

    load(shell)


def __dir__() -> list[str]:
    return sorted(__all__)
