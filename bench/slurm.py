"""The Slurm that both sides share: its own count of requests, and the jobs in it."""

import asyncio
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

_OURS = {"REQUEST_STATS_INFO"}
_LINE = re.compile(r"^\s+(\S+)\s+\(\s*\d+\)\s+count:(\d+)")
_BY_TYPE, _BY_USER = (f"Remote Procedure Call statistics by {what}" for what in ("message type", "user"))


@dataclass(frozen=True)
class Counts:
    """How many requests slurmctld has answered, without those of the measurement itself."""

    by_type: Mapping[str, int]
    by_user: Mapping[str, int]

    def total(self, *, without: str = "") -> int:
        """All requests but those of one account."""
        return sum(self.by_type.values()) - self.by_user.get(without, 0)


@dataclass(frozen=True)
class Slurm:
    """Slurm's commands with the environment that leads them to one cluster."""

    env: Mapping[str, str]

    def reset_counts(self) -> None:
        """Let slurmctld count from nothing."""
        self.run("sdiag", "--reset")

    def counts(self) -> Counts:
        """Requests since the counts were reset."""
        return parse_counts(self.run("sdiag"))

    def jobs(self) -> list[tuple[str, str]]:
        """(user, state) of every job that is not over."""
        lines = self.run("squeue", "--noheader", "--format=%u %T").splitlines()
        return [(line.split()[0], line.split()[1]) for line in lines if line.strip()]

    async def until_empty(self, seconds: float = 120.0) -> None:
        """Wait until every job is gone, its processes too.

        Raises:
            TimeoutError: some were not.
        """
        async with asyncio.timeout(seconds):
            while await asyncio.to_thread(self.jobs):  # noqa: ASYNC110 - Slurm tells of no event
                await asyncio.sleep(0.2)

    def run(self, program: str, *arguments: str, stdin: str = "") -> str:
        """Run one of Slurm's commands; what it printed."""
        return subprocess.run(
            [f"/usr/bin/{program}", *arguments],
            input=stdin,
            env=dict(self.env),
            capture_output=True,
            text=True,
            timeout=30,
            check=True,
        ).stdout


def parse_counts(text: str) -> Counts:
    """The counts in what `sdiag` prints, without what `sdiag` itself asks."""
    tables: dict[str, dict[str, int]] = {_BY_TYPE: {}, _BY_USER: {}}
    heading = ""
    for line in text.splitlines():
        if not line.startswith((" ", "\t")):
            heading = line.strip()
        elif heading in tables and (match := _LINE.match(line)) and match[1] not in _OURS:
            tables[heading][match[1]] = int(match[2])
    return Counts(tables[_BY_TYPE], tables[_BY_USER])
