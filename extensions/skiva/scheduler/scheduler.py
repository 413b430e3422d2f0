"""jupyter-scheduler's scheduler for a site with Slurm: no database, and no process of the server's own."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from jupyter_scheduler.exceptions import SchedulerError
from jupyter_scheduler.executors import ExecutionManager
from jupyter_scheduler.models import (
    CountJobsQuery,
    CreateJob,
    CreateJobDefinition,
    CreateJobFromDefinition,
    DescribeJob,
    DescribeJobDefinition,
    ListJobDefinitionsQuery,
    ListJobDefinitionsResponse,
    ListJobsQuery,
    ListJobsResponse,
    Status,
    UpdateJob,
    UpdateJobDefinition,
)
from jupyter_scheduler.scheduler import BaseScheduler
from jupyter_scheduler.task_runner import BaseTaskRunner
from traitlets import Float, Instance, List, Type

from skiva.runs.listing import here
from skiva.runs.offer import NoOffer
from skiva.runs.paths import NotYours, RunDir, own_place
from skiva.runs.run import Run
from skiva.runs.submit import NotSubmitted
from skiva.runs.wish import BadWish
from skiva.scheduler.card import Card
from skiva.scheduler.defining import change_definition, new_definition
from skiva.scheduler.definitions import Definition, Definitions
from skiva.scheduler.describe import FILES
from skiva.scheduler.described import described
from skiva.scheduler.environments import SlurmEnvironments
from skiva.scheduler.features import SlurmFeatures
from skiva.scheduler.jobs import Jobs
from skiva.scheduler.query import chosen, page
from skiva.scheduler.results import NotMade, make_html
from skiva.scheduler.schedule import BadSchedule
from skiva.scheduler.sending import send_job, staged_from
from skiva.scheduler.timer import Timer
from skiva.scheduler.unsent import note_unsent
from skiva_slurm.errors import Refused, SlurmUnanswered

__all__ = ["SlurmScheduler"]

_Answer = TypeVar("_Answer")
_SENDING = (BadSchedule, BadWish, NoOffer, NotSubmitted, NotYours)
_TOLD = (*_SENDING, LookupError, NotMade, Refused, SlurmUnanswered)
"""What goes wrong in ways that a sentence tells."""
_LONGEST_TOKEN = 150


class SlurmScheduler(BaseScheduler):
    """Jobs are the person's runs of notebooks. Nothing is kept but what lies in the runs' directory.

    Every method raises SchedulerError with a sentence for the person.
    """

    execution_manager_class = Type(default_value=SlurmFeatures, klass=ExecutionManager, config=True)
    task_runner_class = Type(
        default_value=Timer,
        klass=BaseTaskRunner,
        allow_none=True,
        config=True,
        help="What makes runs when schedules are due; None for no schedules from this server.",
    )
    task_runner = Instance(klass=BaseTaskRunner, allow_none=True)
    hours = List(
        Float(),
        default_value=None,
        allow_none=True,
        config=True,
        help="Hours offered beside the default of the site; by default 8, 24 and the most that is possible.",
    )

    def __init__(
        self,
        root_dir: str,
        environments_manager: Any,
        db_url: str = "",  # noqa: ARG002 - there is none
        config: Any = None,
        backend_id: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            root_dir=root_dir, environments_manager=environments_manager, config=config, **kwargs
        )
        self._prefix = f"{backend_id}:" if backend_id else ""
        self._served = Path(root_dir).expanduser().resolve()
        self._jobs = Jobs(self._served)
        self._making = asyncio.Lock()
        if isinstance(environments_manager, SlurmEnvironments):
            environments_manager.hours = self.hours
        if self.task_runner_class is not None:
            self.task_runner = self.task_runner_class(scheduler=self, config=config)

    @property
    def place(self) -> Path:
        """Where definitions are, beside the runs. Raises NotYours or OSError."""
        return own_place(here()) / ".scheduler"

    @property
    def definitions(self) -> Definitions:
        """The store of definitions."""
        return Definitions(self.place / "definitions")

    # -- jobs ------------------------------------------------------------------------------

    async def create_job(self, model: CreateJob) -> str:
        """Send a notebook off; the same idempotency token gives the same job."""
        token = model.idempotency_token or ""
        if len(token) > _LONGEST_TOKEN:
            raise SchedulerError(f"idempotency_token: must have at most {_LONGEST_TOKEN} characters")
        staged = staged_from(self._served, model)

        def create() -> str:
            return send_job(Card.of(model), staged, f"job:{token}" if token else "").id

        return self._prefix + await _apart(create)

    async def update_job(self, job_id: str, model: UpdateJob) -> None:
        """Stop it; nothing else of a run changes."""
        if model.status == Status.STOPPED:
            await self.stop_job(job_id)
        elif model.name or model.compute_type:
            raise SchedulerError("A run's name and slice are said when it is sent; create another job")

    async def list_jobs(self, query: ListJobsQuery) -> ListJobsResponse:
        """The jobs that a query asks for."""

        def find() -> ListJobsResponse:
            found = chosen(self._jobs.all(), query)
            jobs, token = page(found, query)
            told = [self._told(self._jobs.with_files(job)) for job in jobs]
            return ListJobsResponse(jobs=told, total_count=len(found), next_token=token)

        return await _apart(find)

    async def count_jobs(self, query: CountJobsQuery) -> int:
        """How many have a status."""
        return await _apart(lambda: sum(job.status == query.status for job in self._jobs.all()))

    async def get_job(self, job_id: str, job_files: bool | None = True) -> DescribeJob:
        """One job."""
        return self._told(await _apart(lambda: self._jobs.one(self._bare(job_id), files=bool(job_files))))

    async def stop_job(self, job_id: str) -> None:
        """End it, whether it runs or waits."""
        await _apart(lambda: self._jobs.stop(self._bare(job_id)))

    async def delete_job(self, job_id: str) -> None:
        """End it where it is not over, and take it from the list."""
        await _apart(lambda: self._jobs.delete(self._bare(job_id)))

    async def make_results(self, job_id: str, *, again: bool = False) -> None:
        """Make the results in other formats that were asked for."""
        run = RunDir((await _apart(lambda: self._jobs.run(self._bare(job_id)))).directory)
        job = await self.get_job(job_id, job_files=False)
        if "html" not in (job.output_formats or []) or not run.output.exists():
            return
        async with self._making:  # one conversion at a time is enough work for a server
            if again or not (run.path / FILES["html"]).exists():
                await _apart(lambda: make_html(run.path))

    # -- definitions -----------------------------------------------------------------------

    async def create_job_definition(self, model: CreateJobDefinition) -> str:
        """Keep a notebook to be run when its schedule says, or when somebody does."""
        staged = staged_from(self._served, model)
        return await _apart(lambda: new_definition(self.definitions, model, staged))

    async def update_job_definition(self, job_definition_id: str, model: UpdateJobDefinition) -> None:
        """Change one; what has been sent by it stays as it is."""
        staged = staged_from(self._served, model) if model.input_uri else None
        await _apart(lambda: change_definition(self.definitions, job_definition_id, model, staged))

    async def delete_job_definition(self, job_definition_id: str) -> None:
        """Forget one; its runs and their results stay."""
        await _apart(lambda: self.definitions.remove(job_definition_id))

    async def get_job_definition(self, job_definition_id: str) -> DescribeJobDefinition:
        """One definition."""
        return await _apart(lambda: described(self.definitions.get(job_definition_id)))

    async def list_job_definitions(self, query: ListJobDefinitionsQuery) -> ListJobDefinitionsResponse:
        """The definitions that a query asks for."""

        def find() -> ListJobDefinitionsResponse:
            found = chosen([described(one) for one in self.definitions.all()], query)
            models, token = page(found, query)
            return ListJobDefinitionsResponse(
                job_definitions=models, total_count=len(found), next_token=token
            )

        return await _apart(find)

    async def create_job_from_definition(self, job_definition_id: str, model: CreateJobFromDefinition) -> str:
        """Send a defined notebook off now, with its own parameters or with others."""

        def create() -> str:
            definition = self.definitions.get(job_definition_id)
            return self.send_defined(definition, parameters=model.parameters).id

        return self._prefix + await _apart(create)

    def send_defined(
        self, definition: Definition, *, key: str = "", parameters: dict[str, str] | None = None
    ) -> Run:
        """The same, in a thread. Raises what `send_job` does."""
        card = definition.job_card(parameters)
        return send_job(card, self.definitions.staged(definition), key)

    def note_unsent(self, definition: Definition, key: str, sentence: str) -> None:
        """Show that a defined notebook could not be sent when it was due. Raises OSError."""
        staged = self.definitions.staged(definition)
        note_unsent(here(), definition.job_card(), staged, key, sentence)

    # -- what jupyter-scheduler's own parts ask for ----------------------------------------

    def get_staging_paths(self, model: Any) -> dict[str, str]:
        """Where a job's files are."""
        if not isinstance(model, DescribeJob):
            return {}
        run = RunDir(here() / self._bare(model.job_id))
        found = {kind: str(run.path / FILES[kind]) for kind in model.output_formats or []}
        return found | {"input": str(run.notebook)}

    def _bare(self, job_id: str) -> str:
        return job_id.removeprefix(self._prefix)

    def _told(self, job: DescribeJob) -> DescribeJob:
        job.job_id = self._prefix + job.job_id
        return job


async def _apart(work: Callable[[], _Answer]) -> _Answer:
    """Do something that may wait for disks and for Slurm, and say in a sentence what goes wrong."""
    try:
        return await asyncio.to_thread(work)
    except _TOLD as problem:
        raise SchedulerError(str(problem)) from None
    except OSError as problem:
        words = problem.strerror or str(problem)
        raise SchedulerError(f"The files of runs cannot be used: {words}") from None
