"""Does what a first minute in this environment needs: the server's parts import, and a kernel runs a cell.

What clusters on slices need is there; workers for GPUs import on a machine without one as well.
"""

import importlib
import sys

from jupyter_client.manager import start_new_kernel

PARTS = (
    "jupyterlab.labapp",
    "jupyter_server.serverapp",
    "jupyter_server_proxy",
    "skiva.session",
    "skiva.server",
    "skiva_slurm",
)
CLUSTERS = """
import dask.config, dask_cuda.cli, dask_jobqueue, distributed.dashboard.scheduler, skiva
assert issubclass(skiva.SliceCluster, dask_jobqueue.SLURMCluster) and skiva.cluster and skiva.clusters
assert dask.config.get("distributed.scheduler.preload") == ["skiva.dask.guard"], dask.config.paths
"""


def main() -> None:
    """Import the parts, run a cell."""
    for part in PARTS:
        importlib.import_module(part)
    if early := {"dask", "distributed", "dask_jobqueue", "dask_cuda"} & sys.modules.keys():
        raise SystemExit(f"A notebook server loads {', '.join(sorted(early))}, and starts late.")
    manager, client = start_new_kernel(startup_timeout=60)
    try:
        reply = client.execute_interactive(CLUSTERS, timeout=60, store_history=False)
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    if reply["content"]["status"] != "ok":
        raise SystemExit(f"A kernel cannot run a cell: {reply['content'].get('evalue', reply)}")


if __name__ == "__main__":
    main()
