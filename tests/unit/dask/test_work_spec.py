"""What a worker job reads of its cluster: the same as whoever wrote it down, and soon."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.support.clusters_on_disk import lay_cluster

from skiva.dask.work_spec import WorkSpec
from skiva.dask.worker_command import command, variables

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


def test_a_job_starts_its_workers_soon() -> None:
    """Many jobs of one node start at the same moment, so none loads libraries that it has no use for."""
    code = f"import sys, skiva.dask.work; print([name for name in {_HEAVY} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
