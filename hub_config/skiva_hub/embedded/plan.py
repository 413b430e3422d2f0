"""What an embedded cluster declares: simulated GPUs, or the NVIDIA GPUs of the machine."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from skiva_hub.embedded.hardware import Gpu, Machine
from skiva_hub.embedded.layout import Device, GresPlan, Layout, NodePlan, Owners, SlicePlan, cluster_id

_MIG_INSTANCES = 7
_SHARDS = 8
_FIRST_LOCAL_MAJOR = 240
_MINORS_PER_CLUSTER = 64

SIMULATED_SLICES = (
    SlicePlan("cpu", "CPU only", "Two cores and no GPU.", "cpu", None, 2, 2048),
    SlicePlan(
        "1g.10gb", "One seventh of a GPU", "A MIG instance.", "slices", "gpu:1g.10gb:1", 2, 2048, "10 GB"
    ),
    SlicePlan("h100", "One GPU", "A whole H100.", "gpu", "gpu:h100:1", 4, 4096, "80 GB"),
    SlicePlan("2xh100", "Two GPUs", "Two H100 of one node.", "gpu", "gpu:h100:2", 8, 8192, "2 x 80 GB"),
    SlicePlan(
        "shard",
        "A share of a GPU",
        "Up to eight people share this GPU and its memory.",
        "shared",
        "shard:1",
        1,
        2048,
        shared=True,
    ),
)


def simulated(
    directory: Path, owners: Owners, *, ports: Sequence[int], hub_port: int, fenced: bool
) -> Layout:
    """A cluster of five nodes whose GPUs are device files without a driver.

    Args:
        ports: slurmctld's, then one for each node (see `SIMULATED_NODES`).
    """
    make = _DeviceMaker(directory)
    gres: dict[str, tuple[GresPlan, ...]] = {
        "cpu": (),
        "mig": (GresPlan("1g.10gb", make("mig", _MIG_INSTANCES)),),
        "gpu1": (GresPlan("h100", make("gpu1", 2)),),
        "gpu2": (GresPlan("h100", make("gpu2", 2)),),
        "shared": (GresPlan("h100", make("shared", 1), shards=_SHARDS),),
    }
    nodes = tuple(
        NodePlan(label, f"{label}-{cluster_id(directory)}", port, cores, memory, (partition,), gres[label])
        for (label, partition, cores, memory), port in zip(SIMULATED_NODES, ports[1:], strict=True)
    )
    return Layout(
        dir=directory,
        owners=owners,
        controller_port=ports[0],
        hub_port=hub_port,
        nodes=nodes,
        slices=SIMULATED_SLICES,
        fenced=fenced,
        simulated=True,
    )


SIMULATED_NODES = (
    # label, partition, cores, memory in MB: enough for all slices at once, whatever the machine has
    ("cpu", "cpu", 32, 32768),
    ("mig", "slices", 32, 32768),
    ("gpu1", "gpu", 32, 32768),
    ("gpu2", "gpu", 32, 32768),
    ("shared", "shared", 32, 32768),
)


class _DeviceMaker:
    """Gives each simulated device a file and a number that no other device here has."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory / "dev"
        self._minor = int(cluster_id(directory), 16) % 2**14 * _MINORS_PER_CLUSTER

    def __call__(self, label: str, count: int) -> tuple[Device, ...]:
        first, self._minor = self._minor, self._minor + count
        return tuple(
            Device((self._directory / label / f"skiva{i}",), (_FIRST_LOCAL_MAJOR, first + i))
            for i in range(count)
        )


def real(
    directory: Path,
    owners: Owners,
    machine: Machine,
    *,
    ports: Sequence[int],
    hub_port: int,
    fenced: bool,
) -> Layout:
    """A cluster of one node that has the machine's NVIDIA GPUs and MIG instances.

    It is one node because Slurm fences only the devices that a job's own node has.
    """
    gres, slices = _real_gres(machine.gpus), _real_slices(machine)
    node = NodePlan(
        "gpu",
        f"gpu-{cluster_id(directory)}",
        ports[1],
        max(machine.cores, 2),
        machine.memory_mb,
        tuple(dict.fromkeys(s.partition for s in slices)),
        gres,
    )
    return Layout(
        dir=directory,
        owners=owners,
        controller_port=ports[0],
        hub_port=hub_port,
        nodes=(node,),
        slices=slices,
        fenced=fenced,
        simulated=False,
        shared_devices=tuple(g.device for g in machine.gpus if g.instances),
    )


def _real_gres(gpus: Sequence[Gpu]) -> tuple[GresPlan, ...]:
    found: dict[str, list[Device]] = {}
    for gpu in gpus:
        if gpu.instances:
            for instance in gpu.instances:
                found.setdefault(instance.profile, []).append(Device((gpu.device, *instance.caps)))
        else:
            found.setdefault(gpu.type, []).append(Device((gpu.device,)))
    return tuple(GresPlan(kind, tuple(devices)) for kind, devices in found.items())


def _real_slices(machine: Machine) -> tuple[SlicePlan, ...]:
    """Each GPU and MIG instance gets the same share of cores and memory, and one share needs no GPU."""
    whole = Counter(gpu.type for gpu in machine.gpus if not gpu.instances)
    pieces = dict.fromkeys(i.profile for gpu in machine.gpus for i in gpu.instances)
    shares = 1 + whole.total() + sum(len(gpu.instances) for gpu in machine.gpus)
    cores, memory = max(1, machine.cores // shares), max(1024, machine.memory_mb // shares)

    def plan(name: str, title: str, about: str, partition: str, gres: str | None, size: int = 1) -> SlicePlan:
        return SlicePlan(name, title, about, partition, gres, size * cores, size * memory)

    slices = [plan("cpu", "CPU only", "No GPU.", "cpu", None)]
    slices += [
        plan(p.replace("+", "-"), f"MIG {p}", "A piece of a GPU.", "slices", f"gpu:{p}:1") for p in pieces
    ]
    for kind, count in whole.items():
        slices.append(plan(kind, "One GPU", f"A whole {kind.upper()}.", "gpu", f"gpu:{kind}:1"))
        if count > 1:
            about = f"Two {kind.upper()} of this machine."
            slices.append(plan(f"2x{kind}", "Two GPUs", about, "gpu", f"gpu:{kind}:2", 2))
    return tuple(slices)
