"""The programs that make up an embedded cluster: what is run, as whom, with which environment."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files as packaged
from pathlib import Path

from skiva_hub.embedded import hub_fence, view
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
    umask: int = 0o022
    cgroups: tuple[Path, ...] = ()
    """That it is put into once it runs."""
    leaves_orphans: bool = False
    """Whether programs that it started may outlive it."""


def munge(layout: Layout) -> Part:
    """munged with a key of its own, so that nobody outside this cluster can speak to it."""
    here = layout.dir / "munge"
    argv = (
        "/usr/sbin/munged",
        "--foreground",
        f"--key-file={here}/key",
        f"--socket={layout.munge_socket}",
        f"--pid-file={here}/pid",
        f"--seed-file={here}/seed",
        # A person's own group may write to their directories; whose these are has been seen to already.
        *(() if layout.owners.root else ("--force",)),
    )
    return Part("munge", argv, layout.owners.munge, {"PATH": _PATH}, here)


def controller(layout: Layout) -> Part:
    """slurmctld."""
    argv: tuple[str, ...] = ("/usr/sbin/slurmctld", "-D", "-f", str(layout.conf))
    user = layout.owners.slurm
    if (seen := _view(layout)) and layout.owners.root:  # which takes root to enter
        argv = ("/usr/bin/setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--", *argv)
        user = "root"
    return Part("slurmctld", (*seen, *argv), user, _slurm_env(layout), layout.slurm)


def node(layout: Layout, plan: NodePlan) -> Part:
    """One slurmd; where devices are fenced it sees the simulated devices of its own node only."""
    hidden: tuple[Path, ...] = ()
    if layout.fenced and layout.simulated:
        hidden = tuple(layout.device_dir / n.label for n in layout.nodes if n.gres and n is not plan)
    argv = (*_view(layout, hidden), "/usr/sbin/slurmd", "-D", "-N", plan.name, "-f", str(layout.conf))
    return Part(plan.label, argv, layout.owners.slurmd, _slurm_env(layout), layout.slurm)


def cluster(layout: Layout) -> tuple[Part, ...]:
    """All of Slurm, in the order in which it starts."""
    return munge(layout), controller(layout), *(node(layout, plan) for plan in layout.nodes)


def proxy(layout: Layout, ports: Mapping[str, int]) -> Part:
    """The proxy, which people's browsers and the jobs reach; it outlives a restart of the hub."""
    public, api = (f"http://127.0.0.1:{ports[name]}" for name in ("public", "proxy_api"))
    argv = (*_python("skiva_hub.proxy"), str(hub_dir(layout)), public, api, "shared")
    return Part("proxy", argv, layout.owners.hub, _hub_env(layout), hub_dir(layout), umask=0o077)


def hub(layout: Layout, ports: Mapping[str, int], people: tuple[str, ...]) -> Part:
    """JupyterHub with Skiva's configuration; what only this cluster has is told by the environment."""
    config = packaged("skiva_hub.embedded") / "jupyterhub_config.py"
    argv = (*_python("jupyterhub"), "-f", str(config))
    env = _hub_env(layout) | {
        "SKIVA_SITE": str(layout.dir / "site.toml"),
        "SKIVA_STATE": str(hub_dir(layout)),
        "SKIVA_PORT": str(ports["public"]),
        "SKIVA_HUB_PORT": str(ports["hub"]),
        "SKIVA_PROXY_API_PORT": str(ports["proxy_api"]),
        "SKIVA_STREAM_PORT": str(ports["stream"]),
        "SKIVA_PASSWORD_FILE": str(hub_dir(layout) / "password"),
        "SKIVA_ADMIN_TOKEN_FILE": str(hub_dir(layout) / "admin-token"),
        "SKIVA_USERS": " ".join(people),
        # SQLite serves one machine; whoever tries PostgreSQL sets this before `up`.
        "SKIVA_DB_URL": os.environ.get("SKIVA_DB_URL", f"sqlite:///{hub_dir(layout)}/jupyterhub.sqlite"),
    }
    return Part(
        "hub",
        argv,
        layout.owners.hub,
        env,
        hub_dir(layout),
        umask=0o077,
        cgroups=hub_fence.places(layout),
        leaves_orphans=True,
    )


def hub_dir(layout: Layout) -> Path:
    """The hub's private directory."""
    return layout.dir / "hub"


def _view(layout: Layout, hidden: tuple[Path, ...] = ()) -> tuple[str, ...]:
    """What goes before the command line of a program of Slurm's that needs a view of its own."""
    if not layout.host_name and not hidden:
        return ()
    given = (layout.host_name, str(layout.slurm / "empty"), *map(str, hidden))
    mounts = ("--mount", "--propagation", "slave") if hidden else ()
    enter = view.unshare(root=layout.owners.root)
    return (*enter, *mounts, "--", sys.executable, "-I", view.__file__, *given, "--")


def _python(module: str) -> tuple[str, ...]:
    return (sys.executable, "-I", "-m", module)


def _hub_env(layout: Layout) -> dict[str, str]:
    here = Path(sys.executable).parent
    return {"PATH": f"{here}:/usr/bin:/bin", "HOME": str(hub_dir(layout)), "LANG": "C.UTF-8"}


def _slurm_env(layout: Layout) -> dict[str, str]:
    return {"PATH": _PATH, "SLURM_CONF": str(layout.conf), "HOME": "/"}
