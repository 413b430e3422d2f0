"""Runs a task on two CUDA workers. Without a GPU they are dask-cuda's own stand-ins, made for its tests."""

import os
import subprocess
import sys
from pathlib import Path

from distributed import Client, LocalCluster

STAND_IN = {"DASK_CUDA_TEST_DISABLE_DEVICE_SPECIFIC": "1", "CUDA_VISIBLE_DEVICES": "0,1"}
OPTIONS = ("--nthreads=1", "--no-dashboard", "--host=127.0.0.1", "--death-timeout=60")


def main() -> None:
    """Start a scheduler and a program of CUDA workers, count their answers, end both."""
    real = Path("/dev/nvidiactl").exists()
    env = os.environ | ({} if real else STAND_IN)
    with (
        LocalCluster(n_workers=0, host="127.0.0.1", dashboard_address=None) as cluster,
        Client(cluster, timeout=60) as client,
    ):
        command = [sys.executable, "-I", "-m", "dask_cuda.cli", cluster.scheduler_address, *OPTIONS]
        workers = subprocess.Popen(command, env=env)
        try:
            client.wait_for_workers(1 if real else 2, timeout=60)
            total = client.submit(sum, range(10)).result(timeout=60)
            devices = client.run(os.getenv, "CUDA_VISIBLE_DEVICES")
        finally:
            workers.terminate()
            workers.wait(60)
    if total != 45 or not all(devices.values()):
        raise SystemExit(f"CUDA workers answer wrongly: {total}, {devices}.")


if __name__ == "__main__":
    main()
