"""Answers who asks for entry points from one reading of the environment, instead of a reading for each."""

import sys
from collections.abc import Callable
from functools import lru_cache
from importlib import metadata
from typing import Any


class _Anything:
    """Equals whatever it is compared with."""

    __hash__ = None  # type: ignore[assignment]

    def __eq__(self, other: object) -> bool:
        return True


def read_once() -> None:
    """Let `importlib.metadata.entry_points` keep what it has read, as long as the import path stays the same.

    Eight parts of a server ask while it starts, and each time every package's list would be opened; nothing
    is installed into an environment while it runs.
    """
    read: Callable[..., Any] = metadata.entry_points

    @lru_cache(maxsize=1)
    def everything(_: tuple[str, ...]) -> Any:
        return read(group=_Anything())

    def entry_points(**wanted: Any) -> Any:
        return everything(tuple(sys.path)).select(**wanted) if wanted else read()

    metadata.entry_points = entry_points
