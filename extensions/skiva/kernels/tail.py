"""The last lines that a kernel's process printed, beside the server's log where they go as before."""

import asyncio
import contextlib
import os
import sys
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["Tail"]

_LINES = 12
_LONGEST = 400
_CHUNK = 65536


class Tail:
    """Reads one process's output until everybody who writes to it is gone."""

    def __init__(self) -> None:
        self._kept: deque[str] = deque(maxlen=_LINES)
        self._rest = ""
        self._ended = asyncio.Event()

    @contextmanager
    def writing(self) -> Iterator[int]:
        """The descriptor to give to the process; must be entered in the event loop."""
        reading, writing = os.pipe()
        os.set_blocking(reading, False)
        asyncio.get_running_loop().add_reader(reading, self._read, reading)
        try:
            yield writing
        finally:
            os.close(writing)

    async def lines(self) -> list[str]:
        """What came last, when everything has come; a child that still writes is not waited for."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._ended.wait(), 0.5)
        return [*self._kept, *([self._rest] if self._rest.strip() else [])]

    def _read(self, reading: int) -> None:
        try:
            data = os.read(reading, _CHUNK)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(reading)
            os.close(reading)
            self._ended.set()
            return
        with contextlib.suppress(OSError):
            os.write(sys.stderr.fileno(), data)
        *whole, rest = (self._rest + data.decode(errors="replace")).split("\n")
        self._kept.extend(line[:_LONGEST] for line in whole if line.strip())
        self._rest = rest[-_LONGEST:]
