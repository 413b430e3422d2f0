"""Worker jobs at Slurm: those that are asked for together are one array, and end with one command."""

import asyncio
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any

from dask_jobqueue.slurm import SLURMJob
from distributed.core import Status
from pydantic import ValidationError

from skiva.dask.place import ClusterDir
from skiva.dask.spec import ClusterSpec
from skiva.runs.files import write_json
from skiva.runs.slurm import Slurm
from skiva.runs.wish import BadWish, job_name
from skiva_images.launch import Launch, command_line
from skiva_slurm.errors import Refused, SlurmUnanswered
from skiva_slurm.sbatch import JobRequest, sbatch_options, script
from skiva_slurm.tags import ClusterTag

__all__ = ["Arrays", "WorkerJob", "job_of", "name_of", "request"]

_WARN_SECONDS = 30


def name_of(cluster: str, batch: int, task: int) -> str:
    """What a worker job is called in the cluster."""
    return f"{cluster}-{batch}-{task}"


def job_of(name: str) -> tuple[int, int]:
    """Batch and task of a job's name."""
    _, batch, task = name.rsplit("-", 2)
    return int(batch), int(task)


def request(spec: ClusterSpec, place: ClusterDir, batch: int, tasks: int, owner: int) -> JobRequest:
    """What is asked of Slurm for `tasks` worker jobs.

    Raises:
        BadWish: a path of this environment cannot be given to Slurm.
    """
    arguments = ["-I", "-m", "skiva.dask.work", str(place.path), str(batch)]
    picked = spec.slice
    try:
        return JobRequest(
            name=job_name(f"dask-{spec.name}"),
            tag=ClusterTag(spec.id, batch, owner).text,
            partition=picked.partition,
            gres=picked.gres,
            extra_gres=picked.extra_gres,
            cores=picked.cores,
            memory_mb=picked.memory_mb,
            minutes=spec.minutes,
            account=picked.account,
            qos=picked.qos,
            constraint=picked.constraint,
            reservation=picked.reservation,
            licenses=picked.licenses,
            exclude=picked.exclude,
            output=str(place.logs(batch) / "%a.log"),
            chdir=str(place.path),
            warn_seconds=_WARN_SECONDS,
            tasks=tasks,
            command=tuple(command_line(Launch.model_validate(spec.environment.launch), arguments)),
        )
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise BadWish(f"{'.'.join(map(str, first['loc'])) or 'environment'}: {first['msg']}") from None


class Arrays:
    """Submits and cancels the arrays of one cluster, each once."""

    def __init__(
        self,
        spec: ClusterSpec,
        place: ClusterDir,
        owner: int,
        on_refusal: Callable[[str], None],
    ) -> None:
        self.spec = spec
        self.place = place
        self._owner = owner
        self._slurm = Slurm(spec)
        self._on_refusal = on_refusal
        self._sizes: dict[int, int] = {}
        self._asked: dict[int, asyncio.Task[int | None]] = {}

    def new(self, tasks: int) -> list[str]:
        """The names of so many new jobs, which are submitted as soon as the first of them is started."""
        batch = max(self._sizes, default=0) + 1
        self._sizes[batch] = tasks
        return [name_of(self.spec.id, batch, task) for task in range(tasks)]

    async def submit(self, batch: int) -> int | None:
        """The array's number at Slurm; None where Slurm does not have it. The same for all of its jobs."""
        if batch not in self._asked:
            self._asked[batch] = asyncio.ensure_future(self._submit(batch))
        return await asyncio.shield(self._asked[batch])

    async def _submit(self, batch: int) -> int | None:
        tasks = self._sizes[batch]
        names = [name_of(self.spec.id, batch, task) for task in range(tasks)]
        try:
            wanted = request(self.spec, self.place, batch, tasks, self._owner)
            self.place.logs(batch).mkdir(mode=0o700, exist_ok=True)
            write_json(self.place.batch(batch), {"workers": names, "at": time.time()}, sync=False)
            number = await self._slurm.submit(wanted)
        except (Refused, SlurmUnanswered, BadWish, OSError) as problem:
            self._refused(batch, str(problem), for_good=isinstance(problem, (Refused, BadWish)))
            return None
        told = {"job_id": number, "at": time.time(), "argv": ["sbatch", *sbatch_options(wanted)]}
        with suppress(OSError):
            write_json(self.place.submitted(batch), told | {"script": script(wanted)}, sync=False)
        return number

    def _refused(self, batch: int, sentence: str, *, for_good: bool) -> None:
        with suppress(OSError):
            write_json(self.place.refused(batch), {"sentence": sentence, "at": time.time()}, sync=False)
        self._on_refusal(sentence if for_good else "")

    def is_open(self, batch: int) -> bool:
        """Whether Slurm's answer to this submission is still awaited."""
        asked = self._asked.get(batch)
        return asked is not None and not asked.done()

    async def cancel_numbers(self, which: Sequence[str]) -> None:
        """End jobs as Slurm numbers them. Raises Refused, SlurmUnanswered."""
        await self._slurm.cancel_many(which)

    def number(self, batch: int) -> int | None:
        """The array's number, if Slurm has it."""
        asked = self._asked.get(batch)
        return asked.result() if asked and asked.done() and not asked.cancelled() else None

    def refused(self, batch: int) -> bool:
        """Whether Slurm was asked for it and does not have it."""
        asked = self._asked.get(batch)
        return asked is not None and asked.done() and self.number(batch) is None

    async def cancel(self, names: Iterable[str], living: Sequence[str]) -> None:
        """End these jobs; an array of which none is among `living` any more is ended as a whole.

        Raises:
            Refused, SlurmUnanswered: some may still be there.
        """
        kept = {job_of(name)[0] for name in living}
        which: set[str] = set()
        for name in names:
            batch, task = job_of(name)
            number = self.number(batch)
            if number is not None:
                which.add(f"{number}_{task}" if batch in kept else str(number))
        await self._slurm.cancel_many(sorted(which))


class WorkerJob(SLURMJob):
    """One worker job as Dask's cluster keeps it: one task of an array of ours."""

    def __init__(self, scheduler: Any = None, name: str = "", *, arrays: Arrays, **options: Any) -> None:
        self._arrays = arrays
        spec = arrays.spec
        super().__init__(
            scheduler=scheduler,
            name=name,
            cores=spec.slice.cores,
            memory=f"{spec.slice.memory_mb}MiB",
            **options,
        )
        self.worker_memory = spec.memory * spec.processes

    def job_script(self) -> str:
        """What Slurm is given, for reading: its options, and the script."""
        wanted = request(self._arrays.spec, self._arrays.place, 1, 1, 0)
        options = "\n".join(f"#SBATCH {option}" for option in sbatch_options(wanted))
        first, _, rest = script(wanted).partition("\n")
        return f"{first}\n{options}\n{rest}"

    async def start(self) -> None:
        """Ask Slurm for it, together with those that are asked for at the same time."""
        batch, task = job_of(str(self.name))
        number = await self._arrays.submit(batch)
        self.job_id = None if number is None else f"{number}_{task}"
        self.status = Status.running

    async def close(self) -> None:
        """Take note of its end; the cluster ends its jobs at Slurm together."""
        self.status = Status.closed
        self._event_finished.set()
