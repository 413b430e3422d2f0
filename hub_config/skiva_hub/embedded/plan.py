"""What an embedded cluster declares: simulated GPUs, or the NVIDIA GPUs of the machine."""

from collections.abc import Sequence
from dataclasses import replace
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


def simulated(directory: Path, owners: Owners, *, ports: Sequence[int], hub_port: int, fenced: bool) -> Layout:
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
    whole = [g for g in machine.gpus if not g.instances]
    pieces = [i for g in machine.gpus for i in g.instances]
    share = 1 + len(whole) + len(pieces)
    cpu = SlicePlan(
        "cpu",
        "CPU only",
        "No GPU.",
        "cpu",
        None,
        max(1, machine.cores // share),
        max(1024, machine.memory_mb // share),
    )
    slices = [cpu]
    for profile in dict.fromkeys(p.profile for p in pieces):
        slices.append(
            replace(cpu, id=profile, title=f"MIG {profile}", description="A piece of a GPU.",
                    partition="slices", gres=f"gpu:{profile}:1")
        )  # fmt: skip
    for kind in dict.fromkeys(g.type for g in whole):
        slices += _whole_gpu_slices(cpu, kind, [g for g in whole if g.type == kind])
    return tuple(slices)


def _whole_gpu_slices(share: SlicePlan, kind: str, gpus: Sequence[Gpu]) -> list[SlicePlan]:
    one = replace(
        share, id=kind, title="One GPU", description=f"A whole {gpus[0].name}.",
        partition="gpu", gres=f"gpu:{kind}:1",
    )  # fmt: skip
    if len(gpus) < 2:
        return [one]
    two = replace(
        one, id=f"2x{kind}", title="Two GPUs", description=f"Two {gpus[0].name}.", gres=f"gpu:{kind}:2",
        cores=2 * share.cores, memory_mb=2 * share.memory_mb,
    )  # fmt: skip
    return [one, two]
