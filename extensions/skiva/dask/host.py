"""A detached scheduler's job: `python -I -m skiva.dask.host DIRECTORY` is its batch step's main process."""

import asyncio
import json
import os
import signal
import sys
import time
from pathlib import Path

from skiva.dask.ending import cancel_all, forget_keys, note_closed
from skiva.dask.place import ClusterDir
from skiva.dask.spec import ClusterSpec
from skiva_slurm.errors import SkivaSlurmError

__all__ = ["main"]

_ENDING = {
    signal.SIGUSR1: "The job of its scheduler came to the end of its time.",
    signal.SIGTERM: "The job of its scheduler was told to end.",
    signal.SIGINT: "The job of its scheduler was told to end.",
}
_NOTICE = 1.0
"""Seconds in which those who are attached learn of the end before it comes."""
_LOADED = ("LD_LIBRARY_PATH", "LD_PRELOAD")
_AGAIN = "SKIVA_CLUSTER"


def main(arguments: list[str]) -> int:
    """Run the scheduler of one cluster until that is closed, or the job's time is over."""
    # What comes before somebody listens waits, and is heard then.
    signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING)
    place = ClusterDir(Path(arguments[0]))
    os.umask(0o077)
    if place.closed.exists():
        return 0
    spec = place.read_spec()
    _enter(place, arguments)
    sys.path[:] = list(spec.sys_path) or sys.path
    if os.access(spec.cwd, os.X_OK):
        os.chdir(spec.cwd)
    return asyncio.run(_serve(place, spec))


def _enter(place: ClusterDir, arguments: list[str]) -> None:
    """Take the cluster's variables; what the loader reads needs a new start of this program."""
    wanted = {str(name): str(value) for name, value in json.loads(place.env.read_bytes()).items()}
    loads = any(wanted.get(name, "") != os.environ.get(name, "") for name in _LOADED)
    os.environ.update(wanted)
    begun = os.environ.get(_AGAIN) == place.id
    os.environ[_AGAIN] = place.id
    if loads and not begun:
        os.execv(sys.executable, [sys.executable, "-I", "-m", "skiva.dask.host", *arguments])


async def _serve(place: ClusterDir, spec: ClusterSpec) -> int:
    told = asyncio.Event()
    for number, words in _ENDING.items():
        asyncio.get_running_loop().add_signal_handler(number, _tell, place, told, words)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, _ENDING)
    try:
        await _cluster(place, told)
    except Exception as problem:
        note_closed(place, f"Its scheduler could not go on: {problem}")
        await _clear(place, spec)
        raise
    return 0


def _tell(place: ClusterDir, told: asyncio.Event, words: str) -> None:
    if not told.is_set():
        print(words, flush=True)  # noqa: T201 - the job's log
        note_closed(place, words)
        told.set()


async def _cluster(place: ClusterDir, told: asyncio.Event) -> None:
    """Hold the cluster until it is closed from outside, or somebody tells this job to end."""
    from skiva.dask.cluster import SliceCluster

    made = SliceCluster(place=place, asynchronous=True)
    made.ends = _ends(place.read_spec())
    async with made as cluster:
        ends = [asyncio.ensure_future(one) for one in (cluster.scheduler.finished(), told.wait())]
        await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        if told.is_set():
            await asyncio.sleep(_NOTICE)
        for one in ends:
            one.cancel()


def _ends(spec: ClusterSpec) -> float:
    """When this job ends, in seconds since the epoch."""
    told = os.environ.get("SLURM_JOB_END_TIME", "")
    return float(told) if told.isdigit() else time.time() + spec.scheduler_hours * 3600


async def _clear(place: ClusterDir, spec: ClusterSpec) -> None:
    """End what the cluster may have left at Slurm."""
    try:
        await cancel_all(place, spec, sparing=int(os.environ.get("SLURM_JOB_ID") or 0), patience=20.0)
    except SkivaSlurmError as problem:
        print(f"Some of its jobs could not be ended: {problem}", flush=True)  # noqa: T201
    forget_keys(place)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
