"""Somebody who starts Dask clusters on a real Slurm, from Python of the site's environment."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.run_owner import RunOwner, run_owner

__all__ = ["cluster_owner", "clusters_of", "jobs_of"]

_SLICES = (
    {"id": "cpu", "title": "One core", "partition": "cpu"},
    {"id": "shared", "title": "One core elsewhere", "partition": "shared"},
    {
        "id": "1g.10gb",
        "title": "A MIG instance",
        "partition": "slices",
        "gres": "gpu:1g.10gb:1",
        "simulated": True,
    },
)


@contextmanager
def cluster_owner(cluster: Any, name: str) -> Iterator[RunOwner]:
    """An account with an offer of slices on which workers fit; its clusters are gone afterwards."""
    with run_owner(cluster, name) as owner:
        offer = json.loads((owner.place / "offer.json").read_text())
        offer["slices"] = [{"cores": 1, "memory_mb": 600, **piece} for piece in _SLICES]
        (owner.place / "offer.json").write_text(json.dumps(offer))
        owner.env["SKIVA_CLUSTERS"] = str(clusters_of(owner))
        yield owner


def clusters_of(owner: RunOwner) -> Path:
    """Where their clusters are."""
    return owner.place / "clusters"


def jobs_of(owner: RunOwner, *, states: str = "") -> list[str]:
    """Batch and state of each of their clusters' jobs that wait or run, or of those in `states`."""
    chosen = ["-t", states] if states else []
    argv = ["/usr/bin/squeue", "-a", "-h", "-r", "-u", owner.name, *chosen, "-o", "%k %T"]
    rows = [line.split() for line in owner.cluster.run_as("root", argv).stdout.splitlines()]
    return [f"{row[0].split(':')[2]} {row[1]}" for row in rows if row[0].startswith("skiva-cluster:")]
