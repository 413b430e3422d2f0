"""The tables of a site file that name no other table, as frozen models; the rest is in `skiva_hub.site`."""

import re
from pathlib import Path, PurePosixPath
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator

from skiva_hub.site_types import (
    HELPER,
    Address,
    DevicePattern,
    Flag,
    FullPath,
    HubId,
    Name,
    Number,
    PlainPath,
    SlurmName,
    SomeHours,
    Title,
    Whole,
    has_controls,
    is_plain,
    wrong,
)


class Table(BaseModel):
    """What all tables have in common: a key that is not known is a mistake."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        hide_input_in_errors=True,
    )


class ForPeople(Table):
    """Something that may be kept for some people; with neither list, it is for everybody."""

    users: tuple[Name, ...] = Field(default=(), examples=[["alice", "bob"]])
    """Names of people who may use it."""
    groups: tuple[Name, ...] = Field(default=(), examples=[["physics"]])
    """Groups of the hub whose members may use it."""

    def allows(self, user: str, groups: frozenset[str]) -> bool:
        """Whether this is offered to `user`, a member of the hub's `groups`."""
        if not self.users and not self.groups:
            return True
        return user in self.users or not groups.isdisjoint(self.groups)


class Cluster(Table):
    """One Slurm, and how its nodes fence devices."""

    name: Title = Field(default="cluster", examples=["cluster"])
    """What people call the cluster."""
    bin: FullPath = Field(default=Path("/usr/bin"), examples=["/usr/bin"])
    """Where sbatch, squeue, scancel, scontrol are, and sacctmgr where Slurm keeps accounts."""
    conf: FullPath | None = Field(default=None, examples=["/etc/slurm/slurm.conf"])
    """slurm.conf, where it is not in Slurm's default place."""
    client: tuple[PlainPath, ...] = Field(
        default=(),
        examples=[
            ["/usr/bin/sbatch", "/usr/bin/squeue", "/usr/bin/scancel", "/usr/bin/scontrol", "/run/munge"]
        ],
    )
    """What an image needs of a node so that people reach Slurm from within: the four programs, Slurm's
    library and plugins, libmunge, and the directory of munge's socket."""
    devices: tuple[DevicePattern, ...] = Field(
        default=("/dev/nvidia[0-9]*", "/dev/nvidia-caps/nvidia-cap[0-9]*"), examples=[["/dev/nvidia[0-9]*"]]
    )
    """Glob patterns of every device file that only its owner may open."""
    always_open: tuple[DevicePattern, ...] = Field(default=(), examples=[["/dev/nvidia-caps/nvidia-cap2"]])
    """Device files among `devices` that every job may open (e.g. MIG's parents and monitors)."""
    fenced: Flag = Field(default=True, examples=[True])
    """False where the nodes cannot fence devices; every page then says so."""
    command_timeout: Annotated[Number, Field(gt=0, le=120)] = Field(default=10.0, examples=[10.0])
    """Seconds after which a Slurm command is ended and counts as unanswered."""
    idle_interval: Annotated[Number, Field(ge=1, le=300)] = Field(default=15.0, examples=[15.0])
    """Seconds between two readings of the queue when nobody waits; every second one has the nodes, too."""
    busy_interval: Annotated[Number, Field(ge=0.5, le=60)] = Field(default=1.0, examples=[1.0])
    """Seconds between two readings while somebody waits."""


class Hours(Table):
    """How long a session lasts."""

    max: SomeHours = Field(default=8.0, examples=[8.0])
    """The longest session, in hours."""
    default: SomeHours = Field(default=2.0, validate_default=True, examples=[2.0])
    """What the page suggests, in hours."""
    extend_by: Annotated[Number, Field(ge=0, le=24)] = Field(default=0.0, examples=[1.0])
    """Hours that one press on *Extend* adds, up to `max` in all; 0 switches it off."""
    extend_as: SlurmName | None = Field(default=None, examples=["slurm-operator"])
    """The account (a Slurm operator) that may lengthen a job."""

    @field_validator("default")
    @classmethod
    def _default_fits(cls, default: float, info: ValidationInfo) -> float:
        longest = info.data.get("max", default)
        if default > longest:
            raise wrong(f"is more than max, {longest:g} hours", f"write default = {longest:g} or less")
        return default


class Limits(Table):
    """What one person may hold."""

    servers: Annotated[Whole, Field(ge=1, le=50)] = Field(default=1, examples=[1])
    """Notebook servers of one person at a time."""
    starting: Annotated[Whole, Field(ge=1, le=1000)] = Field(default=100, examples=[100])
    """How many jobs may be on their way from *running* to *answering* at once, for everybody."""
    start_seconds: Annotated[Whole, Field(ge=10, le=3600)] = Field(default=180, examples=[180])
    """How long a server may take to answer once its job runs."""


class Idle(Table):
    """When a server that nobody uses ends; a busy kernel is use."""

    minutes: Annotated[Whole, Field(ge=0, le=14 * 24 * 60)] = Field(default=60, examples=[60])
    """Minutes without use after which a server ends; 0 switches it off."""


def _at_most_max_hours(hours: float, info: ValidationInfo) -> float:
    longest = info.data.get("max_hours", hours)
    if hours > longest:
        raise wrong(f"is more than max_hours, {longest:g}", f"write hours = {longest:g} or less")
    return hours


class Batch(Table):
    """Runs: what people hand to the queue from a notebook or a terminal. They outlive the session."""

    max_hours: SomeHours = Field(default=72.0, examples=[72.0])
    """The longest run that a person may ask for, in hours; Slurm's own limits hold beside it."""
    hours: SomeHours = Field(default=1.0, validate_default=True, examples=[1.0])
    """What is asked for where a person does not say, in hours."""
    most: Annotated[Whole, Field(ge=1, le=100_000)] = Field(default=1000, examples=[1000])
    """Runs of one person that may wait or run at a time; all tasks of a sweep count as one."""
    account: SlurmName | None = Field(default=None, examples=["physics"])
    """The Slurm account that pays for runs; what is not said is the slice's."""
    qos: SlurmName | None = Field(default=None, examples=["normal"])
    """The Slurm QOS of runs, where it is another than that of the slice's sessions."""
    runs: str = Field(default="skiva-runs", examples=["/scratch/{user}/skiva-runs"])
    """Where runs and what they computed are kept: below each home, or an absolute path with `{user}` where
    the account's name belongs."""

    _hours_fit = field_validator("hours")(_at_most_max_hours)

    @field_validator("runs")
    @classmethod
    def _is_everybodys_own(cls, runs: str) -> str:
        cure = 'write e.g. runs = "skiva-runs" or runs = "/scratch/{user}/skiva-runs"'
        parts = PurePosixPath(runs).parts
        plain = runs.replace("{user}", "user") if runs.startswith("/") else runs
        if not re.fullmatch(r"[A-Za-z0-9_.+/-]{1,400}", plain) or not parts or ".." in parts:
            raise wrong("must be a path of letters, digits and / _ . + -, without ..", cure)
        if runs.startswith("/") and "{user}" not in parts[2:]:
            raise wrong("is the same directory for everybody", cure)
        return runs


class Dask(Table):
    """Dask clusters: how far one person may scale out from a notebook; Slurm's own limits hold beside it."""

    max_hours: SomeHours = Field(default=24.0, examples=[24.0])
    """The longest job of a worker, and of a detached scheduler, in hours. A cluster gets new workers."""
    hours: SomeHours = Field(default=4.0, validate_default=True, examples=[4.0])
    """What is asked for where a person does not say, in hours."""
    most_jobs: Annotated[Whole, Field(ge=1, le=100_000)] = Field(default=32, examples=[32])
    """Workers' jobs of one person that may wait or run at a time, of all clusters together."""
    most_slice_hours: Annotated[Number, Field(gt=0, le=10_000_000)] = Field(
        default=256.0, validate_default=True, examples=[256.0]
    )
    """What these jobs may ask for together: of each its GPUs, or 1, times its hours."""

    _hours_fit = field_validator("hours")(_at_most_max_hours)

    @field_validator("most_slice_hours")
    @classmethod
    def _one_worker_fits(cls, most: float, info: ValidationInfo) -> float:
        hours = info.data.get("hours", most)
        if most < hours:
            cure = f"write most_slice_hours = {hours:g} or more, or fewer hours"
            raise wrong(f"is less than hours, {hours:g}, so that no worker could start", cure)
        return most


class Hub(Table):
    """Where the hub is and how jobs reach it."""

    id: HubId = Field(default="skiva", examples=["skiva"])
    """Marks this hub's jobs in Slurm; two hubs on one Slurm need two."""
    plain_http: Flag = Field(default=False, examples=[True])
    """States that an unencrypted network between hub and nodes is wanted."""
    api_url: str = Field(examples=["https://hub.example.org/hub/api"])
    """The hub's API as a compute node reaches it, e.g. `https://hub.example.org/hub/api`."""
    ports: tuple[Whole, Whole] = Field(default=(20000, 40000), examples=[[20000, 40000]])
    """The range in which servers listen on the nodes, for firewalls."""
    bind: Address = Field(default="", examples=["10.0.0.1"])
    """The address on which a server listens; empty means the node's own NodeAddr."""
    run_dirs: PurePosixPath = Field(
        default=PurePosixPath(".local/state/skiva/servers"), examples=[".local/state/skiva/servers"]
    )
    """Where a server's files lie, below the home of its owner."""
    helper: tuple[str, ...] = Field(default=(), examples=[HELPER])
    """The command line of the helper that acts as a user, with `{user}` where the account's name belongs;
    without it the helper runs as the hub's own account, which then is the only one that is served."""

    @field_validator("api_url")
    @classmethod
    def _is_encrypted(cls, url: str, info: ValidationInfo) -> str:
        if is_plain(url) and not info.data.get("plain_http", True):
            raise wrong("is plain http beyond this machine", "use https, or add plain_http = true")
        return url

    @field_validator("ports")
    @classmethod
    def _is_a_range(cls, ports: tuple[int, int]) -> tuple[int, int]:
        if not 1024 <= ports[0] <= ports[1] <= 65535:
            raise wrong("must be from 1024 to 65535, the smaller first", "write e.g. ports = [20000, 40000]")
        return ports

    @field_validator("run_dirs")
    @classmethod
    def _is_below_home(cls, path: PurePosixPath) -> PurePosixPath:
        if path.is_absolute() or ".." in path.parts or not path.parts or has_controls(str(path)):
            raise wrong("must be below the home", 'write e.g. run_dirs = ".local/state/skiva/servers"')
        return path
