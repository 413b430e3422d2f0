"""Waiting for a condition instead of sleeping for luck."""

import time
from collections.abc import Callable
from typing import TypeVar

__all__ = ["wait_until"]

_Answer = TypeVar("_Answer")


def wait_until(
    condition: Callable[[], _Answer | None], seconds: float, what: object = "", *, every: float = 0.05
) -> _Answer:
    """The first true answer of `condition`, which is asked every `every` seconds.

    Args:
        what: what is waited for, for the message; a function is called when the time is over.

    Raises:
        AssertionError: `condition` was not true within `seconds`.
    """
    end = time.monotonic() + seconds
    while not (answer := condition()):
        if time.monotonic() > end:
            told = what() if callable(what) else what
            raise AssertionError(f"not within {seconds:g} s: {told or condition}")
        time.sleep(every)
    return answer
