"""Somebody who starts Dask clusters on a real Slurm, from Python of the site's environment."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.support.run_owner import RunOwner, run_owner

__all__ = ["cluster_owner", "clusters_of", "jobs_of", "program_of"]

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
    {
        "id": "2xh100",
        "title": "Two GPUs",
        "partition": "gpu",
        "gres": "gpu:h100:2",
        "cores": 2,
        "memory_mb": 1200,
        "simulated": True,
    },
    {"id": "low", "title": "One core that others may take", "partition": "lowprio"},
    {"id": "nowhere", "title": "More than any node has", "partition": "cpu", "cores": 60},
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
    rows = owner.cluster.queue("--array", f"--user={owner.name}", *chosen, "--format=%k %T")
    return [f"{row[0].split(':')[2]} {row[1]}" for row in rows if row[0].startswith("skiva-cluster:")]


def program_of(owner: RunOwner, code: str) -> "subprocess.Popen[str]":
    """A program of theirs that goes on; what it prints is read from its `stdout` and `stderr`."""
    known = {**owner.cluster.env, "HOME": f"/home/{owner.name}", "USER": owner.name, "LANG": "C.UTF-8"}
    program = f"import json, os, sys, time, skiva\n{code}"
    return subprocess.Popen(
        [str(owner.python), "-u", "-c", program],
        env={**known, **owner.env, "SKIVA_RUN_DIR": str(owner.place)},
        user=owner.name,
        group=owner.name,
        extra_groups=[],
        cwd=owner.place,
        text=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
