"""What a worker job reads of its cluster: the same as whoever wrote it down, and soon."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError
from tests.support.clusters_on_disk import lay_cluster

from skiva.dask.spec import ClusterSpec
from skiva.dask.work_spec import WorkSpec, memory_of, threads_of
from skiva.dask.worker_command import command, variables
from skiva_slurm.offer import DaskOffer

_HEAVY = ("pydantic", "asyncio", "tornado", "distributed")


@pytest.mark.parametrize("more", [{}, {"processes": 2}, {"hours": 0.02, "sys_path": ("/a", "/b")}])
def test_a_job_reads_what_the_cluster_is(tmp_path: Path, more: dict[str, Any]) -> None:
    """A worker job starts exactly the workers that the checked description says."""
    place = lay_cluster(tmp_path / "clusters", keys=False, **more)
    whole, read = place.read_spec(), WorkSpec.read(place.spec)
    assert (read.threads, read.memory, read.minutes) == (whole.threads, whole.memory, whole.minutes)
    told = {"LANG": "C.UTF-8"}
    assert variables(read, told, {}) == variables(whole, told, {})
    arguments = (place, "name", "tls://here:1", "127.0.0.1", "/scratch", told)
    assert command(read, *arguments) == command(whole, *arguments)


def test_what_a_cluster_is_made_of_is_bounded_and_the_rest_has_defaults(tmp_path: Path) -> None:
    """Whoever reads an older description finds what was meant; impossible numbers are no description."""
    told = lay_cluster(tmp_path / "clusters", keys=False).read_spec().model_dump()
    optional = ("conf", "dask", "minimum", "maximum", "detached", "scheduler_hours", "sys_path")
    least = {name: value for name, value in told.items() if name not in optional}
    spec = ClusterSpec.model_validate(least)
    assert [getattr(spec, name) for name in optional] == [None, DaskOffer(), None, None, False, 0.0, ()]
    for name, wrong, right in (
        ("workers", -1, 0),
        ("processes", 0, 1),
        ("processes", 65, 64),
        ("hours", 0, 0.01),
        ("lifetime", 0, 0.01),
        ("cuda", True, False),
    ):
        assert getattr(ClusterSpec.model_validate({**least, name: right}), name) == right
        with pytest.raises(ValidationError, match=name if name != "cuda" else "processes: must be"):
            ClusterSpec.model_validate({**least, name: wrong})


@pytest.mark.parametrize(
    ("memory_mb", "processes", "bytes_"),
    [(2000, 1, 1700 << 20), (1500, 1, 1200 << 20), (1000, 1, 800 << 20), (2000, 3, (1700 << 20) // 3)],
)
def test_a_workers_memory_is_its_jobs_without_what_looks_after_it(
    memory_mb: int, processes: int, bytes_: int
) -> None:
    """Three hundred MiB of each job, of small ones a fifth, shared by its workers."""
    assert memory_of(memory_mb, processes) == bytes_


@pytest.mark.parametrize(
    ("cores", "processes", "cuda", "threads"),
    [(8, 1, False, 8), (8, 3, False, 2), (2, 4, False, 1), (8, 2, True, 1)],
)
def test_a_worker_has_its_share_of_the_cores(cores: int, processes: int, cuda: bool, threads: int) -> None:
    """One at least, and one where it has a GPU to itself."""
    assert threads_of(cores, processes, cuda=cuda) == threads


def test_a_job_starts_its_workers_soon() -> None:
    """Many jobs of one node start at the same moment, so none loads libraries that it has no use for."""
    code = f"import sys, skiva.dask.work; print([name for name in {_HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
