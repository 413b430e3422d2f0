"""The kernel of a run: found as in a session, reached through sockets that nobody else can open."""

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import zmq
from jupyter_client.kernelspec import NoSuchKernel
from jupyter_client.manager import AsyncKernelManager
from nbformat import NotebookNode

__all__ = ["WAIT_FOR_READER", "CannotStart", "death_of", "kernel_name", "kill", "running_kernel"]

_START = 120
"""Seconds for a kernel to answer; a shared file system may be slow in the morning."""
_END = 5.0
_QUEUE = 200_000
"""Messages that may wait for us, who are slower than a kernel that prints line by line."""
WAIT_FOR_READER = """\
(lambda thread, zmq: thread.schedule(lambda: thread.socket.setsockopt(zmq.XPUB_NODROP, 1)))(
    get_ipython().kernel.iopub_thread, __import__("zmq")
)
"""
"""Makes IPython's kernel wait when even more wait; otherwise it throws away what it prints then."""


class CannotStart(Exception):
    """The notebook's kernel does not start; says why, in words."""


def kernel_name(notebook: NotebookNode, otherwise: str = "") -> str:
    """Which kernel a notebook wants."""
    wanted = notebook.metadata.get("kernelspec", {}).get("name")
    return str(wanted or otherwise or "python3")


@asynccontextmanager
async def running_kernel(name: str, cwd: Path, told: Mapping[str, str]) -> AsyncIterator[tuple[Any, Any]]:
    """A kernel's manager and a client of it that is ready; the kernel ends with the block.

    Args:
        told: variables that it has beside this process's own.

    Raises:
        CannotStart: it is not there, is broken, or did not answer.
    """
    # A socket's path must be short, and no network file system can hold it.
    place = Path(tempfile.mkdtemp(prefix="skiva-run-", dir="/tmp"))
    manager, client = _manager(name, place), None
    try:
        try:
            await manager.start_kernel(cwd=str(cwd), env={**os.environ, **told})
            client = manager.client()
            client.context.setsockopt(zmq.RCVHWM, _QUEUE)
            client.start_channels()
            await client.wait_for_ready(timeout=_START)
        except NoSuchKernel:
            there = ", ".join(sorted(manager.kernel_spec_manager.find_kernel_specs()))
            raise CannotStart(f"There is no kernel called {name!r} here; there are: {there}.") from None
        except Exception as problem:
            raise CannotStart(f"The kernel {name!r} does not start: {problem}") from problem
        client.allow_stdin = False
        yield manager, client
    finally:
        try:
            if client is not None:
                client.stop_channels()
            await _end(manager)
        finally:  # also where nobody waits for the kernel any more
            shutil.rmtree(place, ignore_errors=True)


def _manager(name: str, place: Path) -> Any:
    from skiva.kernels.manager import SessionKernelSpecs

    return AsyncKernelManager(
        kernel_name=name,
        kernel_spec_manager=SessionKernelSpecs(),
        transport="ipc",
        connection_file=str(place / "kernel.json"),
        shutdown_wait_time=_END,
    )


async def _end(manager: Any) -> None:
    """End it, kindly where it may have something to write, whatever becomes of this task meanwhile."""
    with suppress(Exception):
        if manager.has_kernel:
            await asyncio.wait_for(manager.shutdown_kernel(), _END + 5)
    with suppress(Exception):
        await manager.cleanup_resources()


def kill(manager: Any) -> None:
    """End it this moment, with what it started."""
    group = getattr(getattr(manager, "provisioner", None), "pgid", None)
    if group:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, signal.SIGKILL)


async def death_of(manager: Any) -> int | None:
    """The exit status of a kernel that is gone (negative: a signal); None where it is not known."""
    with suppress(Exception):
        status = await manager.provisioner.poll()
        return None if status is None else int(status)
    return None
