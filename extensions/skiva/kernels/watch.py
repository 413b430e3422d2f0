"""Tells open pages that the list of kernels has changed."""

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .problems import problem
from .store import directory_of, entries

__all__ = ["CHANGED_EVENT", "follow", "look", "start_watching"]

CHANGED_EVENT: dict[str, Any] = {
    "$id": "urn:skiva:kernels-changed",
    "version": "1",
    "title": "Kernels changed",
    "description": "A kernel was added, removed, changed, broken or mended.",
    "type": "object",
    "properties": {},
}
_INTERVAL = 1.0
"""Seconds between two looks at the directory alone, which changes with every kernel that comes or goes."""
_WHOLE = 10
"""After so many of them all kernels are looked at: homes may be remote, and environments break unseen."""


def look(directory: Path) -> tuple[object, ...]:
    """What the list of kernels depends on."""
    return tuple(
        (entry.name, entry.ignored, repr(entry.spec), str(problem(entry.name, entry.spec or {})))
        for entry in entries(directory)
    )


def _changed(directory: Path) -> int:
    try:
        return directory.stat().st_mtime_ns
    except OSError:
        return 0


async def follow(directory: Path, tell: Callable[[], None], *, interval: float = _INTERVAL) -> None:
    """Call `tell` after each change, until cancelled. Looks never overlap, however slow the files are."""
    seen, before, count = await asyncio.to_thread(look, directory), 0, 0
    while True:
        await asyncio.sleep(interval)
        count += 1
        now = await asyncio.to_thread(_changed, directory)
        if now == before and count % _WHOLE:
            continue
        found = await asyncio.to_thread(look, directory)
        before = now
        if found != seen:
            seen = found
            tell()


def start_watching(serverapp: Any) -> None:
    """Watch the directory of the person's kernels for as long as the server runs."""
    serverapp.event_logger.register_event_schema(CHANGED_EVENT)

    def tell() -> None:
        serverapp.event_logger.emit(schema_id=CHANGED_EVENT["$id"], data={})

    def begin() -> None:
        directory = directory_of(os.environ, Path.home())
        # The loop keeps only weak references to tasks, so the settings hold this one.
        task = asyncio.ensure_future(follow(directory, tell))
        serverapp.web_app.settings["skiva_watching_kernels"] = task

    serverapp.io_loop.add_callback(begin)
