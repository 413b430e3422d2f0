"""What Slurm says to a run, by signals."""

import asyncio
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Signals"]


class Signals:
    """Slurm's word to this process, from its very first moment on."""

    def __init__(self) -> None:
        self.warned: float | None = None
        self.told_to_end = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._changed: asyncio.Event | None = None
        signal.signal(signal.SIGUSR1, self._note)
        signal.signal(signal.SIGTERM, self._note)

    def _note(self, number: int, _frame: object = None) -> None:
        if number == signal.SIGTERM:
            self.told_to_end = True
        elif self.warned is None:
            self.warned = time.monotonic()
        if self._loop is not None and self._changed is not None:
            self._loop.call_soon_threadsafe(self._changed.set)

    @contextmanager
    def heard(self) -> Iterator[asyncio.Event]:
        """An event that is set whenever something was said; for the running loop."""
        self._loop, self._changed = asyncio.get_running_loop(), asyncio.Event()
        for number in (signal.SIGUSR1, signal.SIGTERM):
            self._loop.add_signal_handler(number, self._note, number)
        if self.warned or self.told_to_end:
            self._changed.set()
        try:
            yield self._changed
        finally:
            for number in (signal.SIGUSR1, signal.SIGTERM):
                self._loop.remove_signal_handler(number)
                signal.signal(number, self._note)
            self._loop = None
