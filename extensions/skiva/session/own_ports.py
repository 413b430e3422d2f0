"""Lets the port proxy reach one's own programs alone: a node's ports belong to many people.

What answers at `proxy/PORT/` becomes a part of one's own session in the browser and is sent its
cookies, and who listens on a port, only the kernel knows.
"""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tornado import web

_TABLES = (Path("/proc/net/tcp"), Path("/proc/net/tcp6"))
_LISTENS = "0A"
_THIS_NODE = {"localhost", "127.0.0.1"}


def owners(port: int, tables: Iterable[str]) -> set[int]:
    """The accounts, by number, whose programs listen on a port, from the kernel's tables of sockets."""
    rows = (line.split() for table in tables for line in table.splitlines()[1:])
    return {
        int(row[7])
        for row in rows
        if len(row) > 7 and row[3] == _LISTENS and int(row[1].rpartition(":")[2], 16) == port
    }


def check(port: int) -> None:
    """Go on if all that listens on a port of this node is one's own.

    Raises:
        HTTPError: 403 or 503, with one sentence for whoever asked for the port.
    """
    found = owners(port, (table.read_text() for table in _TABLES if table.exists()))
    if not found:
        raise web.HTTPError(503, f"No program listens on port {port} of this node.")
    if found != {os.getuid()}:
        raise web.HTTPError(
            403, f"Port {port} of this node is somebody else's; let your program listen on another one."
        )


def reach_only_own(handler: Any) -> None:
    """Let the port proxy's base class of handlers refuse ports of this node that are not one's own."""
    proxy, proxy_open = handler.proxy, handler.proxy_open

    def check_for(self: Any, host: str, port: str | int) -> None:
        # What the server itself has started may listen on a socket in a private directory instead.
        if host in _THIS_NODE and self.unix_socket is None:
            check(int(port))

    async def proxy_own(self: Any, host: str, port: str | int, proxied_path: str) -> Any:
        check_for(self, host, port)
        return await proxy(self, host, port, proxied_path)

    async def open_own(self: Any, host: str, port: str | int, proxied_path: str = "") -> Any:
        try:
            check_for(self, host, port)
        except web.HTTPError as problem:
            self.close(1008, problem.log_message)
            return None
        return await proxy_open(self, host, port, proxied_path)

    handler.proxy, handler.proxy_open = proxy_own, open_own
