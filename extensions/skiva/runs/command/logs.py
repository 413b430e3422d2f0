"""What runs print, to a terminal or a file, byte for byte."""

import os
import sys
import time
from pathlib import Path

from skiva.runs.command.find import Mistake
from skiva.runs.paths import RunDir
from skiva.runs.run import Run

__all__ = ["follow", "show", "wait"]

_CHUNK = 256 * 1024
_SHORTEST, _LONGEST = 0.1, 1.0
_LOOK_EVERY = 1.0


class _Log:
    """A log that grows, read from its beginning; anything but a plain file reads as empty."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0

    def read(self) -> bytes:
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError:
            return b""
        with os.fdopen(descriptor, "rb") as file:
            if not os.path.isfile(f"/proc/self/fd/{descriptor}"):  # noqa: PTH113 - of an open file
                return b""
            file.seek(self._offset)
            text = file.read(_CHUNK)
        self._offset += len(text)
        return text

    def copy(self) -> bool:
        """Print all that there is now; whether there was anything."""
        found = False
        while text := self.read():
            sys.stdout.buffer.write(text)
            found = True
        sys.stdout.buffer.flush()
        return found


def _check(run: Run, task: int | None) -> None:
    tasks = run.spec.tasks
    if task is not None and tasks is None:
        raise Mistake(f"--task: run {run.id} has no tasks; leave it out.")
    if task is not None and tasks is not None and not 0 <= task < tasks:
        raise Mistake(f"--task: must be a number from 0 to {tasks - 1}.")


def show(run: Run, task: int | None) -> int:
    """Print what there is; of several tasks, all, each with a heading. Raises Mistake."""
    _check(run, task)
    place = RunDir(run.directory)
    if run.spec.tasks is None or task is not None:
        _Log(place.log(task)).copy()
        return 0
    for number in range(run.spec.tasks):
        path = place.log(number)
        if path.exists():
            print(f"== task {number}", flush=True)
            _Log(path).copy()
    return 0


def follow(run: Run, task: int | None = None) -> int:
    """Print as it comes, until the run ends; 0 where it completed. Ctrl-C ends only the following.

    Raises:
        Mistake: it has several tasks, and none was chosen.
    """
    _check(run, task)
    if run.spec.tasks is not None and task is None:
        raise Mistake(f"--task: which of the {run.spec.tasks} tasks is to be followed? For example --task 0.")
    log = _Log(RunDir(run.directory).log(task))
    return _until_end(run, log, task)


def wait(run: Run) -> int:
    """Wait until it has ended; 0 where it completed. Ctrl-C ends only the waiting."""
    return _until_end(run, None, None)


def _until_end(run: Run, log: _Log | None, task: int | None) -> int:
    said, pause, looked = "", _SHORTEST, 0.0
    try:
        status = run.status
        while True:
            if time.monotonic() - looked >= _LOOK_EVERY:
                status = run.status if task is None else run.tasks()[task]
                looked = time.monotonic()
                words = f"{status.sentence} {status.action}".strip()
                if words != said:
                    print(f"skiva: {run.id}: {words}", file=sys.stderr, flush=True)
                    said = words
            over = status.over
            if log is not None and log.copy():
                pause = _SHORTEST
            elif over:
                return 0 if status.state == "completed" else 1
            time.sleep(pause)
            pause = min(_LONGEST, pause * 1.2)
    except KeyboardInterrupt:
        print(f"\nskiva: no longer following; run {run.id} goes on.", file=sys.stderr, flush=True)
        return 130
