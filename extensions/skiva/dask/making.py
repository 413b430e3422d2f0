"""Writes a new cluster down, once it is known that it can be."""

from collections.abc import Mapping

from skiva.dask.limits import check
from skiva.dask.place import ClusterDir, clusters_dir
from skiva.dask.spec import ClusterSpec
from skiva.dask.tidying import tidy
from skiva.dask.wish import lacks
from skiva.runs.claim import Claims
from skiva.runs.paths import NotYours, own_place
from skiva.runs.queue import Queue
from skiva.runs.wish import BadWish

__all__ = ["claims", "make"]


def claims() -> Claims[ClusterDir]:
    """The keys with which clusters were asked for; that of one that has ended is free again."""
    return Claims(clusters_dir(), ClusterDir, lambda place: not place.closed.exists())


def make(spec: ClusterSpec, variables: Mapping[str, str], key: str = "") -> ClusterDir:
    """The directory of a new cluster, attached or detached; that of another where it has this key.

    Raises:
        BadWish: this environment lacks something, or the site does not let this person have so many workers.
        OSError: its files could not be written.
    """
    if words := lacks(spec.cuda):
        raise BadWish(words)
    most = max(spec.workers, spec.maximum or 0)
    check(spec, -(-most // spec.processes), spec.dask, Queue().told())
    tidy(clusters_dir())
    try:
        root = own_place(clusters_dir())
        if key and (found := claims().claim(key, spec.id)):
            return found
        return ClusterDir.make(root, spec, variables)
    except NotYours as problem:
        raise BadWish(f"clusters: {problem}") from None
