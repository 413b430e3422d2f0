"""The one address at which the workers reach this machine, so that nothing listens on any other."""

import os
import socket
from pathlib import Path

from skiva_slurm.errors import SlurmUnanswered

__all__ = ["address_towards", "own_address"]

_PATIENCE = 30.0


def address_towards(host: str) -> str:
    """The address of this machine from which packets go to `host`; nothing is sent.

    Raises:
        OSError: there is no way to it, or its name is not known here.
    """
    family, kind, protocol, _, where = socket.getaddrinfo(host, 9, type=socket.SOCK_DGRAM)[0]
    with socket.socket(family, kind, protocol) as probe:
        probe.connect(where)
        return str(probe.getsockname()[0])


async def own_address(bin_: str, conf: str | None, partition: str) -> str:
    """This machine's address on the network of a partition's nodes.

    Raises:
        SlurmUnanswered: Slurm did not tell the nodes' addresses.
        Refused: the commands here cannot talk to it.
    """
    from skiva.runs.environment import for_slurm  # worker jobs use the other one, and start the sooner
    from skiva_slurm.refusal import check_versions
    from skiva_slurm.runner import run

    env = for_slurm(os.environ, conf)
    argv = [str(Path(bin_) / "sinfo"), "--noheader", f"--partition={partition}", "--format=%o"]
    told = await run(argv, env=env, timeout=_PATIENCE)
    check_versions(told.stderr)
    for node in told.stdout.split():
        try:
            return address_towards(node)
        except OSError:
            continue
    raise SlurmUnanswered(f"Slurm does not tell how the nodes of partition {partition} are reached")
