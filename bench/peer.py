"""The other side: stock JupyterHub and batchspawner, on our cluster's Slurm and with our notebook packages.

What is stock: the spawner (batchspawner's own class for several slurmd on one machine), its batch script,
`sudo -E -u`, its polling intervals, its single-user wrapper, JupyterHub's settings and pages, SQLite.
Only its `http_timeout` is longer, so that it does not give up when many start on a small machine.
What is the same on both sides so that it cannot make the difference: packages, Python, byte code, Slurm,
partition and gres, the proxy (traefik with the settings of ours), the authenticator, the accounts.
"""

import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from bench.ours import Cluster
from bench.proc import end, free_ports, start
from bench.side import Side

_CONFIG = """\
import os
from pathlib import Path

from batchspawner import MultiSlurmSpawner
from traitlets import Unicode

from skiva_hub import proxy

here = Path(__file__).parent


class Spawner(MultiSlurmSpawner):
    # Measured on the machine alone: nothing listens to the outside.
    ip = Unicode("127.0.0.1").tag(config=True)


c.JupyterHub.spawner_class = Spawner
c.MultiSlurmSpawner.daemon_resolver = {resolver!r}
c.Spawner.cmd = [{singleuser!r}]
c.Spawner.batchspawner_singleuser_cmd = {wrapper!r}
c.Spawner.env_keep = ["PATH", "SLURM_CONF", "LANG"]
c.Spawner.req_partition = {partition!r}
c.Spawner.req_gres = {gres!r}
c.Spawner.req_nprocs = {cores!r}
c.Spawner.req_memory = {memory!r}
c.Spawner.req_runtime = "1:00:00"
c.Spawner.http_timeout = 120
c.JupyterHub.allow_named_servers = {named!r}
c.JupyterHub.proxy_class = "traefik_file"
proxy.configure(c, proxy.ProxyFiles(here), {api!r})
c.JupyterHub.bind_url = {public!r}
c.JupyterHub.hub_bind_url = {hub!r}
c.JupyterHub.db_url = "sqlite:///" + str(here / "jupyterhub.sqlite")
c.JupyterHub.cookie_secret_file = str(here / "cookie-secret")
c.JupyterHub.authenticator_class = "shared-password"
c.SharedPasswordAuthenticator.user_password = (here / "password").read_text()
c.Authenticator.allowed_users = {{"researcher1", "researcher2", "researcher3", "instructor1"}}
c.JupyterHub.services = [dict(name="admin", api_token=(here / "token").read_text())]
c.JupyterHub.load_roles = [
    dict(name="bench-admin", services=["admin"], scopes=["admin:users", "admin:servers", "read:hub"])
]
"""

_WRAPPER = """\
#!{python}
import sys

sys.path.append({packages!r})
from batchspawner.singleuser import main

main()
"""


@asynccontextmanager
async def stock(
    cluster: Cluster,
    *,
    partition: str = "slices",
    gres: str = "gpu:1g.10gb:1",
    cores: int = 2,
    memory_mb: int = 2048,
    wrapper: Path | None = None,
) -> AsyncIterator[Side]:
    """Run the stock hub as root, as it is meant to be run; end it afterwards.

    `wrapper` takes the place of batchspawner's single-user command.
    """
    here = cluster.dir / "peer"
    here.mkdir(mode=0o755, exist_ok=True)
    ports = free_ports(3)
    public, hub, api = (f"http://127.0.0.1:{port}" for port in ports)
    password, token = secrets.token_hex(16), secrets.token_hex(16)
    (here / "password").write_text(password)
    (here / "token").write_text(token)
    values = {
        "resolver": dict.fromkeys(_nodes(cluster), "127.0.0.1"),
        "singleuser": str(cluster.dir / "venv/base/bin/jupyterhub-singleuser"),
        "wrapper": str(wrapper or _wrapper(cluster, here)),
        "partition": partition,
        "gres": gres,
        "cores": str(cores),
        "memory": f"{memory_mb}M",
        "named": wrapper is not None,
        "public": public,
        "hub": hub,
        "api": api,
    }
    (here / "config.py").write_text(_CONFIG.format(**values))
    python = str(cluster.dir / "venv/hub/bin/python")
    env = {
        **cluster.slurm.env,
        "PATH": f"{cluster.dir}/venv/hub/bin:/usr/bin:/bin",
        "HOME": "/root",
        "LANG": "C.UTF-8",
    }
    proxy = start(
        [python, "-I", "-m", "skiva_hub.proxy", str(here), public, api], here / "proxy.log", env, here
    )
    process = start(
        [python, "-I", "-m", "jupyterhub", "-f", str(here / "config.py")], here / "hub.log", env, here
    )
    side = Side("stock", f"{public}/", password, token, None, {}, lambda: process.pid)
    try:
        await side.answers()
        yield side
    finally:
        end(process, 60)
        end(proxy, 10)


def _nodes(cluster: Cluster) -> Sequence[str]:
    return cluster.slurm.run("sinfo", "--noheader", "--Node", "--format=%N").split()


def _wrapper(cluster: Cluster, here: Path) -> Path:
    """batchspawner's own single-user command, run by the Python of the notebook packages."""
    (package,) = (cluster.dir / "venv/hub/lib").glob("python3*/site-packages/batchspawner")
    packages = here / "packages"
    packages.mkdir(exist_ok=True)
    (packages / "batchspawner").unlink(missing_ok=True)
    (packages / "batchspawner").symlink_to(package)
    program = here / "batchspawner-singleuser"
    program.write_text(_WRAPPER.format(python=cluster.dir / "venv/base/bin/python", packages=str(packages)))
    program.chmod(0o755)
    return program
