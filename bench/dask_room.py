"""What the measurements of Dask clusters share: a person, their programs, and their jobs at Slurm."""

import asyncio
import pwd
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from statistics import median

from bench import dask_driver
from bench.handoff import Found
from bench.handoff_room import Driver, Room, driver, room
from bench.proc import account_cpu
from bench.report import Report, spread

__all__ = ["LEFT", "STOCK", "STOCK_TLS", "DaskRoom", "dask_room", "sides", "table"]

STOCK, STOCK_TLS = "dask-jobqueue", "dask-jobqueue with TLS"
LEFT = 240.0
"""Seconds in which whatever is waited for comes."""
_MINUTES = 20
_ELSEWHERE = "1g.10gb"
"""The session's own slice, so that the nodes of the measured one are all for workers."""


def sides(turn: int) -> tuple[str, str]:
    """Who comes first, in turn."""
    return ("skiva", STOCK) if turn % 2 == 0 else (STOCK, "skiva")


@dataclass
class DaskRoom:
    """One person's session, from which programs start clusters by either side's means."""

    here: Room
    options: Mapping[str, object]

    def driver(self) -> AbstractAsyncContextManager[Driver]:
        """A program that has both sides' packages imported."""
        return driver(self.here, self.options, dask_driver.__file__)

    def cpu(self) -> dict[tuple[int, str], float]:
        """Processor seconds that this person's programs have used."""
        return account_cpu(pwd.getpwnam(self.here.name).pw_uid)

    def jobs(self) -> dict[str, str]:
        """The person's jobs that are not over: their states by number, each task of an array by itself."""
        options = ("--noheader", "--array", f"--user={self.here.name}", "--format=%i %T")
        lines = self.here.cluster.slurm.run("squeue", *options).splitlines()
        return {line.split()[0]: line.split()[1] for line in lines if line.strip()}

    def waiting(self) -> set[str]:
        """Those that wait."""
        return {job for job, state in self.jobs().items() if state == "PENDING"}

    async def until_only(self, before: object) -> None:
        """Wait until no other jobs are left."""
        async with asyncio.timeout(LEFT):
            while (await asyncio.to_thread(self.jobs)).keys() != before:  # noqa: ASYNC110 - no event tells
                await asyncio.sleep(0.1)


@asynccontextmanager
async def dask_room(*slices: str, tasks: int = 0) -> AsyncIterator[DaskRoom]:
    """Everything started: a Slurm, a person, their session."""
    async with room(_ELSEWHERE) as session:
        here = replace(session, python=session.cluster.dir / "venv/base/bin/python")
        known = {name: here.option(name) for name in slices}
        yield DaskRoom(here, {**known, "minutes": _MINUTES, "tasks": tasks})


def table(title: str, method: str, words: Mapping[str, str], found: Found) -> Report:
    """A row for each measured thing and each side that stands beside ours."""
    made = Report(title, method, ("", "skiva", "peer", "", "ratio"))
    for what, said in words.items():
        known = found.values.get(what, {})
        for side in (name for name in known if name != "skiva"):
            row = (said, _shown(what, known["skiva"]), _shown(what, known[side]), side)
            made.rows.append((*row, f"{found.ratio(what, side):.2f}" if median(known[side]) else ""))
        made.raw[what] = dict(known)
    return made


def _shown(what: str, values: list[float]) -> str:
    if what.startswith("requests"):
        return f"{median(values):g} ({min(values):g} to {max(values):g})"
    return spread(values)
