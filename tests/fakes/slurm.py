"""Slurm without Slurm: a reader for the watcher's tests, and executables for the spawner's.

Both answer as told and fail as told. What the real squeue, scontrol and sbatch print was the pattern.
"""

import asyncio
import json
import sys
import time
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

from tests.fakes import slurm_commands

from skiva_slurm.errors import SlurmUnanswered
from skiva_slurm.jobs import Job, Node
from skiva_slurm.reservations import Reservation
from skiva_slurm.rights import Rules

__all__ = ["FakeNode", "FakeReader", "FakeSlurm"]


class FakeReader:
    """A `skiva_slurm.reader.Reader` in memory."""

    def __init__(self, jobs: Iterable[Job] = (), nodes: Iterable[Node] = ()) -> None:
        self.all_jobs = {job.id: job for job in jobs}
        self.all_nodes = {node.name: node for node in nodes}
        self.all_reservations: dict[str, Reservation] = {}
        self.fail: Exception | None = None
        """What every reading raises."""
        self.lost: set[int] = set()
        """Jobs that readings lack, though they are there."""
        self.delay = 0.0
        """Seconds that a reading takes."""
        self.all_rules = Rules()
        self.fail_reservations: Exception | None = None
        """What readings of the reservations raise."""
        self.job_readings = 0
        self.reservation_readings = 0
        self.rules_readings = 0
        self.node_readings = 0
        self.most_at_once = 0
        self._at_once = 0
        self._open = asyncio.Event()
        self._open.set()

    def put(self, *jobs: Job) -> Self:
        """Add jobs, or replace those of the same number."""
        self.all_jobs |= {job.id: job for job in jobs}
        return self

    def set_state(self, job_id: int, state: str) -> None:
        """Move a job to another state."""
        self.all_jobs[job_id] = replace(self.all_jobs[job_id], state=state)

    def hang(self) -> None:
        """Let no reading end until `release`."""
        self._open.clear()

    def release(self) -> None:
        """Let the readings that hang go on."""
        self._open.set()

    async def jobs(self) -> dict[int, Job]:
        """All jobs as they are when the reading starts, less the lost ones."""
        self.job_readings += 1
        seen = {number: job for number, job in self.all_jobs.items() if number not in self.lost}
        await self._answer()
        return seen

    async def nodes(self) -> dict[str, Node]:
        """All nodes."""
        self.node_readings += 1
        await self._answer()
        return dict(self.all_nodes)

    async def reservations(self, names: Collection[str]) -> dict[str, Reservation | None]:
        """These reservations; None for those that are not there."""
        self.reservation_readings += 1
        await self._answer()
        if self.fail_reservations is not None:
            raise self.fail_reservations
        return {name: self.all_reservations.get(name) for name in names}

    async def rules(self) -> Rules:
        """What it checks before it takes a job."""
        self.rules_readings += 1
        await self._answer()
        return self.all_rules

    async def _answer(self) -> None:
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        try:
            await asyncio.sleep(self.delay)
            await self._open.wait()
        finally:
            self._at_once -= 1
        if self.fail is not None:
            raise self.fail


def no_answer() -> SlurmUnanswered:
    """A failure such as a stopped slurmctld causes."""
    return SlurmUnanswered("Slurm is not answering: Unable to contact slurm controller (connect failure)")


@dataclass(frozen=True)
class FakeNode:
    """A node of the fake cluster; its gres as in slurm.conf, each entry with its count."""

    name: str = "n1"
    address: str = "127.0.0.1"
    partitions: tuple[str, ...] = ("gpu",)
    gres: str = "gpu:1g.10gb:7,gpu:h100:2"
    cores: int = 16
    memory_mb: int = 64000
    state: str = "IDLE"


@dataclass
class FakeSlurm:
    """squeue, scontrol, sbatch and scancel as executables in `bin`, over a state file in `directory`.

    A job that sbatch takes is PENDING until `set_state` moves it; an array is one such job until
    `task_of_its_own` parts tasks from it. Faults are set for each command and stay
    until `heal`, or for `times` calls:

    - `hang`: it never answers; `delay`: it answers after so many seconds;
    - `fail`: it writes that to stderr and exits with 1;
    - `garble`, `truncate`: its output is spoilt, or cut off;
    - `lose`: sbatch queues the job but its answer is lost, scancel does nothing;
    - `lose_jobs`, `lose_nodes`: squeue or scontrol leaves these out;
    - `duplicate`: squeue prints each row twice, sbatch queues two jobs;
    - `forget`: squeue knows no job any more;
    - `config`: what `scontrol show config` tells, by name.
    """

    directory: Path
    nodes: tuple[FakeNode, ...] = (FakeNode(),)
    bin: Path = field(init=False)

    def __post_init__(self) -> None:
        self.bin = self.directory / "bin"
        self.bin.mkdir(parents=True)
        state = {
            "next_id": 1,
            "jobs": {},
            "nodes": {node.name: vars(node) for node in self.nodes},
            "faults": {},
            "calls": [],
        }
        (self.directory / "state.json").write_text(json.dumps(state))
        start = f"#!/bin/sh\nexec {sys.executable} -I -S {slurm_commands.__file__} {self.directory}"
        for name in ("squeue", "scontrol", "sbatch", "scancel"):
            program = self.bin / name
            program.write_text(f'{start} {name} "$@"\n')
            program.chmod(0o755)

    @property
    def env(self) -> Mapping[str, str]:
        """An environment that finds the executables."""
        return {"PATH": f"{self.bin}:/usr/bin:/bin"}

    @property
    def jobs(self) -> dict[int, dict[str, Any]]:
        """Every job: squeue's fields, and the `argv`, `script` and `environment` that it came with."""
        with slurm_commands.opened(self.directory) as state:
            return {int(number): job for number, job in state["jobs"].items()}

    def calls(self, command: str) -> list[list[str]]:
        """The arguments of every call of `command` so far."""
        with slurm_commands.opened(self.directory) as state:
            return [call[1:] for call in state["calls"] if call[0] == command]

    def add_job(
        self, *, user: str = "alice", partition: str = "gpu", comment: str = "(null)", gres: str = ""
    ) -> int:
        """Queue a job that did not come through this sbatch; returns its number."""
        with slurm_commands.opened(self.directory) as state:
            number: int = state["next_id"]
            state["next_id"] += 1
            options = {"partition": partition, "comment": comment, "gres": gres}
            state["jobs"][str(number)] = slurm_commands.new_job(number, options) | {"username": user}
        return number

    def set_state(
        self, job_id: int, state: str, *, node: str = "", reason: str = "None", restarts: int | None = None
    ) -> None:
        """Move a job on; a running job's times are set, its node is `node`."""
        now = int(time.time())
        with slurm_commands.opened(self.directory) as all_state:
            job = all_state["jobs"][str(job_id)]
            job.update(state=state, reason=reason, nodelist=node)
            if restarts is not None:
                job["restartcnt"] = restarts
            if state == "RUNNING":
                job.update(starttime=now, endtime=now + 60 * job["minutes"])

    def task_of_its_own(self, array: int, task: int) -> int:
        """Let a task of a pending array have a job of its own, as those have that start; the job's number."""
        with slurm_commands.opened(self.directory) as state:
            return slurm_commands.task_of_its_own(state, array, task)

    def set_node(self, name: str, state: str) -> None:
        """Change a node's state, e.g. to `DOWN*`."""
        with slurm_commands.opened(self.directory) as all_state:
            all_state["nodes"][name]["state"] = state

    def purge(self, job_id: int) -> None:
        """Forget a job for good, as slurmctld does after MinJobAge."""
        with slurm_commands.opened(self.directory) as state:
            del state["jobs"][str(job_id)]

    def fault(self, command: str, *, times: int | None = None, **knobs: object) -> None:
        """Make `command` misbehave; the knobs are described with the class."""
        with slurm_commands.opened(self.directory) as state:
            state["faults"][command] = {"times": times, **knobs}

    def heal(self) -> None:
        """End all faults; what hangs already goes on hanging."""
        with slurm_commands.opened(self.directory) as state:
            state["faults"].clear()
