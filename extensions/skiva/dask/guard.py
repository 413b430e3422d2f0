"""Keeps Dask clusters that are not Skiva's own, their ports and what they spill, to who started them.

Dask imports this module in every scheduler, nanny and worker, as `etc/dask/skiva.yaml` says. A node has many
users: without it whoever is there may send work to a `LocalCluster`, or lay something in place of what its
workers spill, and its dashboard answers networks.
"""

import atexit
import logging
import os
import socket
import struct
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from functools import wraps
from ipaddress import IPv4Address, IPv6Address, ip_address
from itertools import product
from pathlib import Path
from typing import Any

from skiva.dask import tls_errors
from skiva.dask.scratch import scratch_dir

__all__ = ["account_of", "is_own", "on_this_node", "routes"]

routes: list[tuple[Any, ...]] = []
"""Pages of a worker: none."""

_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_EVERYWHERE = {"", "*", "0.0.0.0", "::"}  # noqa: S104 - what is not wanted
_log = logging.getLogger(__name__)


def account_of(peer: tuple[str, int], here: tuple[str, int], tables: Iterable[str]) -> int | None:
    """The account at a connection's other end, from the kernel's tables; None where that is another node."""
    # A socket for both families is called by its mapped address, and its other end may be by either.
    wanted = [list(pair) for pair in product(_as_in_tables(*peer), _as_in_tables(*here))]
    rows = (line.split() for table in tables for line in table.splitlines()[1:])
    return next((int(row[7]) for row in rows if len(row) > 7 and row[1:3] in wanted), None)


def _as_in_tables(host: str, port: int) -> list[str]:
    """An end of a connection as the kernel's tables have it, and as its other table may have it."""
    plain = _plain(host)
    forms = [plain.packed] + ([bytes(10) + b"\xff\xff" + plain.packed] if plain.version == 4 else [])
    words = (struct.unpack(f"={len(packed) // 4}I", packed) for packed in forms)
    return ["".join(f"{word:08X}" for word in one) + f":{port:04X}" for one in words]


def _plain(host: str) -> IPv4Address | IPv6Address:
    address = ip_address(host.partition("%")[0])
    return (address.ipv4_mapped if address.version == 6 else None) or address


def is_own(connection: socket.socket) -> bool:
    """Whether a connection comes from this account. One from another node counts, as nobody can tell."""
    try:
        peer, here = connection.getpeername()[:2], connection.getsockname()[:2]
    except OSError:
        return False
    account = account_of(peer, here, (table.read_text() for table in _TABLES if table.exists()))
    if account is None:
        there, near = _plain(peer[0]), _plain(here[0])
        return not there.is_loopback and there != near
    return account == os.getuid()


def on_this_node(addresses: Iterable[dict[str, Any]]) -> list[tuple[str, int]]:
    """Where pages are served: what was to be served everywhere, on this node alone."""
    return [
        ("127.0.0.1" if (one["address"] or "") in _EVERYWHERE else one["address"], one["port"])
        for one in addresses
    ]


def _keep_pages(node: Any, addresses: Callable[..., list[dict[str, Any]]]) -> None:
    start = node.start_http_server

    @wraps(start)
    def start_http_server(
        self: Any, routes: Any, dashboard_address: Any, default_port: int = 0, ssl_options: Any = None
    ) -> None:
        if ssl_options is not None:  # whoever hands this in decides who connects
            start(self, routes, dashboard_address, default_port, ssl_options)
            return
        start(self, routes, on_this_node(addresses(dashboard_address or default_port)), default_port)
        handle = self.http_server.handle_stream
        self.http_server.handle_stream = lambda stream, address: (
            handle(stream, address) if _taken(stream) else None
        )

    node.start_http_server = start_http_server


def _keep_work(listener: Any) -> None:
    prepare = listener._prepare_stream  # noqa: SLF001 - there is no other place

    @wraps(prepare)
    async def prepare_stream(self: Any, stream: Any, address: str) -> Any:
        return await prepare(self, stream, address) if _taken(stream) else None

    listener._prepare_stream = prepare_stream  # noqa: SLF001


def _taken(stream: Any) -> bool:
    if stream.closed():
        return False
    if is_own(stream.socket):
        return True
    # No warning: of a connection that its other end has closed, the kernel does not tell whose it was.
    _log.info("A connection was refused that is not this account's, or not any more.")
    stream.close()
    return False


def _keep_scratch() -> None:
    """Let workers of this process spill where nobody else can write: anybody can guess Dask's own place."""
    import dask.config

    if dask.config.get("temporary-directory", None) is not None:
        return
    stack = ExitStack()
    atexit.register(stack.close)
    try:
        dask.config.set({"temporary-directory": stack.enter_context(scratch_dir())})
    except OSError as problem:
        _log.warning("What workers spill is where Dask puts it: %s", problem)


def _keep() -> None:
    _keep_scratch()
    try:
        from distributed.comm.tcp import TCPListener
        from distributed.node import ServerNode
        from distributed.utils import clean_dashboard_address

        # Encrypted connections have their own listener: there, keys decide.
        _keep_work(TCPListener)
        _keep_pages(ServerNode, clean_dashboard_address)
    except (AttributeError, ImportError) as problem:
        _log.warning(
            "This Dask's ports are open to other accounts of the node: Skiva does not know it (%s).", problem
        )


tls_errors.install()
_keep()
