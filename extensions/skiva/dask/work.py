"""A worker job's side: `python -I -m skiva.dask.work DIRECTORY BATCH` is the batch step's main process.

It holds no node for a cluster that is gone: it looks before it starts the workers, and when they end, it
ends what else is left of a cluster whose scheduler does not live any more.
"""

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from urllib.parse import urlsplit

from skiva.dask.address import address_towards
from skiva.dask.ask import NoAnswer, tls_context
from skiva.dask.place import ClusterDir
from skiva.dask.scratch import scratch_dir
from skiva.dask.work_spec import WorkSpec
from skiva.dask.worker_command import BadDevices, command, variables
from skiva.runs.files import write_json

__all__ = ["main"]

_CONNECT = 5.0
_TRIES, _PAUSE = 3, 0.5
"""How often a scheduler that refuses is tried before it is taken for gone, and the seconds between."""
_GRACE = 2
"""Seconds between the request to end and the kill: what the workers held was handed over before."""
_CLEARING = 20.0
_KEEPER = 5.0
"""Seconds within which a cluster that lives has written its status anew."""
_UNREACHED = "Its node could not reach the cluster's scheduler."


def main(arguments: list[str]) -> int:
    """Run the workers of one job, and write down how they ended."""
    place, batch = ClusterDir(Path(arguments[0])), int(arguments[1])
    task = int(os.environ["SLURM_ARRAY_TASK_ID"])
    os.umask(0o077)
    spec = WorkSpec.read(place.spec)
    _write(place.start(batch, task), _beginning(spec))
    address = str((place.read(place.scheduler) or {}).get("address") or "")
    if not _lives(place, address):
        return _leave(place, spec, batch, task)
    name = f"{spec.id}-{batch}-{task}"
    try:
        status, told_to_end = _run(place, spec, name, address)
        sentence = _sentence(status, told=told_to_end)
    except (BadDevices, OSError) as problem:
        status, told_to_end, sentence = 1, False, str(problem)
        print(sentence, flush=True)  # noqa: T201 - the job's log
    told = {"at": time.time(), "how": "ended", "exit": status, "sentence": sentence}
    _write(place.end(batch, task), told)
    # Whoever closes a cluster ends all of its jobs at once; Slurm need not be asked by each of them.
    if not (told_to_end and place.closed.exists()) and not _lives(place, address):
        return _leave(place, spec, batch, task)
    return 0 if status == 0 else 1


def _beginning(spec: WorkSpec) -> dict[str, object]:
    now = time.time()
    told = os.environ.get("SLURM_JOB_END_TIME", "")
    return {
        "at": now,
        "job_id": int(os.environ.get("SLURM_JOB_ID") or 0),
        "node": os.environ.get("SLURMD_NODENAME") or socket.gethostname(),
        "ends": float(told) if told.isdigit() else now + spec.minutes * 60,
    }


def _write(path: Path, values: dict[str, object]) -> None:
    with suppress(OSError):
        write_json(path, values, sync=False)


# -- the scheduler ---------------------------------------------------------------------------


def _lives(place: ClusterDir, address: str) -> bool:
    """Whether the cluster's scheduler is there. One that is slow to answer lives."""
    parts = urlsplit(address)
    if place.closed.exists() or not parts.hostname or not parts.port:
        return False
    for attempt in range(_TRIES):
        if attempt:
            time.sleep(_PAUSE)
        try:
            context = tls_context(place)
            with socket.create_connection((parts.hostname, parts.port), _CONNECT) as plain:
                plain.settimeout(_CONNECT)
                context.wrap_socket(plain).close()
            return True
        except NoAnswer:
            return False
        except TimeoutError:
            return True
        except (ConnectionError, ssl.SSLError):
            continue
        except OSError:
            return True
    return False


def _leave(place: ClusterDir, spec: WorkSpec, batch: int, task: int) -> int:
    """Nobody needs this job: end with it what else is left of the cluster, if that is gone."""
    if not place.end(batch, task).exists():
        _write(place.end(batch, task), {"at": time.time(), "how": "left", "exit": 0, "sentence": _UNREACHED})
    if not place.closed.exists() and _tells_anew(place):
        print(_UNREACHED, flush=True)  # noqa: T201 - the job's log
        return 1
    import asyncio

    from skiva.dask.ending import cancel_all, forget_keys, note_closed  # rarely needed, and slow to load
    from skiva_slurm.errors import SkivaSlurmError

    print("The cluster's scheduler is gone, so there is nothing to work for.", flush=True)  # noqa: T201
    # A scheduler's own job that was closed in order ends by itself.
    closed = place.closed.exists()
    own = (place.read(place.submitted(0)) or {}).get("job_id") if closed else 0
    with suppress(SkivaSlurmError):
        asyncio.run(cancel_all(place, spec, sparing=int(own or 0), patience=_CLEARING))
    if note_closed(place, "Its scheduler is gone: it was killed, or its node was lost."):
        forget_keys(place)
    return 0


def _tells_anew(place: ClusterDir) -> bool:
    """Whether the cluster's keeper still writes: then only this node does not reach the scheduler."""
    before, until = (place.read(place.status) or {}).get("at"), time.monotonic() + _KEEPER
    while time.monotonic() < until:
        if (place.read(place.status) or {}).get("at") != before:
            return True
        time.sleep(_PAUSE)
    return False


# -- the workers -----------------------------------------------------------------------------


def _run(place: ClusterDir, spec: WorkSpec, name: str, address: str) -> tuple[int, bool]:
    """The workers' exit status, and whether they were told to end. Raises BadDevices and OSError."""
    host = address_towards(urlsplit(address).hostname or "")
    env = variables(spec, json.loads(place.env.read_bytes()), os.environ)
    with scratch_dir() as scratch:
        argv = command(spec, place, name, address, host, scratch, env)
        cwd = spec.cwd if os.access(spec.cwd, os.X_OK) else scratch
        # While both are told to end, the workers' own end is waited for.
        with subprocess.Popen(argv, env=env, cwd=cwd, stdin=subprocess.DEVNULL) as process:
            return _watch(process, place)


def _watch(process: "subprocess.Popen[bytes]", place: ClusterDir) -> tuple[int, bool]:
    told: list[int] = []

    def end(number: int, _: object) -> None:
        if not told:
            told.append(number)
            if place.closed.exists():
                process.kill()
            process.terminate()
            signal.alarm(_GRACE)

    signal.signal(signal.SIGALRM, lambda *_: process.kill())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, end)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    status = process.wait()
    signal.alarm(0)
    return status, bool(told)


def _sentence(status: int, *, told: bool) -> str:
    if told:
        return "Its job was told to end."
    if status == -signal.SIGKILL:
        return "It was killed, most likely because it used more memory than its slice has."
    if status < 0:
        return f"It was ended by signal {-status}."
    return f"It ended with exit status {status}." if status else "It ended by itself."


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
