"""The answers about clusters that only read. Everything here is files, and belongs into a thread."""

import re
from pathlib import Path
from typing import Any

from skiva.dask.place import ClusterDir
from skiva.dask.spec import devices_of
from skiva.dask.wish import lacks
from skiva.runs.files import read_tail
from skiva.runs.offer import NoOffer, find_offer
from skiva.server.held import held
from skiva.server.problems import Problem
from skiva.server.runs.offered import offered as runs_offered
from skiva_slurm.offer import DaskOffer

__all__ = ["log", "offered"]

_PIECE = 256 * 1024
_NUMBER = "(0|[1-9][0-9]{0,6})"


def log(root: Path, cluster: str, worker: str, offset: int | None) -> dict[str, Any]:
    """The next piece of what a worker's job printed, or without one a detached scheduler; first the last.

    Raises:
        LookupError, OSError: there is no such cluster.
        Problem: there is no such worker.
    """
    with held(root, cluster, "cluster") as path:
        file = _log_of(ClusterDir(path), cluster, worker) if worker else ClusterDir(path).scheduler_log
        text, following, size = read_tail(file, _PIECE, offset)
    return {"text": text, "next": following, "size": size}


def _log_of(place: ClusterDir, cluster: str, worker: str) -> Path:
    found = re.fullmatch(rf"{cluster}-{_NUMBER}-{_NUMBER}", worker)
    if found is None:
        raise Problem(400, f"worker: must be the name of one of its jobs, such as {cluster}-1-0.")
    batch, task = int(found[1]), int(found[2])
    if (place.path / "log").is_symlink() or place.logs(batch).is_symlink():
        raise LookupError("The logs of this cluster are not where they belong.")
    return place.log(batch, task)


def offered(told: list[Any]) -> dict[str, Any]:
    """What clusters may be started on, and whether they can be; `told` is what the hub says of slices."""
    answer = runs_offered(told)
    dask, gpus = DaskOffer(), {}
    try:
        offer = find_offer()
    except NoOffer:
        pass
    else:
        dask = offer.dask
        gpus = {one.id: devices_of(one) for one in offer.slices}
    missing = lacks(cuda=False)
    return {
        "slices": [{**one, "gpus": gpus.get(one["id"], 0)} for one in answer["slices"]],
        "hours": min(dask.hours, dask.max_hours),
        "max_hours": dask.max_hours,
        "most_jobs": dask.most_jobs,
        "most_slice_hours": dask.most_slice_hours,
        "dask": not missing,
        "cuda": not missing and not lacks(cuda=True),
        "message": missing or lacks(cuda=True),
        "trouble": answer["trouble"],
    }
