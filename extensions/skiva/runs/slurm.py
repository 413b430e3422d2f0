"""Slurm as one person's runs use it: submit, find again, cancel. As the person, with a clean environment."""

import asyncio
import os
import time
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol, TypeVar

from skiva.runs.environment import for_slurm
from skiva_slurm.errors import Refused, SlurmUnanswered
from skiva_slurm.jobs import Job
from skiva_slurm.reader import SlurmReader
from skiva_slurm.refusal import check_versions, complaint, last_words, submitted
from skiva_slurm.runner import run
from skiva_slurm.sbatch import JobRequest, sbatch_options, script

__all__ = ["Site", "Slurm", "wait_for"]

_Answer = TypeVar("_Answer")
_SUBMIT, _CANCEL, _READ = 30.0, 20.0, 10.0
"""Seconds for one command."""
_SEARCH, _SEARCH_EVERY = 60.0, 1.0
"""Seconds for which a submission without an answer is looked for."""


def wait_for(work: Coroutine[Any, Any, _Answer]) -> _Answer:
    """Wait for it also where an event loop runs already, as in every notebook."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


class Site(Protocol):
    """Where a site's Slurm commands and slurm.conf are; an `Offer` says it."""

    @property
    def bin(self) -> str: ...
    @property
    def conf(self) -> str | None: ...


class Slurm:
    """The commands of one site's Slurm."""

    def __init__(self, site: Site) -> None:
        self._bin = Path(site.bin)
        self._env = for_slurm(os.environ, site.conf)

    async def submit(self, request: JobRequest, *, sleep: Callable[[float], Any] = asyncio.sleep) -> int:
        """Hand a job to Slurm, once: where no answer came, it is looked for by its tag before anything else.

        Raises:
            Refused: Slurm said no, in one sentence.
            SlurmUnanswered: it is not known whether the job is there; its tag will tell.
        """
        argv = [str(self._bin / "sbatch"), *sbatch_options(request)]
        try:
            done = await run(argv, env=self._env, stdin=script(request).encode(), timeout=_SUBMIT)
            return submitted(done.returncode, done.stdout, done.stderr)
        except SlurmUnanswered as silence:
            job_id = await self._search(request.tag, sleep)
            if job_id is None:
                raise SlurmUnanswered(f"{silence}; Slurm does not have the job") from silence
            return job_id

    async def _search(self, tag: str, sleep: Callable[[float], Any]) -> int | None:
        """The job with this tag, once Slurm has answered well twice; None where it is not there then."""
        end, absences = time.monotonic() + _SEARCH, 0
        while time.monotonic() < end:
            try:
                found = await self.tagged(tag)
            except SlurmUnanswered:
                pass
            else:
                if found:
                    return found[0].array.job_id if found[0].array else found[0].id
                absences += 1
                # A request that slurmctld has taken in may show a moment later.
                if absences >= 3:
                    return None
            await sleep(_SEARCH_EVERY)
        raise SlurmUnanswered("Slurm has not answered for a minute; whether it has the job is not known")

    async def jobs(self) -> dict[int, Job]:
        """Every job that Slurm shows, by number. Raises SlurmUnanswered."""
        return await SlurmReader(self._bin, self._env, _READ).jobs()

    async def tagged(self, tag: str) -> list[Job]:
        """The jobs with a mark of ours, of this person only. Raises SlurmUnanswered."""
        return [job for job in await self.mine() if job.tag == tag]

    async def mine(self) -> list[Job]:
        """This person's jobs, as far as Slurm says that they are theirs. Raises SlurmUnanswered."""
        me = self._env.get("USER", "")
        return [job for job in (await self.jobs()).values() if not me or job.user == me]

    async def cancel(self, job_id: int, tasks: str = "") -> None:
        """End a job, all of an array, or one of its tasks; one that is gone already is no mistake.

        Raises:
            Refused: Slurm said no.
            SlurmUnanswered: it did not answer.
        """
        await self.cancel_many([f"{int(job_id)}_{int(tasks)}" if tasks else str(int(job_id))])

    async def cancel_many(self, which: Sequence[str]) -> None:
        """End several jobs, arrays (`12`) or their tasks (`12_3`) with one command.

        Raises:
            Refused, SlurmUnanswered: as for one; some may have ended all the same.
        """
        if not which:
            return
        done = await run([str(self._bin / "scancel"), *which], env=self._env, timeout=_CANCEL)
        check_versions(done.stderr)
        words = last_words(done.stderr)
        if done.returncode and "Invalid job id" not in done.stderr and "already" not in done.stderr:
            if "not permitted" in words or "denied" in words.lower():
                raise Refused(f"Slurm does not let you end job {', '.join(which)}: {words}")
            raise SlurmUnanswered(complaint(done.returncode, done.stderr))

    async def setting(self, name: str) -> str:
        """One setting of slurm.conf, as slurmctld has it, e.g. `MaxArraySize`; empty where there is none.

        Raises:
            SlurmUnanswered: it did not answer.
        """
        done = await run([str(self._bin / "scontrol"), "show", "config"], env=self._env, timeout=_READ)
        if done.returncode:
            raise SlurmUnanswered(complaint(done.returncode, done.stderr))
        for line in done.stdout.splitlines():
            key, _, value = line.partition("=")
            if key.strip() == name:
                return value.strip()
        return ""
