"""The programs that make up an embedded cluster: what is run, as whom, with which environment."""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from skiva_hub.embedded import node as node_view
from skiva_hub.embedded.layout import Layout, NodePlan

_PATH = "/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True, slots=True)
class Part:
    """One program: its name in status and log, its command line and the account that it runs as."""

    name: str
    argv: tuple[str, ...]
    user: str
    env: Mapping[str, str]
    cwd: Path


def munge(layout: Layout) -> Part:
    """munged with a key of its own, so that nobody outside this cluster can speak to it."""
    here = layout.dir / "munge"
    argv = (
        "/usr/sbin/munged",
        "--foreground",
        f"--key-file={here}/key",
        f"--socket={layout.munge_socket}",
        f"--pid-file={here}/pid",
        f"--log-file={here}/log",
        f"--seed-file={here}/seed",
    )
    return Part("munge", argv, layout.owners.munge, {"PATH": _PATH}, here)


def controller(layout: Layout) -> Part:
    """slurmctld."""
    argv = ("/usr/sbin/slurmctld", "-D", "-f", str(layout.conf))
    return Part("slurmctld", argv, layout.owners.slurm, _slurm_env(layout), layout.slurm)


def node(layout: Layout, plan: NodePlan) -> Part:
    """One slurmd; where devices are fenced it sees the simulated devices of its own node only."""
    argv: tuple[str, ...] = ("/usr/sbin/slurmd", "-D", "-N", plan.name, "-f", str(layout.conf))
    if layout.fenced and layout.simulated:
        others = (layout.device_dir / n.label for n in layout.nodes if n.gres and n is not plan)
        view = (sys.executable, "-I", node_view.__file__, str(layout.slurm / "empty"), *map(str, others), "--")
        argv = ("/usr/bin/unshare", "--mount", "--propagation", "slave", "--", *view, *argv)
    return Part(plan.label, argv, layout.owners.slurmd, _slurm_env(layout), layout.slurm)


def cluster(layout: Layout) -> tuple[Part, ...]:
    """All of Slurm, in the order in which it starts."""
    return munge(layout), controller(layout), *(node(layout, plan) for plan in layout.nodes)


def _slurm_env(layout: Layout) -> dict[str, str]:
    return {"PATH": _PATH, "SLURM_CONF": str(layout.conf), "HOME": "/"}
