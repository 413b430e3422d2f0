"""Our side: the embedded cluster as `./skiva up` starts it, in a directory of its own."""

import asyncio
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.proc import end, free_ports, start
from bench.side import Side
from bench.slurm import Slurm

_READY = 120.0


class CannotMeasure(Exception):
    """What a measurement needs is missing; its text says what."""


@dataclass(frozen=True)
class Cluster:
    """A running embedded cluster.

    Attributes:
        dir: its state directory; `venv/hub` and `venv/base` in it are the environments of both sides.
        port: where browsers go.
    """

    dir: Path
    port: int

    @property
    def slurm(self) -> Slurm:
        """Its Slurm."""
        return Slurm({"PATH": "/usr/bin:/bin", "SLURM_CONF": str(self.dir / "slurm" / "slurm.conf")})

    @property
    def side(self) -> Side:
        """Its hub."""
        return Side(
            name="skiva",
            url=f"http://127.0.0.1:{self.port}/",
            password=(self.dir / "password").read_text().strip(),
            token=(self.dir / "admin-token").read_text().strip(),
            form={"slice": "1g.10gb", "environment": "base", "hours": "1"},
            options={"slice": "1g.10gb", "environment": "base", "hours": 1},
            pid=lambda: self.part("hub"),
            asks_as="skiva-hub",
        )

    def part(self, name: str) -> int:
        """The process of one of its programs, now."""
        return int(json.loads((self.dir / "run.json").read_text())["parts"][name]["pid"])

    async def restart(self, *names: str) -> None:
        """Let the cluster start some of its programs again, so that they read their files anew."""
        old = {name: self.part(name) for name in names}
        for pid in old.values():
            os.kill(pid, 15)
        async with asyncio.timeout(_READY):
            while any(self.part(name) == pid for name, pid in old.items()):  # noqa: ASYNC110 - no event tells
                await asyncio.sleep(0.1)
        await self.side.answers()


@asynccontextmanager
async def cluster() -> AsyncIterator[Cluster]:
    """Start an embedded cluster, and end and remove it afterwards.

    Raises:
        CannotMeasure: it did not start.
    """
    directory = new_directory()
    port = free_ports(1)[0]
    options = ["up", f"--dir={directory}", f"--port={port}"]
    process = start([*_cli(directory), *options], directory / "up.log", dict(os.environ), directory)
    try:
        await _until_ready(directory, process)
        yield Cluster(directory, port)
    finally:
        end(process, 60)
        _remove(directory)


def new_directory() -> Path:
    """A state directory that has the tests' environments.

    Raises:
        CannotMeasure: this is not root, or nothing is installed.
    """
    if os.geteuid() != 0:
        raise CannotMeasure("The comparison starts jobs as several people: run it as root.")
    environments = _environments()
    directory = Path(tempfile.mkdtemp(prefix="skiva-bench-", dir="/var/tmp"))
    directory.chmod(0o755)
    (directory / "venv").symlink_to(environments)
    return directory


def _remove(directory: Path) -> None:
    command = [*_cli(directory), "down", "--purge", f"--dir={directory}"]
    subprocess.run(command, stdout=subprocess.DEVNULL, check=False)
    shutil.rmtree(directory, ignore_errors=True)


def _cli(directory: Path) -> list[str]:
    return [str(directory / "venv/hub/bin/python"), "-I", "-m", "skiva_hub.cli"]


def _environments() -> Path:
    installed = os.environ.get("SKIVA_TEST_DIR", "")
    if not installed:
        raise CannotMeasure("SKIVA_TEST_DIR is not set: measure with ./skiva bench NAME")
    return Path(installed) / "venv"


async def _until_ready(directory: Path, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _READY
    while time.monotonic() < deadline and process.poll() is None:
        if _is_ready(directory):
            return
        await asyncio.sleep(0.1)
    raise CannotMeasure(f"The embedded cluster did not start: {_end_of(directory / 'up.log')}")


def _is_ready(directory: Path) -> bool:
    try:
        return bool(json.loads((directory / "run.json").read_text())["ready"])
    except (OSError, ValueError):
        return False


def _end_of(log: Path) -> str:
    return log.read_text(errors="replace")[-2000:]
