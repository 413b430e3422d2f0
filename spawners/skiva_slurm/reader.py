"""One reading of Slurm: a command, its time limit and its parser."""

import secrets
import string
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from skiva_slurm.errors import SlurmUnanswered
from skiva_slurm.jobs import Job, Node
from skiva_slurm.parse import JOB_QUERY, NODE_QUERY, QUERY_ENVIRONMENT, JobRows, job_format, parse_nodes
from skiva_slurm.refusal import complaint
from skiva_slurm.reservations import (
    RESERVATION_QUERY,
    Reservation,
    hides_reservations,
    parse_reservations,
)
from skiva_slurm.rights import Rules
from skiva_slurm.runner import run
from skiva_slurm.settings import CONFIG_QUERY, PARTITION_QUERY

__all__ = ["Reader", "SlurmReader"]


class Reader(Protocol):
    """Where the watcher gets its readings from."""

    async def jobs(self) -> dict[int, Job]:
        """Every job that Slurm knows. Raises SlurmUnanswered."""
        ...

    async def nodes(self) -> dict[str, Node]:
        """Every node that Slurm knows. Raises SlurmUnanswered."""
        ...

    async def reservations(self, names: Collection[str]) -> dict[str, Reservation | None]:
        """What Slurm tells of these, None for one that it does not have. Raises SlurmUnanswered."""
        ...

    async def rules(self) -> Rules:
        """What Slurm checks before it takes a job. Raises SlurmUnanswered."""
        ...


class SlurmReader:
    """Reads a real Slurm with squeue and scontrol.

    What slurmctld has to do for one reading, counted with sdiag on 22.05: `jobs` costs two requests
    (REQUEST_JOB_INFO and REQUEST_PARTITION_INFO), `nodes` two (REQUEST_NODE_INFO and
    REQUEST_PARTITION_INFO), however many jobs and nodes there are and whoever they belong to. No option of
    squeue avoids its second one but --json, which costs twelve times the time. `reservations` costs one
    (REQUEST_RESERVATION_INFO), and another one while a reservation lacks.
    The account that reads must be allowed to see everybody's jobs (an operator, where PrivateData is set),
    and nodes that the cloud has not started are in sight only with PrivateData=cloud.
    """

    def __init__(self, bin: Path, env: Mapping[str, str], timeout: float = 10.0) -> None:  # noqa: A002
        self._squeue = str(bin / "squeue")
        self._scontrol = str(bin / "scontrol")
        # squeue would take filters from SQUEUE_USERS and its like, and show a part for the whole.
        self._env = {
            name: value
            for name, value in env.items()
            if not name.startswith(("SQUEUE_", "SCONTROL_", "SLURM_")) or name == "SLURM_CONF"
        } | dict(QUERY_ENVIRONMENT)
        self._timeout = timeout
        self._rows: Mapping[str, Job] = {}
        """The last good answer: somebody's thousands of held jobs are read once, not with each reading."""

    async def jobs(self) -> dict[int, Job]:
        """Every job that slurmctld still remembers, by number.

        Raises:
            SlurmUnanswered: it did not answer, or not in words that can be trusted.
        """
        nonce = "".join(secrets.choice(string.ascii_letters) for _ in range(24))
        rows = JobRows(nonce, self._rows)
        await self._ask([self._squeue, *JOB_QUERY], {"SQUEUE_FORMAT2": job_format(nonce)}, rows.feed)
        jobs, self._rows = rows.jobs(), rows.rows
        return jobs

    async def nodes(self) -> dict[str, Node]:
        """Every node, by name.

        Raises:
            SlurmUnanswered: it did not answer, or not in words that can be trusted.
        """
        return parse_nodes(await self._ask([self._scontrol, *NODE_QUERY]))

    async def reservations(self, names: Collection[str]) -> dict[str, Reservation | None]:
        """These reservations, by name; None for one that does not exist, nothing for one that may be hidden.

        Raises:
            SlurmUnanswered: it did not answer, or not in words that can be trusted.
        """
        shown = parse_reservations(await self._ask([self._scontrol, *RESERVATION_QUERY]))
        found: dict[str, Reservation | None] = {name: shown[name] for name in names if name in shown}
        lacking = set(names) - shown.keys()
        if lacking and not hides_reservations(await self._ask([self._scontrol, *CONFIG_QUERY])):
            found |= dict.fromkeys(lacking)
        return found

    async def rules(self) -> Rules:
        """What Slurm checks before it takes a job; two requests.

        Raises:
            SlurmUnanswered: it did not answer.
        """
        config = await self._ask([self._scontrol, *CONFIG_QUERY])
        return Rules.of(config, await self._ask([self._scontrol, *PARTITION_QUERY]))

    async def _ask(
        self,
        argv: list[str],
        env: Mapping[str, str] = MappingProxyType({}),
        each: Callable[[bytes], None] | None = None,
    ) -> str:
        done = await run(argv, env={**self._env, **env}, timeout=self._timeout, each=each)
        if done.returncode != 0:
            raise SlurmUnanswered(complaint(done.returncode, done.stderr))
        return done.stdout
