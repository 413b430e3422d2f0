"""Waiting for what has no event of its own."""

import asyncio
from collections.abc import Callable


async def until(true: Callable[[], object], seconds: float = 15) -> None:
    """Wait until `true()`; TimeoutError after so many seconds."""
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110 - a counter, a file, a version: nothing to await
            await asyncio.sleep(0.01)
