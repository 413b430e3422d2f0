"""Keeps the directories of the last clusters that have ended, and the keys of none."""

import shutil
import time
from pathlib import Path

from skiva.dask.ending import forget_keys
from skiva.dask.place import ClusterDir
from skiva.dask.status import read_status
from skiva.runs.ids import is_run_id

__all__ = ["tidy"]

_KEPT = 50
"""Clusters that have ended of which the logs stay."""
_SURELY = 3600.0
"""Seconds without a word after which a cluster that was lost does not come back."""


def tidy(root: Path, now: float | None = None) -> None:
    """Remove what nobody needs any more. What cannot be removed stays."""
    moment = time.time() if now is None else now
    try:
        places = [ClusterDir(path) for path in root.iterdir() if is_run_id(path.name)]
    except OSError:
        return
    ended = [(at, place) for place in places if (at := _ended_at(place, moment)) is not None]
    ended.sort(key=lambda one: one[0], reverse=True)
    for _, place in ended:
        forget_keys(place)
    for _, place in ended[_KEPT:]:
        shutil.rmtree(place.path, ignore_errors=True)


def _ended_at(place: ClusterDir, now: float) -> float | None:
    """When it ended, for good; None for one that lives or may live, and for what is no cluster of ours."""
    try:
        status = read_status(place, now - _SURELY)
    except (OSError, ValueError):
        return None
    return None if status.living else max(status.at, status.created)
