"""Waits until each part of a cluster answers."""

import asyncio
import json
import socket
import subprocess
import urllib.request
from collections.abc import Awaitable, Callable
from urllib.error import URLError

from skiva_hub.embedded.layout import Layout

_USABLE = {"idle", "mixed", "allocated", "planned", "completing"}


async def until(condition: Callable[[], Awaitable[bool]], *, every: float = 0.05) -> None:
    """Ask again and again until the answer is yes."""
    while not await condition():  # noqa: ASYNC110 - other programs tell only when asked
        await asyncio.sleep(every)


async def munge(layout: Layout) -> bool:
    """Whether munged takes connections."""
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.connect(str(layout.munge_socket))
        except OSError:
            return False
    return True


async def controller(layout: Layout) -> bool:
    """Whether slurmctld answers a question about the queue."""
    if not _listens(layout.controller_port):
        return False
    return (await slurm(layout, "squeue", "--noheader", "--format=%A"))[0] == 0


async def nodes(layout: Layout) -> bool:
    """Whether every node takes jobs."""
    status, text = await slurm(layout, "sinfo", "--noheader", "--Node", "--format=%N %T")
    states = {line.split()[0]: line.split()[-1] for line in text.splitlines()}
    return status == 0 and all(states.get(node.name) in _USABLE for node in layout.nodes)


async def hub(port: int) -> bool:
    """Whether the hub answers through the proxy."""
    return await asyncio.to_thread(_hub_answers, port)


async def slurm(layout: Layout, program: str, *arguments: str) -> tuple[int, str]:
    """Run one of Slurm's commands here: its exit status, or -1 where it gave none, and what it printed."""
    env = {"PATH": "/usr/bin:/bin", "SLURM_CONF": str(layout.conf)}
    command = [f"/usr/bin/{program}", *arguments]
    try:
        done = await asyncio.to_thread(
            subprocess.run,
            command,
            env=env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=10.0,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return -1, ""
    return done.returncode, done.stdout.decode(errors="replace")


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _hub_answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/hub/api", timeout=2.0) as answer:
            return "version" in json.load(answer)
    except (URLError, OSError, ValueError):
        return False
