"""A job puts itself back into the queue."""

import os
import time

from skiva.runs.spec import Spec

__all__ = ["GO_ON", "requeue"]

GO_ON = 75
"""The exit status by which user code says: saved, go on in another job (EX_TEMPFAIL)."""
_TRIES, _TIMEOUT = 3, 20.0


def requeue(spec: Spec) -> str:
    """Ask Slurm to start this job again under the same number; empty, or one sentence on what kept it."""
    import subprocess

    job = os.environ.get("SLURM_JOB_ID", "")
    if spec.tasks is not None:
        job = f"{os.environ.get('SLURM_ARRAY_JOB_ID', job)}_{os.environ.get('SLURM_ARRAY_TASK_ID', '')}"
    said = "Slurm did not answer."
    program = f"{spec.environment.get('slurm_bin') or '/usr/bin'}/scontrol"
    for _ in range(_TRIES):
        try:
            done = subprocess.run(
                [program, "requeue", job], capture_output=True, text=True, timeout=_TIMEOUT, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as problem:
            said = str(problem)
        else:
            if done.returncode == 0:
                return ""
            said = done.stderr.strip()[-300:]
        time.sleep(1)
    return said
