"""The keepers of running jobs (slurmstepd), found by the sockets that they leave in their node's directory.

They outlive slurmd, and where there are no cgroups nothing else tells whose they are.
"""

import socket
import struct
from collections.abc import Iterator
from pathlib import Path

from skiva_hub.embedded.proc import Process, descendants


def running(directory: Path) -> list[Process]:
    """The jobs' keepers of the cluster in a state directory, and what runs below them."""
    keepers = list(_keepers(directory))
    return keepers + [process for keeper in keepers for process in descendants(keeper.pid)]


def _keepers(directory: Path) -> Iterator[Process]:
    for path in (directory / "slurm" / "spool").glob("*/*_*.*"):
        if path.is_socket() and (pid := _listener(path)) and (process := Process.of(pid)):
            yield process


def _listener(path: Path) -> int:
    """Who listens on a socket, as the kernel tells; 0 for nobody."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(1.0)
        try:
            probe.connect(str(path))
            pid, _, _ = struct.unpack("3i", probe.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
        except OSError:
            return 0
    return int(pid)
