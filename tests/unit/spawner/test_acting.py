"""The hub's side of the helper that acts as a user."""

import asyncio
import sys
from pathlib import Path

import pytest

from skiva_spawners.acting import Actor


async def test_whoever_is_cancelled_does_not_wait_for_the_helper(tmp_path: Path) -> None:
    """Cancel is heard at once, also while a helper that cannot be killed is still at work."""
    at_work = tmp_path / "at-work"
    helper = f"import pathlib, time; pathlib.Path({str(at_work)!r}).touch(); time.sleep(3); print('{{}}')"
    actor = Actor(helper=(sys.executable, "-c", helper, "{user}"), timeout=10)
    asking = asyncio.create_task(actor.forget("researcher1", "0123456789abcdef"))
    while not at_work.exists():  # noqa: ASYNC110 - another process makes it
        await asyncio.sleep(0.01)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    assert others, "the helper is still being listened to"
    await asyncio.wait(others)
