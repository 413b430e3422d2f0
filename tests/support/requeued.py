"""Jobs that Slurm has put back into the queue."""

import time
from typing import Any

from tests.support.waiting import wait_until

__all__ = ["hasten"]


def hasten(cluster: Any, job: int) -> None:
    """Slurm lets a requeued job wait for as long as its credential counts, or two minutes; tests do not.

    A node takes a job that starts in the second in which it ended for the one that was killed.
    """
    wait_until(lambda: cluster.job_state(job) == "PENDING", 30, f"job {job} is in the queue")
    seen = time.time()
    wait_until(lambda: time.time() > seen + 2, 5)
    argv = ["/usr/bin/scontrol", "update", f"JobId={job}", "StartTime=now"]
    done = cluster.run_as("root", argv)
    assert done.returncode == 0, done.stderr
