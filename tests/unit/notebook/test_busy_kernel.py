"""A long cell that prints nothing keeps its session from being culled."""

import asyncio
from typing import Any

from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager

from skiva.session.busy import note_activity


async def test_a_silent_busy_kernel_counts_as_activity_and_an_idle_one_does_not(tmp_path: Any) -> None:
    """A real kernel in a silent cell is use; when the cell has ended it is not."""
    manager: Any = AsyncMappingKernelManager(root_dir=str(tmp_path), connection_dir=str(tmp_path))
    settings: dict[str, Any] = {}
    kernel_id = await manager.start_kernel()
    kernel = manager.get_kernel(kernel_id)
    client = kernel.client()
    client.start_channels()
    try:
        await client.wait_for_ready(timeout=60)
        await _until(lambda: not note_activity(manager, {}))
        assert "api_last_activity" not in settings
        client.execute("import time; time.sleep(1)")
        await _until(lambda: note_activity(manager, settings))
        noted = settings["api_last_activity"]
        await _until(lambda: not note_activity(manager, settings))
        assert settings["api_last_activity"] >= noted
    finally:
        client.stop_channels()
        await manager.shutdown_all(now=True)


async def _until(condition: Any) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - the manager has no event for it
            await asyncio.sleep(0.02)
