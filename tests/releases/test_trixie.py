"""Skiva on another release of Debian, from this machine: what `./skiva test --on` is for."""

import os
import subprocess
from pathlib import Path

import pytest

_CHECKOUT = Path(__file__).parents[2]
_WALK = "tests/site/test_walk.py::test_a_session_a_run_a_cluster_and_the_doctor"

pytestmark = [
    pytest.mark.skipif(os.geteuid() != 0, reason="only root can enter another release"),
    pytest.mark.skipif("trixie" in Path("/etc/os-release").read_text(), reason="this is the other one"),
]


@pytest.mark.timeout(1500)
def test_the_short_way_through_a_site_on_debian_13() -> None:
    """With its own Slurm, Python and OpenSSL: session, run, Dask cluster and doctor as on this release."""
    done = subprocess.run(
        ["./skiva", "test", "--on", "trixie", "-n0", "-p", "no:cacheprovider", _WALK],
        cwd=_CHECKOUT,
        capture_output=True,
        text=True,
        timeout=1440,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-4000:]}{done.stderr[-4000:]}"
    assert "1 passed" in done.stdout
