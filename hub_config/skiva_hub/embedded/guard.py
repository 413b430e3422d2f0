"""Stands behind the supervisor: when that is gone, for whatever reason, nothing of the cluster stays.

The guard does next to nothing, so that nothing in it can fail. The supervisor in turn ends everything
when the guard is gone, which it sees by its standard input.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from skiva_hub.embedded.proc import adopt_orphans, descendants, kill
from skiva_hub.embedded.sweep import sweep

_STOP = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def python(module: str) -> list[str]:
    """The command line that runs one of our modules just as this program runs."""
    return [sys.executable, *(["-I"] if sys.flags.isolated else []), "-m", module]


def stand(directory: Path, options: Sequence[str], lock: int, out: int) -> int:
    """Run the supervisor until it ends and clear up after it.

    Args:
        options: the supervisor's command line.
        lock: the directory's lock, which the supervisor holds as well.
        out: where the supervisor tells people what it does.

    Returns:
        The exit status: 0 after an orderly end.
    """
    adopt_orphans()
    supervisor = subprocess.Popen(
        [*python("skiva_hub.embedded.supervisor"), *options],
        stdin=subprocess.PIPE,
        stdout=out,
        cwd="/",
        pass_fds=(lock,),
        start_new_session=True,
    )
    if out > 2:
        os.close(out)
    asked = 0

    def stop(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        asked += 1
        supervisor.send_signal(signal.SIGTERM if asked == 1 else signal.SIGKILL)

    for number in _STOP:
        signal.signal(number, stop)
    status = _wait_for(supervisor.pid)
    for number in _STOP:
        signal.signal(number, signal.SIG_IGN)
    _end_descendants()
    for stuck in sweep(directory):
        print(f"skiva: {stuck} could not be removed.", file=sys.stderr, flush=True)
    return status if status >= 0 else 1


def _wait_for(wanted: int) -> int:
    """Collect children, our own and adopted ones, until this one has ended; its exit status."""
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == wanted:
            return os.waitstatus_to_exitcode(status)


def _end_descendants() -> None:
    end = time.monotonic() + 10.0
    while (left := descendants(os.getpid())) and time.monotonic() < end:
        kill(left)
    try:
        while os.waitpid(-1, os.WNOHANG)[0]:
            pass
    except ChildProcessError:
        return


def main() -> None:
    """`python -m skiva_hub.embedded.guard DIR LOCK OUT OPTION…`, in the background."""
    directory, lock, out, *options = sys.argv[1:]
    raise SystemExit(stand(Path(directory), options, int(lock), int(out)))


if __name__ == "__main__":
    main()
