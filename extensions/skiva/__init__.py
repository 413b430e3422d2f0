"""What a notebook imports: work is sent to the batch queue and found again.

Names are loaded when they are first used, so that a session's start does not wait for them.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
    "NoOffer",
    "NotDone",
    "NotSubmitted",
    "Run",
    "RunFailed",
    "Status",
    "Stays",
    "ThisRun",
    "checkpoint",
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
    "BadWish": "wish",
    "Checkpoint": "checkpoint",
    "NoOffer": "offer",
    "NotDone": "run",
    "NotSubmitted": "submit",
    "Run": "run",
    "RunFailed": "run",
    "Status": "status",
    "Stays": "travel",
    "ThisRun": "this_run",
    "checkpoint": "checkpoint",
    "jobs": "listing",
    "map": "functions:map_items",
    "progress": "this_run",
    "run": "listing",
    "submit": "functions",
    "submit_notebook": "notebook.handing",
    "submit_rest": "notebook.handing",
    "this_run": "this_run",
}


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module 'skiva' has no attribute {name!r}")
    module, _, other = _PLACES[name].partition(":")
    return getattr(import_module(f"skiva.runs.{module}"), other or name)


def load_ipython_extension(shell: Any) -> None:
    """`%load_ext skiva`: the magics. Kernels of a session have them already."""
    from skiva.magics import load_ipython_extension as load

    load(shell)


def __dir__() -> list[str]:
    return sorted(__all__)
