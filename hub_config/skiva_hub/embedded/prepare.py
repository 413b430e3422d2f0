"""Writes what the parts of an embedded cluster read: directories, device files, configuration, the key."""

import os
import secrets
import stat
from pathlib import Path

from skiva_hub import epilog
from skiva_hub.embedded import client
from skiva_hub.embedded.environments import offered
from skiva_hub.embedded.files import directory, write
from skiva_hub.embedded.layout import Layout
from skiva_hub.embedded.site_text import site_toml
from skiva_hub.embedded.slurm_files import cgroup_conf, gres_conf, slurm_conf


def slurm(layout: Layout) -> None:
    """Everything that munged, slurmctld and the slurmds read."""
    owners = layout.owners
    slurm_user, munge_user = (owners.slurm, owners.munge) if owners.root else (None, None)
    directory(layout.log, mode=0o750)
    directory(layout.dir / "munge", owner=munge_user)
    directory(layout.slurm)
    directory(layout.slurm / "empty")
    directory(layout.slurm / "state", mode=0o700, owner=slurm_user)
    directory(layout.slurm / "spool")
    for node in layout.nodes:
        directory(layout.spool(node))
    key = layout.dir / "munge" / "key"
    if not key.exists():
        write(key, secrets.token_bytes(128), mode=0o400, owner=munge_user)
    write(layout.conf, slurm_conf(layout))
    write(layout.slurm / "gres.conf", gres_conf(layout))
    write(layout.slurm / "cgroup.conf", cgroup_conf(layout))
    write(layout.epilog, Path(epilog.__file__).read_bytes(), mode=0o755)
    if layout.bin.is_relative_to(layout.client_dir):
        client.carry(layout.client_dir)
    if layout.simulated:
        devices(layout)


def devices(layout: Layout) -> None:
    """The simulated GPUs: character devices without a driver where there is fencing, else plain files."""
    directory(layout.device_dir)
    for node, device in layout.devices():
        directory(layout.device_dir / node.label)
        path = device.files[0]
        if not layout.fenced or device.number is None:
            path.touch()
            continue
        number = os.makedev(*device.number)
        if path.exists() and not _is_device(path, number):
            path.unlink()
        if not path.exists():
            os.mknod(path, stat.S_IFCHR | 0o666, number)
        path.chmod(0o666)


def _is_device(path: Path, number: int) -> bool:
    found = path.lstat()
    return stat.S_ISCHR(found.st_mode) and found.st_rdev == number


def hub(layout: Layout) -> None:
    """What the hub reads: the site file, and in its private directory the secrets."""
    owner = layout.owners.hub if layout.owners.root else None
    write(layout.dir / "site.toml", site_toml(layout, offered(layout)))
    directory(layout.dir / "hub", mode=0o700, owner=owner)
    for name in ("password", "admin-token"):
        write(layout.dir / "hub" / name, (layout.dir / name).read_bytes(), mode=0o600, owner=owner)
