"""Starts a node of simulated devices in a view of the files where it sees its own devices only.

Run as root in a new mount namespace: `python node.py EMPTY [HIDDEN …] -- COMMAND …`. Slurm fences the
devices that a job's own node has; the devices of the other nodes, which on a real cluster are in other
machines, are hidden.
"""

import os
import subprocess
import sys


def main(arguments: list[str]) -> None:
    """Hide directories behind an empty one and become the command."""
    split = arguments.index("--")
    empty, *hidden = arguments[:split]
    for directory in hidden:
        subprocess.run(["/usr/bin/mount", "--bind", empty, directory], check=True)
    command = arguments[split + 1 :]
    os.execv(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
