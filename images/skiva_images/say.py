"""What a person at the terminal sees of a long piece of work."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["Say", "human_size", "quiet", "step", "to_terminal"]

Say = Callable[[str], None]
_UNITS = ("B", "kB", "MB", "GB", "TB")


def to_terminal(line: str) -> None:
    """A line of progress, on standard error so that standard output stays for programs."""
    print(f"skiva: {line}", file=sys.stderr, flush=True)  # noqa: T201


def quiet(_: str) -> None:
    """For callers whose own progress is enough."""


@contextmanager
def step(say: Say, what: str) -> Iterator[None]:
    """Announce a piece of work, and say how long it took where anybody will have noticed."""
    say(f"{what} ...")
    began = time.monotonic()
    yield
    seconds = time.monotonic() - began
    if seconds >= 1:
        say(f"  {seconds:.0f} s")


def human_size(count: int) -> str:
    """Bytes in at most four digits: `357 MB`."""
    size, unit = float(count), 0
    while size >= 999.5 and unit < len(_UNITS) - 1:
        size, unit = size / 1000, unit + 1
    return f"{size:.1f} {_UNITS[unit]}" if unit > 2 and size < 99.5 else f"{size:.0f} {_UNITS[unit]}"
