"""Looks at the machine and decides what an embedded cluster consists of, before anything is changed."""

import os
import pwd
import re
import socket
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from skiva_hub.embedded import accounts, cgroups, client, hardware, plan, ports, view
from skiva_hub.embedded.accounts import Accounts
from skiva_hub.embedded.errors import CannotStart
from skiva_hub.embedded.layout import Layout, Owners

_PROGRAMS = {
    "/usr/sbin/slurmctld": "slurm-wlm",
    "/usr/sbin/slurmd": "slurm-wlm",
    "/usr/sbin/munged": "munge",
    "/usr/bin/unshare": "util-linux",
}
_ROOT_PROGRAMS = {"/usr/bin/sudo": "sudo", "/usr/sbin/visudo": "sudo"}
_LONGEST_SOCKET = 100
_OLDEST_SLURM = (22, 5)


@dataclass(frozen=True, slots=True)
class Assembly:
    """A cluster, the ports of the programs around it and the accounts that use it."""

    layout: Layout
    ports: Mapping[str, int]
    accounts: Accounts | None
    """Of the people whom root serves."""
    held: Mapping[str, socket.socket]
    """What reserves each port."""


def assemble(directory: Path, public_port: int | None) -> Assembly:
    """Decide on everything, for the account that runs this.

    Raises:
        CannotStart: something is in the way.
    """
    root = os.geteuid() == 0
    _check_directory(directory, root=root)
    _check_programs(root=root)
    host_name = view.host_name(root=root)
    try:
        machine = hardware.inspect()
    except ValueError as problem:
        raise CannotStart(str(problem)) from problem
    labels = ["gpu"] if machine.gpus else [node[0] for node in plan.SIMULATED_NODES]
    chosen = ports.choose(
        directory, ("hub", "proxy_api", "stream", "controller", *(f"node-{n}" for n in labels)), public_port
    )
    numbers = chosen.numbers
    slurm_ports = [numbers["controller"], *(numbers[f"node-{n}"] for n in labels)]
    people = accounts.claim(directory) if root else None
    owners, fenced = _owners(people), root and cgroups.can_fence() and _devices_work(directory)
    if machine.gpus:
        layout = plan.real(
            directory, owners, machine, ports=slurm_ports, hub_port=numbers["public"], fenced=fenced
        )
    else:
        layout = plan.simulated(
            directory, owners, ports=slurm_ports, hub_port=numbers["public"], fenced=fenced
        )
    version = slurm_version(_printed_version())
    found = replace(layout, slurm_version=version, host_name=host_name)
    return Assembly(client.chosen(found), numbers, people, chosen.held)


def slurm_version(printed: str) -> tuple[int, int]:
    """Major and minor of what `slurmctld -V` prints.

    Raises:
        CannotStart: it is no version, or one that is too old.
    """
    found = re.search(r"(\d+)\.(\d+)\.", printed)
    version = (int(found[1]), int(found[2])) if found else (0, 0)
    if version < _OLDEST_SLURM:
        raise CannotStart(f"Slurm 22.05 or later is needed; slurmctld says {printed.strip()!r}.")
    return version


def _printed_version() -> str:
    command = ["/usr/sbin/slurmctld", "-V"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def check_reach(layout: Layout, account: str) -> None:
    """See that an account can run what is installed.

    Raises:
        CannotStart: a directory on the way is closed to it.
    """
    base = layout.dir / "venv" / "base" / "bin" / "python"
    for path in (Path(sys.executable), base):
        if not path.exists():
            raise CannotStart(f"{path} is missing; './skiva up' installs it.")
        if layout.owners.root and not _reaches(path, account):
            raise CannotStart(
                f"The account {account} cannot run {path}: a directory above it is closed to others; "
                "choose another directory with --dir."
            )


def _reaches(path: Path, account: str) -> bool:
    entry = pwd.getpwnam(account)
    command = ["/usr/bin/test", "-x", str(path)]
    return not subprocess.run(
        command, user=entry.pw_uid, group=entry.pw_gid, extra_groups=[], check=False
    ).returncode


def _owners(people: Accounts | None) -> Owners:
    if people:
        return Owners("slurm", "root", "munge", people.hub, people.group)
    me = pwd.getpwuid(os.geteuid()).pw_name
    return Owners(me, me, me, me)


def _check_directory(directory: Path, *, root: bool) -> None:
    if not re.fullmatch(r"[A-Za-z0-9/._+-]+", str(directory)):
        raise CannotStart(f"--dir: the path may have letters, digits and ._+- only, not {str(directory)!r}.")
    if len(str(directory / "munge" / "socket")) > _LONGEST_SOCKET:
        raise CannotStart(f"--dir: {directory} is too long for the sockets in it; choose a shorter path.")
    for path in (directory, *directory.parents):
        if not _is_safe(path.stat(), root=root):
            raise CannotStart(
                f"--dir: {path} belongs to somebody else or others may write to it, so they could replace "
                "what runs here; choose another directory."
            )
    if root and not _reaches_directory(directory):
        raise CannotStart(
            f"--dir: other accounts cannot enter {directory}, so no job could run; choose another one."
        )


def _is_safe(found: os.stat_result, *, root: bool) -> bool:
    """Whether nobody but root, or the one person without root, can put something else in its place."""
    if root and found.st_uid != 0:
        return False
    sticky, mine = found.st_mode & 0o1000, not root and found.st_gid == os.getegid()
    return bool(sticky) or not found.st_mode & (0o002 if mine else 0o022)


def _reaches_directory(directory: Path) -> bool:
    command = ["/usr/bin/test", "-x", str(directory)]
    return not subprocess.run(command, user=65534, group=65534, extra_groups=[], check=False).returncode


def _check_programs(*, root: bool) -> None:
    wanted = _PROGRAMS | (_ROOT_PROGRAMS if root else {})
    missing = sorted({package for path, package in wanted.items() if not Path(path).exists()})
    if missing:
        raise CannotStart(f"Install {' and '.join(missing)} first (apt-get install {' '.join(missing)}).")


def _devices_work(directory: Path) -> bool:
    """Whether device files on this file system are devices, and this root may hide some from a node."""
    if os.statvfs(directory).f_flag & os.ST_NODEV:
        raise CannotStart(
            f"--dir: {directory} is on a file system without devices (nodev); choose another directory."
        )
    command = ["/usr/bin/unshare", "--mount", "--propagation", "slave", "--", "/usr/bin/true"]
    return not subprocess.run(command, capture_output=True, check=False).returncode
