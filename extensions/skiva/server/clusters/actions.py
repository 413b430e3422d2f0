"""What a person does with clusters where no scheduler is asked: start, end, remove. All for a thread."""

import secrets
import shutil
from pathlib import Path
from typing import Any

from skiva.dask.ending import cancel_all, forget_keys, note_closed
from skiva.dask.place import ClusterDir
from skiva.runs.slurm import wait_for
from skiva.server.held import held
from skiva.server.problems import body_of, told

__all__ = ["end", "remove", "start"]

_FIELDS = frozenset({"slice", "workers", "name", "hours", "minimum", "maximum", "key"})
_PATIENCE = 30.0
"""Seconds for which Slurm is asked to end a cluster's jobs while the person waits."""


def start(raw: bytes) -> str:
    """Start a detached cluster in this server's environment; its id. Raises Problem."""
    body = body_of(raw, _FIELDS)
    return told(lambda: _started(body), "cluster")


def _started(body: dict[str, Any]) -> str:
    from skiva.dask.detached import start as start_detached

    wishes = {name: body.get(name) for name in _FIELDS - {"name"}}
    return start_detached(name=body.get("name") or "", **wishes).id


def end(root: Path, cluster: str) -> None:
    """End every job of a cluster whose scheduler does not answer. Raises Problem."""
    told(lambda: _ended(root, cluster), "cluster")


def _ended(root: Path, cluster: str) -> None:
    with held(root, cluster, "cluster") as path:
        spec = ClusterDir(path).read_spec()
    place = ClusterDir.of(root, cluster)
    if spec.id != cluster:
        raise ValueError("What is written about this cluster is of another one.")
    wait_for(cancel_all(place, spec, patience=_PATIENCE))
    note_closed(place, "It was closed.")
    forget_keys(place)


def remove(root: Path, cluster: str) -> None:
    """Take the directory of one that has ended off the disk. Raises Problem."""
    told(lambda: _removed(root, cluster), "cluster")


def _removed(root: Path, cluster: str) -> None:
    with held(root, cluster, "cluster"):
        pass
    aside = root / f".{cluster}.{secrets.token_hex(4)}"
    (root / cluster).rename(aside)
    # What a job that ends this moment still writes there may keep a part of it.
    shutil.rmtree(aside, ignore_errors=True)
