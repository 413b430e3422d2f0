"""Starts a part of Slurm in a view of the machine in which its host is on loopback alone.

Slurm's programs listen on the address that the host's own name has. Where that is an outer address, others
could reach them; where it is 127.0.1.1, as the installer of Debian writes it, or nothing at all, nobody
could. So they run where the host has another name; Slurm has no setting for the address itself
(`CommunicationParameters` in https://slurm.schedmd.com/slurm.conf.html).

A node of simulated devices, besides, sees its own devices only: Slurm fences the devices that a job's own
node has, and those of the other nodes would on a real cluster be in other machines.

Run in a new namespace of host names and, where directories are hidden, in one of mounts:
`python view.py HOST EMPTY [HIDDEN …] -- COMMAND …`; without HOST (empty) the name stays.
"""

import ctypes
import os
import socket
import subprocess
import sys

from skiva_hub.embedded.errors import CannotStart

_LOOPBACK = "127.0.0.1"


def host_name(*, root: bool) -> str:
    """The name that the host needs for Slurm's programs to be on loopback alone; empty where its own does.

    Raises:
        CannotStart: it needs one, and this account may not give it one.
    """
    own = socket.gethostname()
    if _is_local(own):
        return ""
    wanted = "localhost" if _is_local("localhost") else _LOOPBACK
    trial = [*unshare(root=root), "--", sys.executable, "-I", __file__, wanted, "", "--", "/usr/bin/true"]
    if subprocess.run(trial, capture_output=True, check=False).returncode:
        raise CannotStart(
            f"This machine's name, {own}, does not stand for 127.0.0.1, so Slurm cannot listen there alone; "
            f"nor may this account give it another name. Add the line '127.0.0.1 {own}' to /etc/hosts, "
            "before any other line with that name."
        )
    return wanted


def unshare(*, root: bool) -> tuple[str, ...]:
    """The command that enters a new namespace of host names, up to its `--`."""
    user = () if root else ("--user", "--map-current-user", "--keep-caps")
    return ("/usr/bin/unshare", *user, "--uts")


def _is_local(name: str) -> bool:
    try:
        found = socket.getaddrinfo(name, None, socket.AF_INET)
    except OSError:
        return False
    return {entry[4][0] for entry in found} == {_LOOPBACK}


def main(arguments: list[str]) -> None:
    """Take the name, hide directories behind an empty one, and become the command."""
    split = arguments.index("--")
    host, empty, *hidden = arguments[:split]
    if host:
        socket.sethostname(host)
    for directory in hidden:
        subprocess.run(["/usr/bin/mount", "--bind", empty, directory], check=True)
    # What an ordinary user was lent for this must not come to the jobs; root has it anyway.
    pr_cap_ambient, clear_all = 47, 4
    ctypes.CDLL(None).prctl(pr_cap_ambient, clear_all, 0, 0, 0)
    command = arguments[split + 1 :]
    os.execv(command[0], command)


if __name__ == "__main__":
    main(sys.argv[1:])
