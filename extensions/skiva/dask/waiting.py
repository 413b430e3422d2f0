"""Waiting for workers that may never come: an end with words, in place of none."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from skiva.dask.place import ClusterDir
from skiva.dask.status import Status

__all__ = ["NeverStarted", "joined", "until_it_listens", "until_ready"]

_SHORTEST, _LOOK_EVERY = 0.1, 1.0
"""Seconds between two looks: at the beginning, where something is about to come, and later."""
_SPARED = 3.0
"""Seconds for which nothing is said of what is waited for."""


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
                raise NeverStarted(joined(status.sentence, status.action))
        await task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await task


async def until_it_listens(
    place: ClusterDir, look: Callable[[], Status], say: Callable[[str], object]
) -> str:
    """Where a cluster's scheduler listens, as soon as it does; until then what it waits for is said.

    Raises:
        NeverStarted: it cannot start, has ended, or does not encrypt.
    """
    said, pause, began = "", _SHORTEST, time.monotonic()
    while True:
        if address := str((place.read(place.scheduler) or {}).get("address") or ""):
            if not address.startswith("tls://"):
                raise NeverStarted("Its scheduler does not encrypt, so nothing is sent to it.")
            return address
        status = await asyncio.to_thread(look)
        words = joined(status.sentence, status.action)
        if not status.living or status.state == "stuck":
            raise NeverStarted(words)
        if words != said and time.monotonic() - began >= _SPARED:
            say(words)
            said = words
        await asyncio.sleep(pause)
        pause = min(_LOOK_EVERY, pause * 1.3)


def joined(*words: str) -> str:
    """Sentences, one after the other."""
    return " ".join(word for word in words if word)
