"""`up`, `down`, `status` and `env` of an embedded cluster."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from skiva_hub.embedded import accounts, state
from skiva_hub.embedded.errors import CannotStart
from skiva_hub.embedded.guard import python, stand
from skiva_hub.embedded.sweep import sweep

_READY_SECONDS, _END_SECONDS = 120.0, 60.0
_OURS = (
    *("admin-token", "password", "ports.json", "run.json", "site.toml", "lock"),
    *("client", "dev", "etc", "hold", "hub", "libexec", "log", "munge", "slurm", "venv"),
)


def up(directory: Path, *, port: int | None, detach: bool, with_hub: bool) -> int:
    """Start a cluster, or say that it runs; in the foreground this returns when the cluster has ended."""
    os.umask(0o022)
    directory.mkdir(parents=True, exist_ok=True)
    held = state.lock(directory)
    if held is None:
        return _runs_already(directory)
    for stuck in sweep(directory):
        print(f"skiva: {stuck} is left of an earlier run and cannot be removed.", file=sys.stderr)
    options = [f"--dir={directory}"]
    options += [] if port is None else [f"--port={port}"]
    options += [] if with_hub else ["--no-hub"]
    if not detach:
        return stand(directory, options, held, sys.stdout.fileno())
    return _up_in_background(directory, options, held)


def _up_in_background(directory: Path, options: list[str], held: int) -> int:
    (directory / "log").mkdir(exist_ok=True)
    reader, writer = os.pipe()
    with (directory / "log" / "guard.log").open("ab") as log:
        guard = subprocess.Popen(
            [*python("skiva_hub.embedded.guard"), str(directory), str(held), str(writer), *options],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=os.environ | {"SKIVA_DETACHED": "1"},
            cwd="/",
            pass_fds=(held, writer),
            start_new_session=True,
        )
    os.close(writer)
    os.close(held)
    # The supervisor lets go of this when it is ready; when it fails, it and the guard end.
    with os.fdopen(reader) as told:
        for line in told:
            print(line, end="", flush=True)
    running = state.load(directory)
    if running is not None and running.ready:
        return 0
    return guard.wait() or 1


def _runs_already(directory: Path) -> int:
    end = time.monotonic() + _READY_SECONDS
    while time.monotonic() < end:
        running = state.load(directory)
        if running is not None and running.ready and running.supervisor.alive():
            print(f"Skiva already runs in {directory}: {running.url}")
            return 0
        time.sleep(0.1)
    print(
        f"skiva: another command is starting or ending what runs in {directory}; try again.", file=sys.stderr
    )
    return 1


def down(directory: Path, *, purge: bool) -> int:
    """End a cluster and, with `purge`, remove what it has written and the accounts made for it."""
    if not directory.is_dir():
        print(f"Nothing runs in {directory}.")
        return 0
    running = state.load(directory)
    if running is not None and not running.guard.signal(signal.SIGTERM):
        running.supervisor.signal(signal.SIGTERM)
    held = state.lock(directory, seconds=_END_SECONDS)
    if held is None and running is not None:
        running.supervisor.signal(signal.SIGKILL)
        held = state.lock(directory, seconds=_END_SECONDS)
    if held is None:
        print(f"skiva: what runs in {directory} does not end; see {directory}/log.", file=sys.stderr)
        return 1
    stuck = sweep(directory)
    for path in stuck:
        print(f"skiva: {path} could not be removed.", file=sys.stderr)
    print(f"Nothing runs in {directory} any more." if running else f"Nothing runs in {directory}.")
    try:
        if purge:
            _purge(directory)
    except CannotStart as problem:
        print(f"skiva: {problem} Nothing of {directory} was removed.", file=sys.stderr)
        return 1
    return 1 if stuck else 0


def _purge(directory: Path) -> None:
    if os.geteuid() == 0 and (gone := accounts.release(directory)):
        print(f"Removed the accounts {', '.join(gone)}.")
    for name in _OURS:
        path = directory / name
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    if not any(directory.iterdir()):
        directory.rmdir()
        print(f"Removed {directory}.")


def env(directory: Path) -> int:
    """Print what a shell needs to talk to the cluster's Slurm."""
    programs = f"/usr/bin:/usr/sbin:{directory}/venv/hub/bin"
    print(f"export SLURM_CONF={directory}/slurm/slurm.conf")
    print(f'export PATH="$PATH:{programs}"')
    return 0


def status(directory: Path, *, as_json: bool) -> int:
    """Say what runs; the exit status is 3 where nothing does."""
    running = state.load(directory)
    if running is None or not running.supervisor.alive():
        print(json.dumps({"running": False}) if as_json else f"Nothing runs in {directory}.")
        return 3
    from skiva_hub.embedded import status as reading

    told = reading.report(directory, running)
    print(json.dumps(told, indent=1) if as_json else reading.text(told))
    return 0
