"""The site: what an operator describes in one TOML file, as frozen models.

Reading the file, and telling which line is wrong, is `skiva_hub.site_file`'s work.
"""

from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

Id = Annotated[str, StringConstraints(pattern=r"\A[A-Za-z0-9][A-Za-z0-9_.-]{0,39}\Z")]
"""What people and scripts call a slice, an environment, a partition."""

SlurmName = Annotated[str, StringConstraints(pattern=r"\A[A-Za-z0-9][A-Za-z0-9_.:@+-]{0,63}\Z")]
"""The name of something in Slurm: a partition, QOS, account, reservation, constraint."""

GresRequest = Annotated[
    str, StringConstraints(pattern=r"\A[a-z][a-z0-9_]*(:[A-Za-z0-9][A-Za-z0-9_.+-]*)?:[1-9][0-9]{0,3}\Z")
]
"""What is asked of Slurm's --gres for one session, e.g. `gpu:1g.10gb:1`."""

Title = Annotated[str, StringConstraints(min_length=1, max_length=80, strip_whitespace=True)]
Text = Annotated[str, StringConstraints(max_length=400, strip_whitespace=True)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=False)


class _ForPeople(_Table):
    """Something that may be kept for some people; with neither list, it is for everybody."""

    users: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()

    def allows(self, user: str, groups: frozenset[str]) -> bool:
        """Whether this is offered to `user`, a member of the hub's `groups`."""
        if not self.users and not self.groups:
            return True
        return user in self.users or not groups.isdisjoint(self.groups)


class Cluster(_Table):
    """One Slurm, and how its nodes fence devices."""

    name: Title = "cluster"
    bin: Path = Path("/usr/bin")
    """Where sbatch, squeue, scancel, scontrol are."""
    conf: Path | None = None
    """slurm.conf, where it is not in Slurm's default place."""
    devices: tuple[str, ...] = ("/dev/nvidia[0-9]*", "/dev/nvidia-caps/nvidia-cap[0-9]*")
    """Glob patterns of every device file that only its owner may open."""
    always_open: tuple[str, ...] = ()
    """Device files among `devices` that every job may open (e.g. MIG's parents and monitors)."""
    fenced: bool = True
    """False where the nodes cannot fence devices; every page then says so."""
    command_timeout: Annotated[float, Field(gt=0, le=120)] = 10.0
    """Seconds after which a Slurm command is ended and counts as unanswered."""
    idle_interval: Annotated[float, Field(ge=1, le=300)] = 10.0
    """Seconds between two readings of the queue when nobody waits."""
    busy_interval: Annotated[float, Field(ge=0.5, le=60)] = 1.0
    """Seconds between two readings while somebody waits."""


class Partition(_ForPeople):
    """A Slurm partition that the site offers, and the longest session in it."""

    name: SlurmName
    max_hours: Annotated[float, Field(gt=0, le=24 * 30)] | None = None


class Slice(_ForPeople):
    """What a person picks: a piece of a GPU, a GPU, several GPUs, or cores alone."""

    id: Id
    title: Title
    description: Text = ""
    partition: SlurmName
    gres: GresRequest | None = None
    cores: Annotated[int, Field(ge=1, le=1024)] = 1
    memory_mb: Annotated[int, Field(ge=128, le=16 * 1024 * 1024)]
    gpu_memory: Text = ""
    """What the page says of the GPU memory, e.g. `10 GB`."""
    isolation: Literal["exclusive", "shared", "none"] = "exclusive"
    """`exclusive` is proved in every job; `shared` and `none` are said on the page."""
    simulated: bool = False
    account: SlurmName | None = None
    qos: SlurmName | None = None
    constraint: SlurmName | None = None
    reservation: SlurmName | None = None
    max_hours: Annotated[float, Field(gt=0, le=24 * 30)] | None = None

    @model_validator(mode="after")
    def _isolation_fits(self) -> Self:
        kind = (self.gres or "").split(":")[0]
        if self.isolation == "exclusive" and kind in {"shard", "mps"}:
            raise ValueError(f"isolation: {kind} is not fenced by Slurm, so it must be 'shared'")
        if self.isolation == "exclusive" and self.gres is None:
            raise ValueError("isolation: a slice without gres has no device, so it must be 'none'")
        return self


class Environment(_ForPeople):
    """What starts a notebook server: a directory of packages that belongs to the operator."""

    id: Id
    title: Title
    description: Text = ""
    python: Path
    """The absolute path of its Python, the same on every node."""


class Hours(_Table):
    """How long a session lasts."""

    default: Annotated[float, Field(gt=0, le=24 * 30)] = 2.0
    max: Annotated[float, Field(gt=0, le=24 * 30)] = 8.0
    extend_by: Annotated[float, Field(ge=0, le=24)] = 0.0
    """Hours that one press on *Extend* adds, up to `max` in all; 0 switches it off."""
    extend_as: SlurmName | None = None
    """The account (a Slurm operator) that may lengthen a job."""


class Limits(_Table):
    """What one person may hold."""

    servers: Annotated[int, Field(ge=1, le=50)] = 1
    starting: Annotated[int, Field(ge=1, le=1000)] = 100
    """How many jobs may be on their way from *running* to *answering* at once, for everybody."""
    start_seconds: Annotated[int, Field(ge=10, le=3600)] = 180
    """How long a server may take to answer once its job runs."""


class Idle(_Table):
    """When a server that nobody uses ends; a busy kernel is use."""

    minutes: Annotated[int, Field(ge=0, le=14 * 24 * 60)] = 60
    """0 switches it off."""


class Hub(_Table):
    """Where the hub is and how jobs reach it."""

    id: Annotated[str, StringConstraints(pattern=r"\A[a-z0-9]{1,16}\Z")] = "skiva"
    """Marks this hub's jobs in Slurm; two hubs on one Slurm need two."""
    api_url: str
    """The hub's API as a compute node reaches it, e.g. `https://hub.example.org/hub/api`."""
    plain_http: bool = False
    """States that an unencrypted network between hub and nodes is wanted."""
    ports: tuple[int, int] = (20000, 40000)
    """The range in which servers listen on the nodes, for firewalls."""
    bind: str = ""
    """The address on which a server listens; empty means the node's own NodeAddr."""
    run_dirs: PurePosixPath = PurePosixPath(".local/state/skiva/servers")
    """Where a server's files lie, below the home of its owner."""
    helper: tuple[str, ...] = ()
    """The command line that acts as a user, with `{user}` in it; empty where the hub is the user."""

    @model_validator(mode="after")
    def _is_encrypted(self) -> Self:
        parts = urlsplit(self.api_url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("api_url: must be an http:// or https:// address")
        local = parts.hostname in {"127.0.0.1", "localhost", "::1"}
        if parts.scheme == "http" and not local and not self.plain_http:
            raise ValueError("api_url: is plain http beyond this machine; use https, or say plain_http = true")
        if not 1024 <= self.ports[0] <= self.ports[1] <= 65535:
            raise ValueError("ports: must be two numbers from 1024 to 65535, the smaller first")
        if self.run_dirs.is_absolute() or ".." in self.run_dirs.parts:
            raise ValueError("run_dirs: must be a path below the home directory")
        return self


class Site(_Table):
    """Everything that differs between one machine and a thousand nodes."""

    title: Title = "Skiva"
    notice: Text = ""
    """One sentence shown on every page, e.g. that the slices are simulated."""
    hub: Hub
    cluster: Cluster = Cluster()
    partition: Annotated[tuple[Partition, ...], Field(min_length=1)]
    slice: Annotated[tuple[Slice, ...], Field(min_length=1)]
    environment: Annotated[tuple[Environment, ...], Field(min_length=1)]
    hours: Hours = Hours()
    limits: Limits = Limits()
    idle: Idle = Idle()

    @model_validator(mode="after")
    def _names_fit_together(self) -> Self:
        partitions = {p.name for p in self.partition}
        for s in self.slice:
            if s.partition not in partitions:
                raise ValueError(f"slice {s.id}: partition {s.partition} is not among the partitions")
        for kind, ids in (
            ("slice", [s.id for s in self.slice]),
            ("environment", [e.id for e in self.environment]),
            ("partition", [p.name for p in self.partition]),
        ):
            twice = {i for i in ids if ids.count(i) > 1}
            if twice:
                raise ValueError(f"{kind}: {', '.join(sorted(twice))} is there twice")
        return self

    def slices_for(self, user: str, groups: frozenset[str]) -> tuple[Slice, ...]:
        """The slices that `user` may pick, in the operator's order."""
        open_partitions = {p.name for p in self.partition if p.allows(user, groups)}
        return tuple(s for s in self.slice if s.allows(user, groups) and s.partition in open_partitions)

    def environments_for(self, user: str, groups: frozenset[str]) -> tuple[Environment, ...]:
        """The environments that `user` may pick, in the operator's order."""
        return tuple(e for e in self.environment if e.allows(user, groups))

    def max_hours(self, picked: Slice) -> float:
        """The longest session on a slice: the least of site, partition and slice."""
        partition = next(p for p in self.partition if p.name == picked.partition)
        return min(h for h in (self.hours.max, partition.max_hours, picked.max_hours) if h)
