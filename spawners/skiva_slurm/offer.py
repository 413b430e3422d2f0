"""What a site offers one person for runs: written by the hub, read on the notebook side. Without secrets."""

from typing import Any

from pydantic import BaseModel, ConfigDict

__all__ = ["DaskOffer", "EnvironmentOffer", "Offer", "SliceOffer"]


class _Table(BaseModel):
    # A newer hub may tell an older environment more than that knows.
    model_config = ConfigDict(frozen=True, extra="ignore")


class SliceOffer(_Table):
    """One slice, with what is asked of Slurm for it."""

    id: str
    title: str
    partition: str
    gres: str | None = None
    extra_gres: tuple[str, ...] = ()
    cores: int
    memory_mb: int
    account: str | None = None
    qos: str | None = None
    constraint: str | None = None
    reservation: str | None = None
    licenses: str | None = None
    exclude: str | None = None
    isolation: str = "none"
    """`exclusive`, `shared` or `none`."""
    simulated: bool = False
    devices_wanted: int | None = None
    """How many device files a job must be able to open; None where that is not proved."""


class EnvironmentOffer(_Table):
    """The environment of a session, and how programs are started in it."""

    id: str
    title: str
    digest: str = ""
    launch: dict[str, Any]
    """The fields of `skiva_images.launch.Launch`."""
    variables: dict[str, str] = {}
    """What the site sets in it, and in what is started from it."""


class DaskOffer(_Table):
    """How far one person may scale out."""

    most_jobs: int = 32
    """Worker jobs of one person that may wait or run at once, of all clusters together."""
    most_slice_hours: float = 256.0
    """What these jobs may ask for together: of each its slices (GPUs, or 1) times its hours."""
    hours: float = 4.0
    """How long a worker job is asked for; a cluster replaces its workers before they end."""
    max_hours: float = 24.0
    """The longest that a person may ask for."""


class Offer(_Table):
    """Everything that the notebook side must know of the site to hand a run to Slurm."""

    hub: str
    """The hub's id."""
    bin: str
    """Where sbatch, squeue, scancel and scontrol are."""
    conf: str | None = None
    """slurm.conf, where it is not in Slurm's default place."""
    devices: tuple[str, ...] = ()
    always_open: tuple[str, ...] = ()
    fenced: bool = True
    max_hours: float = 72.0
    """The longest run that a person may ask for; Slurm's own limits hold beside it."""
    hours: float = 1.0
    """What is asked for where a person does not say."""
    most: int = 1000
    """How many runs of one person may wait or run at once; the tasks of an array count as one."""
    runs: str = ""
    """Where runs are kept, below the home or an absolute path with `{user}`; empty for `skiva-runs`."""
    dask: DaskOffer = DaskOffer()
    slices: tuple[SliceOffer, ...]
    environment: EnvironmentOffer
