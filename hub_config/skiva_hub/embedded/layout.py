"""What an embedded cluster consists of, as plain values; everything else is built from a `Layout`."""

from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import blake2s
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Device:
    """One thing that Slurm hands out whole: the device files that belong to it.

    `number` is the character device's (major, minor) where the device is simulated.
    """

    files: tuple[Path, ...]
    number: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class GresPlan:
    """One kind of gres on a node, e.g. seven `gpu:1g.10gb`; `shards` says that a GPU is shared out."""

    type: str
    devices: tuple[Device, ...]
    shards: int = 0


@dataclass(frozen=True, slots=True)
class NodePlan:
    """One slurmd: what it declares to have, which may be more than the machine has."""

    label: str
    name: str
    port: int
    cores: int
    memory_mb: int
    partitions: tuple[str, ...]
    gres: tuple[GresPlan, ...] = ()


@dataclass(frozen=True, slots=True)
class SlicePlan:
    """A slice that the embedded site offers."""

    id: str
    title: str
    description: str
    partition: str
    gres: str | None
    cores: int
    memory_mb: int
    gpu_memory: str = ""
    shared: bool = False


@dataclass(frozen=True, slots=True)
class Owners:
    """The accounts that the parts run as.

    Attributes:
        slurm: slurmctld's account; it may lengthen any job.
        slurmd: root, or the one person that a cluster without root is for.
        munge: munged's account.
        hub: the hub's account.
        people: the group of the people whom root serves; empty where there is only one person.
    """

    slurm: str
    slurmd: str
    munge: str
    hub: str
    people: str = ""

    @property
    def root(self) -> bool:
        """Whether root started the cluster, so that it serves several people."""
        return self.slurmd == "root"


@dataclass(frozen=True, slots=True)
class Layout:
    """One embedded cluster in one directory.

    Attributes:
        dir: the state directory, absolute.
        controller_port: slurmctld's port.
        hub_port: where the proxy and the jobs reach the hub.
        nodes: one slurmd each.
        slices: what people pick from.
        fenced: whether cgroups fence devices and memory.
        simulated: whether the GPUs are device files without a GPU behind them.
        shared_devices: device files that belong to several slices at once (MIG's parents).
        slurm_version: major and minor, e.g. (22, 5).
        client: what of Slurm's client, beside munge's socket, a session inside an image needs.
        bin: where Slurm's commands are that the hub and sessions call.
        host_name: what Slurm's programs see as the host's name; empty for the machine's own.
    """

    dir: Path
    owners: Owners
    controller_port: int
    hub_port: int
    nodes: tuple[NodePlan, ...]
    slices: tuple[SlicePlan, ...]
    fenced: bool
    simulated: bool
    shared_devices: tuple[Path, ...] = ()
    slurm_version: tuple[int, int] = (22, 5)
    client: tuple[Path, ...] = ()
    bin: Path = Path("/usr/bin")
    host_name: str = ""

    @property
    def id(self) -> str:
        """Six characters that tell this directory's nodes and files from another's."""
        return cluster_id(self.dir)

    @property
    def slurm(self) -> Path:
        """Where Slurm's configuration, state and spool lie."""
        return self.dir / "slurm"

    @property
    def conf(self) -> Path:
        """slurm.conf."""
        return self.slurm / "slurm.conf"

    @property
    def epilog(self) -> Path:
        """What ends whatever a job has left."""
        return self.slurm / "skiva-epilog"

    @property
    def munge_socket(self) -> Path:
        """Where Slurm's commands reach munged."""
        return self.dir / "munge" / "socket"

    @property
    def client_dir(self) -> Path:
        """Slurm's commands with a loader and libraries of their own, for images that lack these."""
        return self.dir / "client"

    @property
    def log(self) -> Path:
        """Where every part's log lies."""
        return self.dir / "log"

    @property
    def device_dir(self) -> Path:
        """Simulated devices, one directory a node."""
        return self.dir / "dev"

    def spool(self, node: NodePlan) -> Path:
        """Where a node's slurmd keeps its state."""
        return self.slurm / "spool" / node.name

    def devices(self) -> Iterator[tuple[NodePlan, Device]]:
        """Every device of every node."""
        for node in self.nodes:
            for gres in node.gres:
                for device in gres.devices:
                    yield node, device


def cluster_id(directory: Path) -> str:
    """Six hexadecimal characters that stand for a state directory."""
    return blake2s(str(directory).encode()).hexdigest()[:6]
