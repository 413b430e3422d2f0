"""The site file of an embedded cluster."""

from collections.abc import Iterable, Mapping

from skiva_hub.embedded.layout import Layout, SlicePlan
from skiva_hub.embedded.privilege import RUN_DIRS, helper_command
from skiva_hub.toml_text import table

_HEADER = "# Written by `skiva up` each time it starts; what you change here is lost.\n\n"


def site_toml(layout: Layout, environments: Iterable[Mapping[str, object]]) -> str:
    """The site file's text; see `environments.offered`."""
    partitions = dict.fromkeys(s.partition for s in layout.slices)
    return _HEADER + "\n".join(
        [
            table("", {"title": "Skiva on this machine", "notice": notice(layout)}).lstrip("\n"),
            table("[hub]", _hub(layout)),
            table("[cluster]", _cluster(layout)),
            *(table("[[partition]]", {"name": name}) for name in partitions),
            *(table("[[slice]]", _slice(layout, plan)) for plan in layout.slices),
            *(table("[[environment]]", one) for one in environments),
            table("[hours]", _hours(layout)),
            # As long as its partitions allow.
            table("[batch]", {"max_hours": 24.0}),
            table("[dask]", {"max_hours": 24.0}),
            table("[limits]", {"servers": 1}),
            table("[idle]", {"minutes": 60}),
        ]
    )


def notice(layout: Layout) -> str:
    """The sentence on every page: what is not as on a cluster."""
    said = []
    if layout.simulated and layout.fenced:
        said.append(
            "This machine has no GPU: the slices are simulated. "
            "They are fenced like real ones, but compute nothing."
        )
    elif layout.simulated:
        said.append("This machine has no GPU: the slices are simulated, and compute nothing.")
    if not layout.fenced:
        said.append("Devices and memory are not fenced here: nothing keeps one session from another's slice.")
    return " ".join(said)


def _hub(layout: Layout) -> dict[str, object]:
    return {
        "api_url": f"http://127.0.0.1:{layout.hub_port}/hub/api",
        "bind": "127.0.0.1",
        "run_dirs": RUN_DIRS,
        "helper": helper_command(layout),
    }


def _cluster(layout: Layout) -> dict[str, object]:
    told: dict[str, object] = {
        "name": "embedded",
        "bin": str(layout.bin),
        "conf": str(layout.conf),
        "client": [str(path) for path in (*layout.client, layout.munge_socket.parent)],
        "fenced": layout.fenced,
        "always_open": [str(path) for path in layout.shared_devices],
    }
    if layout.simulated:
        told["devices"] = [f"{layout.device_dir}/*/skiva[0-9]*"]
    return told


def _slice(layout: Layout, plan: SlicePlan) -> dict[str, object]:
    told: dict[str, object] = {
        "id": plan.id,
        "title": plan.title,
        "description": plan.description,
        "partition": plan.partition,
        "cores": plan.cores,
        "memory_mb": plan.memory_mb,
        "gpu_memory": plan.gpu_memory,
        "isolation": _isolation(layout, plan),
        "simulated": layout.simulated and plan.gres is not None,
    }
    if plan.gres is not None:
        told["gres"] = plan.gres
        told["device_files"] = _device_files(layout, plan.gres)
    return told


def _device_files(layout: Layout, gres: str) -> int:
    """How many device files one unit opens that no other slice shares: two for a MIG instance."""
    kinds = [kind for node in layout.nodes for kind in node.gres if kind.type in gres.split(":")]
    files = kinds[0].devices[0].files if kinds else ()
    return max(1, len(set(files) - set(layout.shared_devices)))


def _isolation(layout: Layout, plan: SlicePlan) -> str:
    if plan.shared:
        return "shared"
    return "exclusive" if layout.fenced and plan.gres is not None else "none"


def _hours(layout: Layout) -> dict[str, object]:
    # Without root the one person owns Slurm, so may lengthen a job as themselves.
    return {"default": 2.0, "max": 8.0, "extend_by": 1.0, "extend_as": layout.owners.slurm}
