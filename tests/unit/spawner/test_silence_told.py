"""What the hub's log says of a Slurm that falls silent."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.fakes.waiting import until

from skiva_hub import config


async def test_silence_is_told_once_and_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, logged: Callable[[str], list[str]]
) -> None:
    """When it began and why, when it was over and how long it took; nothing while nothing changes."""
    written: list[str] = []
    watcher = SimpleNamespace(trouble="")
    monkeypatch.setattr(config, "_LOOK_EVERY", 0.001)
    monkeypatch.setattr(config, "_write", lambda _, seen: written.append(seen.trouble))
    looking = asyncio.create_task(config._tell_of_trouble(cast("Any", watcher), tmp_path))
    await asyncio.sleep(0.02)
    assert not logged("Slurm")
    watcher.trouble = "Slurm is not answering: no."
    await until(lambda: len(logged("Slurm cannot be read: Slurm is not answering: no.")) == 1)
    watcher.trouble = "The queue has not been read for 70 seconds."
    await until(lambda: len(written) == 2)
    watcher.trouble = ""
    await until(lambda: len(logged("Slurm is read again, after 0 s")) == 1)
    looking.cancel()
    with suppress(asyncio.CancelledError):
        await looking
    assert len(logged("Slurm")) == 2
    assert written[-1] == ""
