"""Free ports on 127.0.0.1, chosen once for a state directory and kept as long as nobody else takes them."""

import json
import random
import socket
from collections.abc import Mapping
from pathlib import Path

from skiva_hub.embedded.errors import CannotStart
from skiva_hub.embedded.files import write

DEFAULT_PUBLIC = 8000
_PRIVATE = range(10_000, 20_000)


def choose(directory: Path, names: tuple[str, ...], public: int | None) -> dict[str, int]:
    """A free port for each name, and for `public`, where people's browsers go.

    Raises:
        CannotStart: the public port is taken.
    """
    path = directory / "ports.json"
    kept = _kept(path)
    wanted = public or kept.get("public", DEFAULT_PUBLIC)
    if not is_free(wanted):
        raise CannotStart(f"Port {wanted} of 127.0.0.1 is in use; choose another with --port.")
    chosen = {"public": wanted}
    for name in names:
        port = kept.get(name, 0)
        while port in chosen.values() or not port or not is_free(port):
            port = random.choice(_PRIVATE)  # noqa: S311 - no secret
        chosen[name] = port
    write(path, json.dumps(chosen, indent=1) + "\n")
    return chosen


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of 127.0.0.1 now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _kept(path: Path) -> Mapping[str, int]:
    try:
        return {str(name): int(port) for name, port in json.loads(path.read_text()).items()}
    except (OSError, ValueError, AttributeError):
        return {}
