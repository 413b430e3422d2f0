"""Where handing off is measured: a cluster, a person with a session, and Python with both sides' packages."""

import asyncio
import json
import os
import pwd
import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import handoff_driver
from bench.ours import CannotMeasure, Cluster, cluster
from bench.people import people
from bench.side import Side

_PATIENCE = 300.0


@dataclass(frozen=True)
class Room:
    """One person of a running cluster.

    Attributes:
        cluster: the cluster.
        name: the person's account, with a session.
        python: has the packages of both sides.
        session: the directory of that session.
    """

    cluster: Cluster
    name: str
    python: Path
    session: Path

    @property
    def home(self) -> Path:
        """The person's home."""
        return Path(pwd.getpwnam(self.name).pw_dir)

    @property
    def side(self) -> Side:
        """The hub."""
        return self.cluster.side

    @property
    def offer(self) -> dict[str, Any]:
        """What the session was told."""
        return dict(json.loads((self.session / "offer.json").read_text()))

    @property
    def token(self) -> str:
        """What opens the session's own server."""
        told = json.loads((self.session / "server.json").read_text())
        return str(told["env"]["JUPYTERHUB_API_TOKEN"])

    @property
    def server(self) -> str:
        """The address of the session's server."""
        return f"{self.side.url}user/{self.name}/skiva/"

    def argv(self, program: Path, *arguments: str) -> list[str]:
        """The command line that runs a program as this person."""
        account = pwd.getpwnam(self.name)
        switch = [f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--init-groups"]
        return ["/usr/bin/setpriv", *switch, "--pdeathsig=TERM", str(self.python), str(program), *arguments]

    def env(self, more: Mapping[str, str] | None = None) -> dict[str, str]:
        """The variables of a kernel in that session, as far as they matter."""
        return {
            **self.cluster.slurm.env,
            "HOME": str(self.home),
            "USER": self.name,
            "LANG": "C.UTF-8",
            "SKIVA_RUN_DIR": str(self.session),
            **(more or {}),
        }

    def option(self, slice_id: str) -> dict[str, Any]:
        """A slice in the words of sbatch."""
        (found,) = (one for one in self.offer["slices"] if one["id"] == slice_id)
        return {
            "slice": slice_id,
            "partition": found["partition"],
            "cores": found["cores"],
            "memory_mb": found["memory_mb"],
            "gres": found.get("gres"),
        }


class Driver:
    """The program that acts for the person, one request after another."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process = process
        self._log = log

    @property
    def pid(self) -> int:
        """Its process."""
        return self._process.pid

    async def ask(self, do: str, side: str, **more: object) -> dict[str, Any]:
        """Let it do something.

        Raises:
            CannotMeasure: that did not work; says why.
        """
        if self._process.stdin is None or self._process.stdout is None:
            raise CannotMeasure("The driver has no ears.")
        self._process.stdin.write(json.dumps({"do": do, "side": side, **more}).encode() + b"\n")
        async with asyncio.timeout(_PATIENCE):
            line = await self._process.stdout.readline()
        if not line:
            raise CannotMeasure(f"The driver ended: {self._log.read_text(errors='replace')[-2000:]}")
        told = dict(json.loads(line))
        if "problem" in told:
            raise CannotMeasure(str(told["problem"]))
        return told


@asynccontextmanager
async def room(slice_id: str = "cpu") -> AsyncIterator[Room]:
    """Start a cluster and one person's session on a slice; end both afterwards."""
    async with cluster() as ours:
        with people(1, ours.dir / "homes") as [name]:
            side = ours.side
            await side.add_users([name])
            try:
                await side.start(name, options={"slice": slice_id, "environment": "base", "hours": 1})
                await side.until(name, lambda servers: bool(servers.get("", {}).get("ready")))
                home = Path(pwd.getpwnam(name).pw_dir)
                (session,) = (home / ".local/state/skiva/servers").iterdir()
                yield Room(ours, name, _both(ours.dir), session)
            finally:
                await side.stop(name)
                ours.slurm.run("scancel", f"--user={name}")
                await ours.slurm.until_empty()


@asynccontextmanager
async def driver(
    room: Room, options: Mapping[str, Any], source: str = handoff_driver.__file__
) -> AsyncIterator[Driver]:
    """Start the program that acts for the person."""
    folder = room.home / "work"
    if not folder.exists():
        folder.mkdir(mode=0o700)
        (folder / "small.ipynb").write_text(_NOTEBOOK)
        _give(room, folder)
    log = room.cluster.dir / "driver.log"
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *room.argv(program(room.cluster, source), str(folder), json.dumps(options)),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=output,
            env=room.env(),
            cwd="/",
            start_new_session=True,
        )
    try:
        yield Driver(process, log)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


def program(cluster: Cluster, source: str) -> Path:
    """A program of ours where every account can read it."""
    place = cluster.dir / Path(source).name
    place.write_text(Path(source).read_text())
    place.chmod(0o644)
    return place


def _give(room: Room, folder: Path) -> None:
    account = pwd.getpwnam(room.name)
    for path in (folder, *folder.rglob("*")):
        os.chown(path, account.pw_uid, account.pw_gid)


def _both(directory: Path) -> Path:
    """An environment with the packages of sessions and, where those lack them, the peers'."""
    place = directory / "both"
    base = directory / "venv/base"
    subprocess.run([base / "bin/python", "-m", "venv", "--without-pip", "--symlinks", place], check=True)
    sites = [
        next((directory / "venv" / name / "lib").glob("python3*/site-packages")) for name in ("base", "dev")
    ]
    target = next((place / "lib").glob("python3*/site-packages"))
    (target / "both.pth").write_text("".join(f"{site.resolve()}\n" for site in sites))
    return place / "bin/python"


_NOTEBOOK = json.dumps(
    {
        "nbformat": 4,
        "nbformat_minor": 5,
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
        "cells": [
            {
                "cell_type": "code",
                "id": f"cell-{number}",
                "metadata": {},
                "execution_count": None,
                "outputs": [],
                "source": source,
            }
            for number, source in enumerate(
                ("values = list(range(100))", "total = sum(values)", "print(total)")
            )
        ],
    }
)
