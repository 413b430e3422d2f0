"""Somebody's running session, with all that is known of it to those who may know."""

import json
import pwd
import ssl
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from tests.support.hub import HubClient, HubRefused
from tests.support.waiting import wait_until

from skiva_spawners.certificate import trust

__all__ = ["Session", "close_session", "open_session"]


@dataclass(frozen=True)
class Session:
    """Somebody's running session.

    Attributes:
        prefix: of its addresses.
        url: through the proxy, without a path.
        node_url: on its node, without a path.
        tls: by which its server is known there.
        token: an API token of its owner's own.
        job_token: the token that the job holds.
        run_dir: where its private file lies.
        connection_file: of the kernel that runs in it.
        pids: of its server and its kernel.
    """

    user: str
    prefix: str
    url: str
    node_url: str
    tls: ssl.SSLContext
    token: str
    job_token: str
    job_id: int
    nonce: str
    run_dir: Path
    kernel: str
    terminal: str
    connection_file: Path
    pids: tuple[int, ...]

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        """A request by its owner, of its own addresses."""
        headers = {"Authorization": f"token {self.token}", **options.pop("headers", {})}
        address = f"{self.url}{self.prefix}{path}"
        return httpx.request(method, address, headers=headers, timeout=60, trust_env=False, **options)


def open_session(cluster: Any, hub: HubClient, user: str) -> Session:
    """Start a session of `user`'s with a notebook called secret.ipynb, a kernel and a terminal."""
    hub.start_server(user, {"slice": "cpu", "hours": 1})
    record = hub.wait_ready(user, 120)["state"]["session"]
    run_dir = _home(user) / ".local/state/skiva/servers" / record["nonce"]
    private = json.loads((run_dir / "server.json").read_text())
    token = hub.user_token(user)
    kernel, terminal = _fill(f"{cluster.url}/user/{user}/", token)
    pid, connection_file = wait_until(lambda: _process_of(kernel), 30, "the kernel's process")
    return Session(
        user=user,
        prefix=f"/user/{user}/",
        url=cluster.url,
        node_url=record["url"],
        tls=trust(record["certificate"]),
        token=token,
        job_token=private["env"]["JUPYTERHUB_API_TOKEN"],
        job_id=int(record["job_id"]),
        nonce=record["nonce"],
        run_dir=run_dir,
        kernel=kernel,
        terminal=terminal,
        connection_file=connection_file,
        pids=(pid, _parent(pid)),
    )


def close_session(hub: HubClient, user: str) -> None:
    """End it and wait until it is gone."""
    with suppress(HubRefused):
        hub.stop_server(user)
    hub.wait_stopped(user, 60)
    (_home(user) / "secret.ipynb").unlink(missing_ok=True)


def _home(name: str) -> Path:
    return Path(pwd.getpwnam(name).pw_dir)


def _fill(url: str, token: str) -> tuple[str, str]:
    """Make a notebook, a kernel and a terminal; the kernel's id and the terminal's name."""
    headers = {"Authorization": f"token {token}"}
    cells: dict[str, object] = {"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    with httpx.Client(base_url=url, headers=headers, timeout=60, trust_env=False) as server:
        notebook = {"type": "notebook", "content": cells}
        server.put("api/contents/secret.ipynb", json=notebook).raise_for_status()
        kernel = server.post("api/kernels", json={"name": "python3"}).raise_for_status().json()["id"]
        terminal = server.post("api/terminals").raise_for_status().json()["name"]
    return str(kernel), str(terminal)


def _process_of(kernel: str) -> tuple[int, Path] | None:
    """The process of a kernel, and its connection file."""
    for entry in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            for word in (entry / "cmdline").read_text().split("\0"):
                if word.endswith(f"kernel-{kernel}.json"):
                    return int(entry.name), Path(word)
    return None


def _parent(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
