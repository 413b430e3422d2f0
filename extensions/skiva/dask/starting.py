"""Starts clusters for a notebook, and attaches to those that live."""

import os
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

from skiva.dask.ending import forget_keys, note_closed
from skiva.dask.listing import find, here, names_taken
from skiva.dask.making import make
from skiva.dask.place import ClusterDir
from skiva.dask.status import read_status
from skiva.dask.wish import ClusterWish, cluster_wish, lacks, spec_of
from skiva.runs.environment import travelling
from skiva.runs.ids import new_run_id
from skiva.runs.offer import find_offer
from skiva.runs.wish import BadWish
from skiva_slurm.offer import Offer

if TYPE_CHECKING:
    from skiva.dask.cluster import SliceCluster
    from skiva.dask.remote import RemoteCluster

__all__ = ["cluster"]


def cluster(
    name: str | None = None,
    *,
    slice: str | None = None,  # noqa: A002 - what it is called everywhere
    workers: int | None = None,
    minimum: int | None = None,
    maximum: int | None = None,
    hours: float | None = None,
    lifetime: float | str | None = None,
    processes: int | None = None,
    cuda: bool | None = None,
    detached: bool = False,
    env: Mapping[str, str] | Iterable[str] | None = None,
    asynchronous: bool = False,
) -> "SliceCluster | RemoteCluster":
    """Start a Dask cluster whose workers are Slurm jobs on slices; with a name alone, attach to that one.

    Args:
        name: of the new cluster; alone, the name or the id of a cluster that lives.
        slice: what each job of its workers gets; by default the first slice without a GPU.
        workers: how many Dask workers to begin with; by default those of one job.
        minimum, maximum: it adapts itself to the work between so many workers.
        hours: how long each worker job may last; the cluster replaces its workers before that.
        lifetime: when they are replaced, in seconds or as `"55m"`; by default shortly before their end.
        processes: workers in each job, where they have no GPUs; with GPUs there is one for each.
        cuda: whether the workers are dask-cuda's; by default where the slice has GPUs.
        detached: whether the scheduler gets a small job of its own and stays when this kernel goes.
        env: further variables for the workers: their names, or names with values.
        asynchronous: whether it is used with `await`, as `async with skiva.cluster(…, asynchronous=True)`.

    Returns:
        A Dask cluster: give it to `distributed.Client`. Leaving its `with` block ends it, except for one
        that was attached to by its name: that goes on.

    Raises:
        BadWish: names the field; nothing was written or submitted.
        LookupError: none of that name lives.
        NoOffer: no site is known here.
        NotSubmitted: Slurm did not take the job of a detached scheduler.
        NeverStarted: the job of a detached scheduler ended, or cannot start.
    """
    options = {
        "slice": slice,
        "workers": workers,
        "minimum": minimum,
        "maximum": maximum,
        "hours": hours,
        "lifetime": lifetime,
        "processes": processes,
        "cuda": cuda,
        "detached": detached or None,
    }
    if name is not None and env is None and all(value is None for value in options.values()):
        return _attach(name, asynchronous)
    wish = cluster_wish(name=name, **options)
    offer = find_offer()
    place = _make(wish, offer, env)
    if wish.detached:
        from skiva.dask.remote import RemoteCluster

        return RemoteCluster(place, offer=offer, asynchronous=asynchronous)
    return _in_this_process(place, asynchronous)


def _make(wish: ClusterWish, offer: Offer, env: Mapping[str, str] | Iterable[str] | None) -> ClusterDir:
    now = time.time()
    try:
        variables = travelling(os.environ, env, offer.environment.variables)
    except ValueError as problem:
        raise BadWish(str(problem)) from None
    spec = spec_of(
        wish,
        offer,
        id=new_run_id(now),
        now=now,
        python=sys.executable,
        cwd=str(Path.cwd()),
        sys_path=tuple(dict.fromkeys(str(Path(place or ".").absolute()) for place in sys.path)),
        taken=names_taken(here()),
    )
    return make(spec, variables)


def _in_this_process(place: ClusterDir, asynchronous: bool) -> "SliceCluster":
    """One whose scheduler lives in this process."""
    from skiva.dask.cluster import SliceCluster

    try:
        return SliceCluster(place=place, asynchronous=asynchronous)
    except BaseException as problem:
        note_closed(place, f"It did not start: {problem}")
        forget_keys(place)
        raise


def _attach(name: str, asynchronous: bool) -> "SliceCluster | RemoteCluster":
    if words := lacks(False):
        raise BadWish(words)
    place = find(here(), str(name))
    if own := _of_this_kernel(place, asynchronous):
        return own
    from skiva.dask.remote import RemoteCluster

    return RemoteCluster(place, asynchronous=asynchronous)


def _of_this_kernel(place: ClusterDir, asynchronous: bool) -> "SliceCluster | None":
    """The cluster itself, where its scheduler lives in this process."""
    if read_status(place).detached or "skiva.dask.cluster" not in sys.modules:
        return None
    from skiva.dask.cluster import SliceCluster

    for one in list(SliceCluster._instances):  # noqa: SLF001 - Dask keeps no other list
        fits = isinstance(one, SliceCluster) and one.place == place and one.asynchronous == asynchronous
        if fits and one.status.name == "running":
            return cast("SliceCluster", one)
    return None
