"""The site: what an operator describes in one TOML file, as frozen models.

Reading the file, and telling which line is wrong, is `skiva_hub.site_file`'s work. The docstring below a
field is its description in the manual, its first example is the cure that a mistake in it suggests.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_core import InitErrorDetails

from skiva_hub.site_tables import Batch, Cluster, Dask, ForPeople, Hours, Hub, Idle, Limits, Table
from skiva_hub.site_types import (
    DEVICES,
    Flag,
    GresRequest,
    Id,
    PlainPath,
    SlurmName,
    SomeHours,
    Text,
    Title,
    Variables,
    Whole,
    misfits,
    wrong,
)
from skiva_images.launch import Launcher
from skiva_slurm.wishes import Constraint, ExtraGres, HostList, Licenses, Partitions, Place

__all__ = [
    "Batch",
    "Cluster",
    "Dask",
    "Environment",
    "Hours",
    "Hub",
    "Idle",
    "Limits",
    "Partition",
    "Site",
    "Slice",
]


class Partition(ForPeople):
    """A Slurm partition that the site offers, and the longest session in it."""

    name: SlurmName = Field(examples=["gpu"])
    """Its name in Slurm."""
    max_hours: SomeHours | None = Field(default=None, examples=[8.0])
    """The longest session in it, in hours; what is not said is `hours.max`."""


class Slice(ForPeople):
    """What a person picks: a piece of a GPU, a GPU, several GPUs, or cores alone."""

    id: Id = Field(examples=["1g.10gb"])
    """What people and scripts call it."""
    title: Title = Field(examples=["A seventh of an H100"])
    """What its card on the page is headed."""
    description: Text = Field(default="", examples=["For notebooks and small models"])
    """One sentence on what it is good for."""
    partition: Partitions = Field(examples=["gpu"])
    """The partition that its jobs go to, or several, `gpu,gpu2`, of which Slurm takes the one where a job
    starts first; each is one of the file's `[[partition]]` tables, and the slice is for whom all are open."""
    gres: GresRequest | None = Field(default=None, examples=["gpu:1g.10gb:1"])
    """What is asked of Slurm's `--gres`: name, type, count; without it, cores alone."""
    extra_gres: tuple[ExtraGres, ...] = Field(default=(), examples=[["tmpdisk:100"]])
    """What else is asked of `--gres`, beside the device and on the same node, e.g. local disk."""
    cores: Annotated[Whole, Field(ge=1, le=1024)] = Field(default=1, examples=[4])
    """CPU cores of one session."""
    memory_mb: Annotated[Whole, Field(ge=128, le=16 * 1024 * 1024)] = Field(examples=[16000])
    """Main memory of one session, in whole megabytes."""
    gpu_memory: Text = Field(default="", examples=["10 GB"])
    """What the page says of the GPU memory, e.g. `10 GB`."""
    isolation: Literal["exclusive", "shared", "none"] = Field(
        default="exclusive", validate_default=True, examples=["exclusive"]
    )
    """`exclusive` is proved in every job; `shared` and `none` are said on the page."""
    device_files: Annotated[Whole, Field(ge=1, le=16)] = Field(default=1, examples=[1])
    """Device files among `cluster.devices` that each unit of gres comes with: 1 for a GPU; for a MIG
    instance 3 (its GPU, and the two that open the instance), or 2 where `always_open` names the GPU."""
    simulated: Flag = Field(default=False, examples=[False])
    """True where the device is a stand-in without a GPU behind it; the page says so."""
    account: SlurmName | None = Field(default=None, examples=["physics"])
    """The Slurm account that pays; what is not said is each person's own default."""
    qos: SlurmName | None = Field(default=None, examples=["interactive"])
    """The Slurm QOS of its jobs."""
    constraint: Constraint | None = Field(default=None, examples=["h100"])
    """A feature that its node must have; several as `h100&ib`, of which it has all, or `a100|h100`, any."""
    reservation: SlurmName | None = Field(default=None, examples=["course"])
    """The Slurm reservation that its jobs use."""
    licenses: Licenses | None = Field(default=None, examples=["matlab:1"])
    """The licences that each of its jobs holds, e.g. `matlab:1,ansys@server:2`."""
    exclude: HostList | None = Field(default=None, examples=["gpu[01-03]"])
    """The nodes that its jobs must not use."""
    max_hours: SomeHours | None = Field(default=None, examples=[8.0])
    """The longest session on it, in hours; what is not said is the partition's."""

    @field_validator("extra_gres")
    @classmethod
    def _extra_gres_fits(cls, extra: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        names = [one.split(":")[0] for one in extra]
        if device := next((one for one, name in zip(extra, names, strict=True) if name in DEVICES), None):
            raise wrong(f"{device} is a device, of which a slice has one kind", "write it as gres")
        names.append(str(info.data.get("gres") or "").split(":")[0])
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise wrong(f"{twice} is asked for twice", "write each gres once, with its whole count")
        return extra

    @field_validator("isolation")
    @classmethod
    def _isolation_fits(cls, isolation: str, info: ValidationInfo) -> str:
        if isolation != "exclusive" or "gres" not in info.data:
            return isolation
        gres = info.data["gres"]
        if gres is None:
            raise wrong("a slice without gres has no device to be exclusive with", 'write isolation = "none"')
        if gres.split(":")[0] in {"shard", "mps"}:
            raise wrong(f"{gres} is not fenced by Slurm", 'write isolation = "shared"')
        return isolation

    @property
    def partitions(self) -> tuple[str, ...]:
        """Every partition that its jobs may go to."""
        return tuple(self.partition.split(","))

    @property
    def place(self) -> Place:
        """Which nodes its jobs can be on."""
        return Place(self.partition, self.constraint, self.exclude)

    @property
    def every_gres(self) -> str | None:
        """All that is asked of `--gres`, the device first; None where nothing is."""
        return ",".join(filter(None, [self.gres, *self.extra_gres])) or None

    @property
    def devices_wanted(self) -> int | None:
        """How many device files one session must be able to open; None where that is not proved."""
        if self.isolation != "exclusive" or self.gres is None:
            return None
        return int(self.gres.rpartition(":")[2]) * self.device_files


class Environment(ForPeople):
    """What starts a notebook server: a directory of packages, or an image, that belongs to the operator."""

    id: Id = Field(examples=["base"])
    """What people and scripts call it."""
    title: Title = Field(examples=["JupyterLab"])
    """What the page calls it."""
    description: Text = Field(default="", examples=["Python with the usual packages"])
    """One sentence on what is in it."""
    python: PlainPath = Field(examples=["/opt/skiva/images/base/current.env/bin/python"])
    """The absolute path of its Python, the same on every node; of an image, the path inside it."""
    launcher: Launcher = Field(default="direct", examples=["namespace"])
    """What enters it: `direct` for a directory of packages; for an image `namespace` (ours: a squashfs file
    or an unpacked directory, without a container runtime on the nodes), `apptainer`, or `pyxis` (Enroot)."""
    image: PlainPath | None = Field(
        default=None, validate_default=True, examples=["/opt/skiva/images/base/current.sif"]
    )
    """The image, the same on every node; only with a launcher other than `direct`."""
    binds: tuple[PlainPath, ...] = Field(default=(), examples=[["/scratch", "/run/munge"]])
    """What else of the node is seen inside an image, beside /dev, /proc, /sys, /tmp and the person's home."""
    variables: Variables = Field(default={}, examples=[{"MLM_LICENSE_FILE": "27000@licences"}])
    """Environment variables of its servers, kernels and terminals, and of the runs and Dask workers that are
    started from them; everybody who may use it can read them, so no secrets. A `PATH` comes after the
    environment's own programs."""

    @field_validator("image")
    @classmethod
    def _image_fits(cls, image: Path | None, info: ValidationInfo) -> Path | None:
        launcher = info.data.get("launcher")
        if launcher == "direct" and image is not None:
            raise wrong(
                "is not used by the launcher direct", 'write launcher = "namespace" or leave image out'
            )
        if launcher not in {"direct", None} and image is None:
            raise wrong(f"is missing, and the launcher {launcher} needs one", "write image = and its path")
        return image


class Site(Table):
    """Everything that differs between one machine and a thousand nodes."""

    title: Title = Field(default="Skiva", examples=["Skiva"])
    """What the pages are headed."""
    notice: Text = Field(default="", examples=["Maintenance on Monday from 8:00."])
    """One sentence shown on every page, e.g. that the slices are simulated."""
    hub: Hub
    cluster: Cluster = Cluster()
    partition: Annotated[tuple[Partition, ...], Field(min_length=1)]
    slice: Annotated[tuple[Slice, ...], Field(min_length=1)]
    environment: Annotated[tuple[Environment, ...], Field(min_length=1)]
    hours: Hours = Hours()
    batch: Batch = Batch()
    dask: Dask = Dask()
    limits: Limits = Limits()
    idle: Idle = Idle()

    @model_validator(mode="after")
    def _names_fit_together(self) -> Self:
        found = misfits(
            [p.name for p in self.partition],
            [(s.id, s.partition) for s in self.slice],
            [e.id for e in self.environment],
        )
        details = [InitErrorDetails(type=wrong(what, cure), loc=loc, input=None) for loc, what, cure in found]
        if details:
            raise ValidationError.from_exception_data("Site", details)
        return self

    def slices_for(self, user: str, groups: frozenset[str]) -> tuple[Slice, ...]:
        """The slices that `user` may pick, in the operator's order."""
        open_partitions = {p.name for p in self.partition if p.allows(user, groups)}
        return tuple(
            s for s in self.slice if s.allows(user, groups) and open_partitions.issuperset(s.partitions)
        )

    def environments_for(self, user: str, groups: frozenset[str]) -> tuple[Environment, ...]:
        """The environments that `user` may pick, in the operator's order."""
        return tuple(e for e in self.environment if e.allows(user, groups))

    def filled_in(self, defaults: Mapping[str, str]) -> Self:
        """The same site, with the hub's own `defaults`, by the field's name, for what slices leave open."""
        slices = tuple(
            one.model_copy(update={name: getattr(one, name) or value for name, value in defaults.items()})
            for one in self.slice
        )
        return self.model_copy(update={"slice": slices})

    def max_hours(self, picked: Slice) -> float:
        """The longest session on a slice: the least of site, partitions and slice."""
        partitions = [p.max_hours for p in self.partition if p.name in picked.partitions]
        return min(h for h in (self.hours.max, *partitions, picked.max_hours) if h)
