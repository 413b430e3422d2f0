"""Waiting for workers that may never come: an end with words, in place of none."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from skiva.dask.status import Status

__all__ = ["NeverStarted", "until_ready"]

_LOOK_EVERY = 1.0


class NeverStarted(RuntimeError):
    """The cluster ended before it could be used, or cannot be used; says why and what to do."""


async def until_ready(waiting: Coroutine[Any, Any, None], look: Callable[[], Status]) -> None:
    """Wait for `waiting`, as long as `look`, which may read files, still gives hope.

    Raises:
        NeverStarted: it does not.
    """
    task, began = asyncio.ensure_future(waiting), time.time()
    try:
        while not (await asyncio.wait({task}, timeout=_LOOK_EVERY))[0]:
            status = await asyncio.to_thread(look)
            if not status.living or (status.state == "stuck" and status.at > began):
                raise NeverStarted(f"{status.sentence} {status.action}".strip())
        await task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await task
