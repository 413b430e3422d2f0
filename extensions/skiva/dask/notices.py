"""What happens to a cluster, told at once in the notebook and kept for its card."""

import sys
import time
from collections import deque
from typing import Literal

from skiva.dask.status import Event

__all__ = ["Notices"]

_MOST = 20


class Notices:
    """The last things that people were told."""

    def __init__(self) -> None:
        self._events: deque[Event] = deque(maxlen=_MOST)

    @property
    def events(self) -> tuple[Event, ...]:
        """The newest last."""
        return tuple(self._events)

    def say(self, level: Literal["info", "warning", "error"], text: str, lines: tuple[str, ...] = ()) -> None:
        """Let people know; `lines` are the last ones of a log that explains it."""
        self._events.append(Event(at=time.time(), level=level, text=text, lines=lines))
        if level != "info":
            print(text, *(f"    {line}" for line in lines), sep="\n", file=sys.stderr, flush=True)  # noqa: T201

    def say_once(self, level: Literal["info", "warning", "error"], text: str) -> None:
        """The same, unless it was said lately."""
        if all(event.text != text for event in self._events):
            self.say(level, text)
