"""What is asked of Slurm for a cluster's jobs: all that was picked, and nothing beside it."""

from pathlib import Path
from typing import Any

import pytest
from tests.support.clusters_on_disk import cluster_id, lay_cluster

from skiva.dask import detached, worker_jobs
from skiva.dask.place import ClusterDir
from skiva.runs.wish import BadWish
from skiva_slurm.offer import EnvironmentOffer, Offer, SliceOffer

PICKED: dict[str, Any] = {
    "partition": "gpu",
    "account": "physics",
    "qos": "long",
    "constraint": "h100",
    "exclude": "n[1-3]",
    "reservation": "course",
}
GPU = SliceOffer(id="g", title="G", gres="gpu:1g.10gb:1", cores=3, memory_mb=5000, **PICKED)
CPU = SliceOffer(id="c", title="C", cores=2, memory_mb=1500, **PICKED | {"partition": "cpu", "qos": "cheap"})
BASE = EnvironmentOffer(id="base", title="", launch={"python": "/opt/base/bin/python"})


def _cluster(tmp_path: Path, **more: Any) -> ClusterDir:
    known: dict[str, Any] = {"name": "my night", "slice": GPU, "environment": BASE, "hours": 1.5}
    return lay_cluster(tmp_path, keys=False, **known | more)


def _offer(*slices: SliceOffer) -> Offer:
    return Offer(hub="h", bin="/usr/bin", slices=slices, environment=BASE)


def test_workers_are_asked_for_as_they_were_picked(tmp_path: Path) -> None:
    """The whole request: a value that gets lost on the way would put jobs where they do not belong."""
    place = _cluster(tmp_path)
    asked = worker_jobs.request(place.read_spec(), place, 4, 7, 99)
    assert asked.model_dump(exclude_defaults=True) == {
        **PICKED,
        "name": "dask-my-night",
        "tag": f"skiva-cluster:{cluster_id(1)}:4:99",
        "gres": "gpu:1g.10gb:1",
        "cores": 3,
        "memory_mb": 5000,
        "minutes": 90,
        "output": f"{place.logs(4)}/%a.log",
        "chdir": str(place.path),
        "warn_seconds": 30,
        "tasks": 7,
        "command": ("/opt/base/bin/python", "-I", "-m", "skiva.dask.work", str(place.path), "4"),
    }


def test_a_scheduler_is_asked_for_on_a_slice_without_a_gpu(tmp_path: Path) -> None:
    """One core of it and at most 2 GiB, with that slice's account and limits, for the scheduler's hours."""
    place = _cluster(tmp_path, detached=True, scheduler_hours=2.5)
    asked = detached.request(place.read_spec(), _offer(GPU, CPU), place.path)
    assert asked.model_dump(exclude_defaults=True) == {
        **PICKED,
        "partition": "cpu",
        "qos": "cheap",
        "name": "dask-my-night-scheduler",
        "tag": f"skiva-cluster:{cluster_id(1)}:0:0",
        "cores": 1,
        "memory_mb": 1500,
        "minutes": 150,
        "output": str(place.scheduler_log),
        "chdir": str(place.path),
        "warn_seconds": 60,
        "command": ("/opt/base/bin/python", "-I", "-m", "skiva.dask.host", str(place.path)),
    }
    large = CPU.model_copy(update={"memory_mb": 64_000})
    assert detached.request(place.read_spec(), _offer(large), place.path).memory_mb == 2048


@pytest.mark.parametrize("hours", [0.0, 0.001])
def test_a_scheduler_lasts_a_minute_at_least(tmp_path: Path, hours: float) -> None:
    """Slurm takes no less."""
    place = _cluster(tmp_path, detached=True, scheduler_hours=hours)
    assert detached.request(place.read_spec(), _offer(CPU), place.path).minutes == 1


def test_what_slurm_cannot_be_given_is_named_with_its_field(tmp_path: Path) -> None:
    """Of workers as of a scheduler: the path, and why, in one sentence and before anything is sent."""
    place = _cluster(tmp_path, detached=True, scheduler_hours=1.0)
    spec = place.read_spec()
    odd = ClusterDir(Path("/a\nb"))
    why = r"^output: .*must be an absolute path without line breaks, control characters and backslashes$"
    with pytest.raises(BadWish, match=why):
        worker_jobs.request(spec, odd, 1, 1, 0)
    with pytest.raises(BadWish, match=why):
        detached.request(spec, _offer(CPU), odd.path)
