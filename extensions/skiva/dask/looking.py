"""A watch that looks every so often, and at once when something wakes it."""

import asyncio
from contextlib import suppress

from skiva.dask.notices import Notices

__all__ = ["Looking"]

_LOOK_EVERY = 0.5
"""Seconds between two looks where nothing wakes it."""


class Looking(Notices):
    """Looks again and again; one bad look does not end the watch."""

    def __init__(self) -> None:
        super().__init__()
        self._awake = asyncio.Event()
        self._running: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Look once, and from then on in the background."""
        await self._look_once()
        self._running = asyncio.ensure_future(self._run())

    async def stop(self) -> None:
        """Look no more."""
        if self._running is not None:
            self._running.cancel()
            await asyncio.wait({self._running})

    async def _run(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_EVERY):
                    await self._awake.wait()
            self._awake.clear()
            try:
                await self._look_once()
            except Exception as problem:  # noqa: BLE001 - the next one may be good
                self.say_once("warning", f"The cluster's keeper stumbled and goes on: {problem!r}")

    async def _look_once(self) -> None:
        raise NotImplementedError
