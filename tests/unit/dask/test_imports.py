"""A session starts without Dask: only kernels that ask for it wait for it."""

import subprocess
import sys

_PROGRAM = """
import sys
import skiva.magics, skiva.server.app, skiva.server.clusters.handlers, skiva.session.serve
import skiva.dask.ask, skiva.dask.detached, skiva.dask.limits, skiva.dask.listing, skiva.dask.wish
skiva.dask.wish.lacks(True), skiva.cluster, skiva.clusters
slow = {"bokeh", "dask", "dask_cuda", "dask_jobqueue", "distributed", "numpy", "pandas"}
print(sorted(slow & sys.modules.keys()))
"""


def test_a_notebook_server_and_a_kernel_that_starts_load_no_dask() -> None:
    """Neither serving clusters nor naming `skiva.cluster` imports Dask or what it brings along."""
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
