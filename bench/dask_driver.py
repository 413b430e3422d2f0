"""What a person does who scales out, by either side's means: a line asks, a line answers.

`python dask_driver.py FOLDER OPTIONS` runs in the person's account, in an environment that has both sides'
packages. Each request is a JSON object on standard input, `{"do": …, "side": …, …}`; each answer one on
standard output. It is copied to where that account can read it, so nothing of the other modules is used here.
"""

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import dask_jobqueue
import distributed

import skiva

_PATIENCE = 240.0
_WARM = 500


def increment(number: int) -> int:
    """The tiny task."""
    return number + 1


class Driver:
    """Both sides, with the same options for Slurm.

    Args:
        options: for each slice `partition`, `cores`, `memory_mb`, `gres`; and `minutes`, `tasks`.
    """

    def __init__(self, options: dict[str, Any]) -> None:
        self._options = options
        self._cluster: Any = None
        self._client: Any = None

    def up(self, side: str, *, slice: str, jobs: int, ready: int = 0) -> dict[str, float]:  # noqa: A002
        """Start a cluster, ask for workers, and wait until they are there, or `ready` of them."""
        begun = time.monotonic()
        self._cluster = self._skiva(slice) if side == "skiva" else self._stock(slice, tls="TLS" in side)
        made = time.monotonic()
        self._cluster.scale(jobs)
        scaled = time.monotonic()
        self._client = distributed.Client(self._cluster)
        self._client.wait_for_workers(ready or jobs, timeout=_PATIENCE)
        ended = time.monotonic()
        return {"made": made - begun, "scale": scaled - made, "ready": ended - begun}

    def _skiva(self, slice_id: str) -> Any:
        return skiva.cluster(slice=slice_id, workers=0, hours=self._options["minutes"] / 60, cuda=False)

    def _stock(self, slice_id: str, *, tls: bool) -> Any:
        """The defaults, but for one worker a job, as with us, and for listening on this machine alone."""
        one = self._options[slice_id]
        return dask_jobqueue.SLURMCluster(
            queue=one["partition"],
            cores=one["cores"],
            processes=1,
            memory=f"{one['memory_mb']}MiB",
            walltime=f"00:{self._options['minutes']}:00",
            job_extra_directives=[f"--gres={one['gres']}"] if one.get("gres") else [],
            scheduler_options={"host": "127.0.0.1", "dashboard_address": "127.0.0.1:0"},
            **({"security": True} if tls else {}),
        )

    def storm(self, _: str) -> dict[str, float]:
        """Many tiny tasks, and their results."""
        number = int(self._options["tasks"])
        self._client.gather(self._client.map(increment, range(_WARM), pure=False))
        begun = time.monotonic()
        values = self._client.gather(self._client.map(increment, range(number), pure=False))
        seconds = time.monotonic() - begun
        if sum(values) != number * (number + 1) // 2:
            raise ValueError("other results")
        return {"storm": seconds}

    def down(self, _: str) -> dict[str, float]:
        """End the cluster."""
        self._client.close()
        begun = time.monotonic()
        self._cluster.close()
        return {"close": time.monotonic() - begun}


def main(folder: Path, options: dict[str, Any]) -> None:
    """Answer requests until there are no more."""
    os.chdir(folder)
    driver = Driver(options)
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what libraries print is not an answer
    for line in sys.stdin:
        asked = json.loads(line)
        do, side = asked.pop("do"), asked.pop("side")
        try:
            told = getattr(driver, do)(side, **asked)
        except Exception as problem:  # noqa: BLE001 - whatever it is, it is told
            told = {"problem": f"{do} of {side}: {type(problem).__name__}: {problem}"}
        print(json.dumps(told), file=answers)


if __name__ == "__main__":
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
