"""`python -I -m skiva.dask.reaper DIRECTORY` ends a cluster's jobs when its scheduler's process is gone.

It waits for a word on its standard input, and for the end of its parent, whichever comes first: forked
children may hold the pipe open for long after a kill, so that alone would not do.
"""

import os
import select
import signal
import sys
from pathlib import Path

from skiva.dask.place import ClusterDir

__all__ = ["main"]


def main(arguments: list[str]) -> int:
    """Watch over the parent, and clear up after it unless it says that it has done so."""
    place = ClusterDir(Path(arguments[0]))
    for number in (signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    # The end of the whole session: whoever is in it is about to be killed, so there is no time to lose.
    signal.signal(signal.SIGTERM, _ended)
    try:
        word = _wait(os.getppid())
    except _Ended:
        word = b""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    if word == b"done\n":
        return 0
    import asyncio

    from skiva.dask.ending import cancel_twice, forget_keys, note_closed

    if note_closed(place, "The program in which its scheduler lived was killed."):
        forget_keys(place)
    job = int(os.environ.get("SLURM_JOB_ID") or 0)
    asyncio.run(cancel_twice(place, place.read_spec(), sparing=job))
    return 0


class _Ended(BaseException):
    """Raised where the reaper itself is told to end."""


def _ended(*_: object) -> None:
    raise _Ended


def _wait(parent: int) -> bytes:
    """The parent's last word; empty where it died without one."""
    poll = select.poll()
    poll.register(sys.stdin.fileno(), select.POLLIN | select.POLLHUP)
    try:
        watched = os.pidfd_open(parent)
        poll.register(watched, select.POLLIN)
    except OSError:  # it is gone already, or this kernel has no such thing and the pipe must do
        if os.getppid() != parent:
            return b""
    while True:
        events = poll.poll(5000)
        if not events:
            _load()
        for descriptor, _ in events:
            if descriptor == sys.stdin.fileno():
                return os.read(descriptor, 64)
            return _last_word()
        if os.getppid() != parent:
            return _last_word()


def _load() -> None:
    """What clearing up needs: not while its cluster starts, but while there is something to load it from."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    import skiva.dask.ending
    import skiva.dask.spec  # noqa: F401

    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})


def _last_word() -> bytes:
    readable, _, _ = select.select([sys.stdin], [], [], 0)
    return os.read(sys.stdin.fileno(), 64) if readable else b""


if __name__ == "__main__":
    os._exit(main(sys.argv[1:]))  # its cluster waits for its end, and nothing is open
