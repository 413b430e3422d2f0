"""Follow the hub's stream of the queue: when this session ends, and how the person's jobs are."""

import asyncio
import json
import logging
import random
from collections.abc import Awaitable, Callable
from typing import Any

from . import sse
from .hub import Hub
from .runs.queue import QueueFacts
from .state import SessionState

_SILENCE = 90.0
"""Seconds without a byte after which the connection is given up and made anew."""
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 60.0


def note_event(state: SessionState, data: str) -> None:
    """Take the end of this session, and the watcher's trouble, out of one event."""
    try:
        event: Any = json.loads(data)
    except ValueError:
        return
    facts = state.facts
    if not isinstance(event, dict) or facts is None:
        return
    trouble = event.get("trouble", "")
    state.trouble = trouble if isinstance(trouble, str) else ""
    jobs = event.get("jobs")
    for job in jobs if isinstance(jobs, list) else ():
        if isinstance(job, dict) and job.get("job_id") == facts.job_id:
            ends = job.get("ends")
            if isinstance(ends, (int, float)) and not isinstance(ends, bool) and ends > 0:
                state.saw_end(float(ends))


def pause(failures: int, draw: Callable[[], float] = random.random) -> float:
    """Seconds to wait before attempt `failures` + 1: doubling, with half of it left to chance."""
    longest = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2 ** min(max(failures - 1, 0), 10))
    return float(longest * (0.5 + 0.5 * draw()))


async def follow(
    hub: Hub,
    state: SessionState,
    log: logging.Logger,
    queue: QueueFacts | None = None,
    *,
    silence: float = _SILENCE,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> None:
    """Keep one connection to the stream until cancelled. The last known end stays whatever happens.

    `queue` takes what is told about the person's jobs.
    """
    tls = hub.tls() if hub.stream_url.startswith("https:") else None
    failures = 0
    while True:
        try:
            comment = queue.alive if queue else None
            async for data in sse.events(
                hub.stream_url, hub.authorization, tls, silence=silence, comment=comment
            ):
                failures = 0
                note_event(state, data)
                if queue:
                    queue.told(data)
        except sse.StreamBrokenError as error:
            log.debug("skiva: the hub's stream broke off: %s", error)
        failures += 1
        await sleep(pause(failures))
