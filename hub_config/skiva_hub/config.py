"""Everything that Skiva sets in JupyterHub's configuration; a site's own file may change it afterwards."""

import asyncio
import os
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tornado.log import app_log

from skiva_hub import metrics
from skiva_hub.kept_secret import kept_secret
from skiva_hub.pages import api, render, snapshot_file
from skiva_hub.req_options import CARRIED, site_defaults
from skiva_hub.routes import FileProxy
from skiva_hub.site import Site
from skiva_slurm.reader import SlurmReader
from skiva_slurm.watcher import Watcher
from skiva_spawners import SliceSpawner, report
from skiva_spawners.acting import Actor
from skiva_spawners.given_up import GivenUp
from skiva_spawners.hub_state import HubState
from skiva_spawners.keeper import Keeper
from skiva_spawners.sealing import Seal

_LOOK_EVERY = 2.0
"""Seconds between two looks whether Slurm has fallen silent."""
_MOST_NAMES = 50
"""Named servers of one person, stopped ones included, which they can delete."""
_MOST_BODY = 1024 * 1024
"""Bytes of a request to the hub."""
_STREAM_SCOPE = "access:services!service=skiva"
# The stream shows the slices that the server's owner may use, which depends on their groups.
_SERVER_SCOPES = ["users:activity!user", "access:servers!server", "read:users:groups!user", _STREAM_SCOPE]


def configure(c: Any, site: Site, state_dir: Path, *, stream_port: int = 8085) -> HubState:
    """Make the hub of configuration `c` serve `site`.

    Args:
        c: JupyterHub's configuration object.
        state_dir: a private directory of the hub's account.
        stream_port: the loopback port of the service that notebooks follow.
    """
    state = _state(site, state_dir)
    # The same after each restart: JupyterHub's database keeps a row for each token that it was ever told.
    keeper_token = kept_secret(state_dir / "keeper-token")
    _hub(c, site, state)
    _services(c, site, state_dir / "snapshot.json", stream_port, keeper_token)
    api.register()
    report.register()
    _run_with_the_hub(c, state, state_dir / "snapshot.json", keeper_token)
    return state


def _state(site: Site, state_dir: Path) -> HubState:
    cluster = site.cluster
    env = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
    if cluster.conf is not None:
        env["SLURM_CONF"] = str(cluster.conf)
    watcher = Watcher(
        SlurmReader(cluster.bin, env, cluster.command_timeout),
        idle_interval=cluster.idle_interval,
        busy_interval=cluster.busy_interval,
    )
    origin = urlsplit(site.hub.api_url)
    stream_url = f"{origin.scheme}://{origin.netloc}/services/skiva/stream"
    given_up = GivenUp(state_dir / "given-up-sessions")
    seal = Seal(state_dir / "session-key")
    return HubState(site, watcher, Actor(site.hub.helper), given_up, seal, stream_url=stream_url)


def _hub(c: Any, site: Site, state: HubState) -> None:
    hub = c.JupyterHub
    hub.spawner_class = SliceSpawner
    # The pending page says more than a request that hangs, and it is there at once.
    hub.tornado_settings = {"skiva": state, "slow_spawn_timeout": 0.3}
    hub.template_paths = [str(render.TEMPLATES)]
    hub.template_vars = render.template_vars(site, lambda: state.records)
    # Whoever waits in Slurm's queue must not keep others from queueing.
    hub.concurrent_spawn_limit = 0
    hub.allow_named_servers = site.limits.servers > 1
    # How many may run at a time the spawner sees to; JupyterHub counts those that were stopped, too.
    hub.named_server_limit_per_user = _MOST_NAMES
    # Sessions live in Slurm; a hub that ends leaves them alone.
    hub.cleanup_servers = False
    # What the proxy on this machine says of where a request comes from.
    hub.trusted_downstream_ips = ["127.0.0.1", "::1"]
    hub.proxy_class = FileProxy
    c.Spawner.hub_connect_url = site.hub.api_url.removesuffix("/").removesuffix("/hub/api")
    c.Spawner.consecutive_failure_limit = 0


def _services(c: Any, site: Site, snapshot: Path, stream_port: int, keeper_token: str) -> None:
    services: list[dict[str, Any]] = [
        {
            "name": "skiva",
            "url": f"http://127.0.0.1:{stream_port}",
            "command": [sys.executable, "-I", "-m", "skiva_hub.stream"],
            "environment": {"SKIVA_SNAPSHOT": str(snapshot), "SKIVA_SITE": os.environ.get("SKIVA_SITE", "")},
            "display": False,
        },
        {"name": "skiva-keeper", "api_token": keeper_token, "display": False},
    ]
    roles: list[dict[str, Any]] = [
        {"name": "user", "scopes": ["self", _STREAM_SCOPE]},
        {"name": "server", "scopes": _SERVER_SCOPES},
        {"name": "skiva-keeper", "scopes": ["servers"], "services": ["skiva-keeper"]},
    ]
    if site.idle.minutes:
        services.append(_idle_culler(site.idle.minutes))
        scopes = ["list:users", "read:users:activity", "read:servers", "delete:servers"]
        roles.append({"name": "idle-culler", "scopes": scopes, "services": ["idle-culler"]})
    c.JupyterHub.services = services
    c.JupyterHub.load_roles = roles


def _idle_culler(minutes: int) -> dict[str, Any]:
    seconds = minutes * 60
    return {
        "name": "idle-culler",
        "command": [
            sys.executable,
            "-I",
            "-m",
            "jupyterhub_idle_culler",
            f"--timeout={seconds}",
            f"--cull-every={max(10, min(300, seconds // 4))}",
        ],
        "display": False,
    }


def _run_with_the_hub(c: Any, state: HubState, snapshot: Path, keeper_token: str) -> None:
    """Start the watcher and the keeper in the hub's event loop, which loads this configuration."""
    from jupyterhub.app import JupyterHub

    # `jupyterhub upgrade-db`, `token` and their like read the configuration too, and are no hub.
    if not JupyterHub.initialized():
        return
    app = JupyterHub.instance()
    state.given_up.load()
    state.background(_know_defaults(c, state))
    watcher = state.watcher
    watcher.on_snapshot(lambda _: _write(snapshot, watcher))
    watcher.start()
    state.reader.start()
    state.background(_tell_of_trouble(watcher, snapshot))
    state.background(Keeper(app, state, keeper_token).run())
    state.background(_bound_bodies(app))


async def _know_defaults(c: Any, state: HubState) -> None:
    """Learn the hub's own defaults, which may stand below in its file, and have reservations read."""
    state.entitlements.defaults = defaults = own_defaults(c)
    # Of the rest a hook may say something else for each person, so it is asked for at each start.
    state.site = state.site.filled_in({name: defaults[name] for name in defaults if name == "reservation"})
    state.watcher.reserved = frozenset(s.reservation for s in state.site.slice if s.reservation)
    metrics.watch(state.watcher, state.site)


def own_defaults(c: Any) -> dict[str, str]:
    """What a hub's configuration says for slices that leave it open, by the slice's field.

    As traitlets reads it: for any class that `SliceSpawner` is one of, the nearest one first.
    """
    classes = [one.__name__ for one in reversed(SliceSpawner.mro()) if one.__name__ in c]
    given = {name: str(c[one][name]) for one in classes for name in CARRIED if name in c[one]}
    # A slice always names its partition itself.
    return {name: value for name, value in site_defaults(given).items() if name != "partition"}


async def _bound_bodies(app: Any) -> None:
    """Refuse bodies that only an attack has, before they are read; JupyterHub has no setting for it."""
    while app.http_server is None:  # noqa: ASYNC110 - JupyterHub tells nobody when it listens
        await asyncio.sleep(0.05)
    app.http_server.conn_params.max_body_size = _MOST_BODY


async def _tell_of_trouble(watcher: Watcher, snapshot: Path) -> None:
    """Let notebooks and the log know of a scheduler that is silent; good readings write themselves."""
    told, since = "", 0.0
    while True:
        await asyncio.sleep(_LOOK_EVERY)
        if watcher.trouble == told:
            continue
        if watcher.trouble and not told:
            since = time.monotonic()
            app_log.warning("Slurm cannot be read: %s", watcher.trouble)
        elif not watcher.trouble:
            app_log.warning("Slurm is read again, after %.0f s", time.monotonic() - since)
        told = watcher.trouble
        _write(snapshot, watcher)


def _write(snapshot: Path, watcher: Watcher) -> None:
    snapshot_file.write(snapshot, watcher.snapshot, watcher.trouble, watcher.ended_and_gone)
