"""Runs a notebook in a job: outputs are on disk as they come, and its end is told as it was."""

import asyncio
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from skiva.runs.notebook.signals import Signals
from skiva.runs.paths import RunDir
from skiva.runs.requeue import GO_ON
from skiva.runs.spec import Spec

__all__ = ["main"]

_ABSENT = ("isoduration", "rfc3986_validator", "rfc3987_syntax")


def main(directory: Path, spec: Spec) -> int:
    """Run the notebook in a run's directory; the exit status, 75 for "saved, go on in another job"."""
    signals = Signals()
    run = RunDir(directory)
    for stale in (run.outcome, run.error, *run.path.glob("*out.ipynb.*")):
        stale.unlink(missing_ok=True)

    # They would check formats that no notebook has, and take a second to import.
    sys.modules.update(dict.fromkeys(_ABSENT))  # type: ignore[arg-type]

    from skiva.runs.files import write_json
    from skiva.runs.notebook.execution import Execution
    from skiva.runs.notebook.plan import NoNotebook, plan

    try:
        execution = Execution(run, spec, plan(run, spec), signals, _restarts())
    except (NoNotebook, OSError) as problem:
        sentence = f"The notebook cannot be run: {problem}"
        print(f"skiva: {sentence}", flush=True)
        with suppress(OSError):
            write_json(run.outcome, {"how": "failed", "exit": 1, "sentence": sentence})
        return 1
    status = asyncio.run(execution.until_end())
    return GO_ON if status == GO_ON else min(status, 255)


def _restarts() -> int:
    from skiva.runs.this_run import this_run

    run: Any = this_run()
    return int(os.environ.get("SLURM_RESTART_COUNT", "0")) if run is None else run.restarts
