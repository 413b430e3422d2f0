"""A small site and readings of its queue that look like a real day, for tests and for the preview."""

import hashlib
from pathlib import Path
from types import MappingProxyType
from typing import Any

from skiva_hub.site import Cluster, Environment, Hours, Hub, Limits, Partition, Site, Slice
from skiva_images.record import ImageRecord
from skiva_slurm.gres import Gres
from skiva_slurm.jobs import Job, Node, Snapshot

NOW = 1_790_000_000.0
"""The moment at which these readings were taken."""

MIG = Gres("gpu", "1g.10gb", 1)
H100 = Gres("gpu", "h100", 1)


def site(*, notice: str = "", fenced: bool = True, simulated: bool = True, environments: int = 2) -> Site:
    """A site with the embedded cluster's slices."""
    names = [
        ("base", "Base", "JupyterLab and all of ours."),
        ("pytorch", "PyTorch", "PyTorch 2, CUDA 13."),
        ("rapids", "RAPIDS", "Data frames and arrays on GPUs."),
        *((f"course-{n}", f"Course {n}", "What its exercises need.") for n in range(1, 10)),
    ]
    return Site(
        title="Skiva",
        notice=notice,
        hub=Hub(api_url="http://127.0.0.1:8081/hub/api"),
        cluster=Cluster(fenced=fenced),
        partition=(Partition(name="gpu"), Partition(name="cpu"), Partition(name="staff", groups=("staff",))),
        slice=(
            Slice(
                id="cpu",
                title="CPU only",
                description="For writing code and light work.",
                partition="cpu",
                cores=2,
                memory_mb=4096,
                isolation="none",
            ),
            Slice(
                id="1g.10gb",
                title="1g.10gb",
                description="A seventh of an H100 (MIG).",
                partition="gpu",
                gres="gpu:1g.10gb:1",
                cores=2,
                memory_mb=8192,
                gpu_memory="10 GB",
                simulated=simulated,
            ),
            Slice(
                id="h100",
                title="One H100",
                partition="gpu",
                gres="gpu:h100:1",
                cores=8,
                memory_mb=65536,
                gpu_memory="80 GB",
                simulated=simulated,
                max_hours=4,
            ),
            Slice(
                id="shard",
                title="Shared H100",
                description="A place on a GPU that others use too.",
                partition="gpu",
                gres="shard:1",
                cores=1,
                memory_mb=4096,
                gpu_memory="up to 80 GB",
                isolation="shared",
                simulated=simulated,
            ),
            Slice(
                id="2xh100",
                title="Two H100",
                partition="staff",
                gres="gpu:h100:2",
                cores=16,
                memory_mb=131072,
                gpu_memory="2 x 80 GB",
                simulated=simulated,
            ),
        ),
        environment=tuple(
            Environment(id=id_, title=title, description=text, python=Path(f"/opt/{id_}/bin/python"))
            for id_, title, text in names[:environments]
        ),
        hours=Hours(default=2, max=8),
        limits=Limits(),
    )


def record(name: str, **more: Any) -> ImageRecord:
    """What is in an environment."""
    versions = {"torch": "2.13.0", "captum": "0.8.0"} if name == "pytorch" else {}
    values = {
        "name": name,
        "form": "env",
        "digest": f"sha256:{hashlib.sha256(name.encode()).hexdigest()}",
        "python": f"/opt/{name}/bin/python",
        "python_version": "3.11.2",
        "title": name,
        "good_for": "Training and explaining neural networks." if versions else "Everyday work.",
        "needs": "An NVIDIA GPU whose driver knows CUDA 13." if name != "base" else "",
        "gpu": {"pytorch": "helps", "rapids": "required"}.get(name, "unused"),
        "versions": versions | {"jupyterlab": "4.6.6"},
        "packages": {"jupyterlab": "4.6.6", "numpy": "2.4.6"},
        "built": "2026-11-22T01:02:03Z",
    }
    return ImageRecord.model_validate(values | more)


def records(*names: str) -> dict[str, ImageRecord]:
    """The records of environments with these ids."""
    return {name: record(name) for name in names}


def node(
    name: str = "n1", *, mig_used: int = 0, h100_used: int = 0, state: str = "IDLE", reason: str = ""
) -> Node:
    """A GPU node with seven instances and two whole GPUs."""
    return Node(
        name=name,
        address="127.0.0.1",
        states=frozenset(state.split("+")),
        partitions=("gpu", "staff"),
        gres=(Gres("gpu", "1g.10gb", 7), Gres("gpu", "h100", 2)),
        gres_used=(Gres("gpu", "1g.10gb", mig_used), Gres("gpu", "h100", h100_used)),
        cores=64,
        memory_mb=512_000,
        reason=reason,
    )


def shard_node(name: str = "s1") -> Node:
    """A node whose one GPU is cut into shares."""
    return Node(
        name=name,
        address="127.0.0.1",
        states=frozenset({"IDLE"}),
        partitions=("gpu",),
        gres=(Gres("gpu", "a100", 1), Gres("shard", "", 8)),
        cores=16,
        memory_mb=64_000,
    )


def cpu_node(name: str = "c1") -> Node:
    """A node without GPUs."""
    return Node(
        name=name,
        address="127.0.0.1",
        states=frozenset({"MIXED"}),
        partitions=("cpu",),
        cores=16,
        cores_used=4,
        memory_mb=64_000,
        memory_used_mb=8_192,
    )


def running(number: int, gres: Gres = MIG, *, ends_in: float = 3600, user: str = "researcher2") -> Job:
    """A session of somebody else's."""
    return Job(
        id=number,
        user=user,
        state="RUNNING",
        partition="gpu",
        nodes=("n1",),
        gres=(gres,),
        submitted=NOW - 7200,
        start=NOW - 3600,
        end=NOW + ends_in,
    )


def pending(
    number: int,
    gres: Gres = MIG,
    *,
    user: str = "researcher3",
    priority: int = 100,
    reason: str = "Resources",
    start: float | None = None,
) -> Job:
    """A job that waits."""
    return Job(
        id=number,
        user=user,
        state="PENDING",
        reason=reason,
        partition="gpu",
        gres=(gres,),
        submitted=NOW - 300 + number,
        start=start,
        priority=priority,
    )


def snapshot(*jobs: Job, nodes: tuple[Node, ...] | None = None, taken: float = NOW) -> Snapshot:
    """A reading with these jobs; by default everything on its nodes is free."""
    known = nodes if nodes is not None else (node(), shard_node(), cpu_node())
    return Snapshot(
        taken=taken,
        jobs=MappingProxyType({job.id: job for job in jobs}),
        nodes=MappingProxyType({one.name: one for one in known}),
    )


def full(*more: Job, taken: float = NOW) -> Snapshot:
    """Seven people on the seven instances, both whole GPUs taken, one node drained."""
    jobs = [running(100 + i, ends_in=1500 + 600 * i, user=f"user{i}") for i in range(7)]
    jobs += [running(200 + i, H100, ends_in=5400, user="researcher2") for i in range(2)]
    busy = node(mig_used=7, h100_used=2, state="MIXED")
    return snapshot(*jobs, *more, nodes=(busy, shard_node(), cpu_node()), taken=taken)
