"""What a cluster is: written down once, before anything is asked of Slurm, and never changed."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from skiva.dask.work_spec import memory_of, threads_of
from skiva_slurm.gres import parse_gres
from skiva_slurm.offer import DaskOffer, EnvironmentOffer, SliceOffer

__all__ = ["ClusterSpec", "devices_of"]


def devices_of(picked: SliceOffer) -> int:
    """How many GPUs or MIG instances a job on this slice has; 0 for a slice without."""
    if picked.gres is None:
        return 0
    return sum(one.count for one in parse_gres(picked.gres) if one.name == "gpu")


class ClusterSpec(BaseModel):
    """Everything that a cluster's jobs must know, but for what changes and for its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    name: str
    created: float
    """Seconds since the epoch."""
    hub: str
    slice: SliceOffer
    environment: EnvironmentOffer
    """With the Python of the calling kernel as `launch["python"]`."""
    bin: str
    """Where Slurm's commands are."""
    conf: str | None = None
    """slurm.conf, where it is not in Slurm's default place."""
    dask: DaskOffer = DaskOffer()
    """How far one person may scale out, as it was when the cluster was made."""
    workers: Annotated[int, Field(ge=0)]
    """Dask workers that are wanted at the start."""
    minimum: int | None = None
    maximum: int | None = None
    """Where both are given it adapts between them from the start."""
    processes: Annotated[int, Field(ge=1, le=64)]
    """Dask workers in a job: on a slice with GPUs one for each."""
    cuda: bool
    """Whether the workers are dask-cuda's."""
    hours: Annotated[float, Field(gt=0)]
    """What each worker job asks for."""
    lifetime: Annotated[float, Field(gt=0)]
    """Seconds after which a job's workers are to be replaced; Slurm's own limit comes later."""
    detached: bool = False
    scheduler_hours: float = 0.0
    """How long the job of a detached scheduler may last."""
    cwd: str
    sys_path: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _devices_fit(self) -> Self:
        if self.cuda and self.processes != devices_of(self.slice):
            raise ValueError("processes: must be the number of the slice's GPUs")
        return self

    @property
    def threads(self) -> int:
        """Of each worker: one where it has a GPU to itself, as dask-cuda does it."""
        return threads_of(self.slice.cores, self.processes, cuda=self.cuda)

    @property
    def memory(self) -> int:
        """Bytes of main memory that each worker may use."""
        return memory_of(self.slice.memory_mb, self.processes)

    @property
    def minutes(self) -> int:
        """What each worker job asks of Slurm."""
        return max(1, round(self.hours * 60))

    @property
    def slices_per_job(self) -> int:
        """For limits: its GPUs, or one."""
        return max(1, devices_of(self.slice))
