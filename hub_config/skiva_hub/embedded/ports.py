"""Ports on 127.0.0.1, chosen once for a state directory, and reserved before anybody listens on them."""

import json
import os
import pwd
import random
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from skiva_hub.embedded.errors import CannotStart
from skiva_hub.embedded.files import write

DEFAULT_PUBLIC = 8000
_HOST = "127.0.0.1"
_PRIVATE = range(10_000, 20_000)
"""Below those that the kernel gives to whoever asks for any."""
_HUBS = ("public", "hub", "proxy_api", "stream")
"""Where passwords, cookies and tokens arrive; what arrives at Slurm's is signed by munge."""


@dataclass(frozen=True, slots=True)
class Ports:
    """Each server's port by name, and what reserves them for as long as it is open."""

    numbers: Mapping[str, int]
    held: Mapping[str, socket.socket]


def choose(directory: Path, names: tuple[str, ...], public: int | None) -> Ports:
    """A reserved port for each name, and for `public`, where people's browsers go.

    Raises:
        CannotStart: the public port is taken.
    """
    path = directory / "ports.json"
    kept = _kept(path)
    wanted = public or kept.get("public", DEFAULT_PUBLIC)
    # A server that ended a moment ago keeps a port from being reserved, but not from being listened on.
    holders = {"public": reserve(wanted) or _listenable(wanted)}
    if holders["public"] is None:
        raise CannotStart(f"Port {wanted} of 127.0.0.1 is in use; choose another with --port.")
    for name in names:
        port = kept.get(name, 0)
        while not port or (holder := reserve(port)) is None:
            port = random.choice(_PRIVATE)  # noqa: S311 - no secret
        holders[name] = holder
    held = {name: holder for name, holder in holders.items() if holder}
    numbers = {name: int(holder.getsockname()[1]) for name, holder in held.items()}
    write(path, json.dumps(numbers, indent=1) + "\n")
    return Ports(numbers, held)


def close_to_others(held: Mapping[str, socket.socket], account: str) -> None:
    """Let servers of `account` alone listen where the hub and its proxy do, as long as `held` is open.

    Whoever may reuse addresses could else listen there while such a program is down. The kernel lets in whose
    socket shares its port, too, and belongs to the same account.
    """
    for name in _HUBS:
        os.fchown(held[name].fileno(), pwd.getpwnam(account).pw_uid, -1)
        held[name].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held[name].setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)


def reserve(port: int) -> socket.socket | None:
    """Keep a port of 127.0.0.1 for a server that is still to start; None where anybody has it.

    The kernel keeps it, for as long as what is returned is open, from whoever reserves in this way, in
    whichever account, directory or mount namespace. A server that may reuse addresses, as all that are
    started here do, can listen on it meanwhile.
    """
    holder = socket.socket()
    try:
        holder.bind((_HOST, port))
    except OSError:
        holder.close()
        return None
    # Only now: the address must be nobody's when it is taken, and the server's when that starts.
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return holder


def _listenable(port: int) -> socket.socket | None:
    holder = socket.socket()
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        holder.bind((_HOST, port))
    except OSError:
        holder.close()
        return None
    return holder


def _kept(path: Path) -> Mapping[str, int]:
    try:
        return {str(name): int(port) for name, port in json.loads(path.read_text()).items()}
    except (OSError, ValueError, AttributeError):
        return {}
