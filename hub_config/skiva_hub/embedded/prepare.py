"""Writes what the parts of an embedded cluster read: directories, device files, configuration, the key."""

import os
import secrets
import shutil
import stat
from pathlib import Path

from skiva_hub.embedded.layout import Layout
from skiva_hub.embedded.slurm_files import cgroup_conf, gres_conf, slurm_conf


def write(path: Path, text: str | bytes, *, mode: int = 0o644, owner: str | None = None) -> None:
    """Replace a file whole, so that no reader ever sees half of it; it never is wider open than `mode`."""
    data = text.encode() if isinstance(text, str) else text
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    if owner is not None:
        shutil.chown(draft, owner)
    draft.chmod(mode)
    draft.replace(path)


def directory(path: Path, *, mode: int = 0o755, owner: str | None = None) -> None:
    """Make a directory with just this mode and owner."""
    path.mkdir(exist_ok=True)
    if owner is not None:
        shutil.chown(path, owner)
    path.chmod(mode)


def slurm(layout: Layout) -> None:
    """Everything that munged, slurmctld and the slurmds read."""
    owners = layout.owners
    mine = None if not owners.root else owners.slurm
    directory(layout.log)
    directory(layout.dir / "munge", owner=owners.munge if owners.root else None)
    directory(layout.slurm)
    directory(layout.slurm / "empty")
    directory(layout.slurm / "state", mode=0o700, owner=mine)
    directory(layout.slurm / "spool")
    for node in layout.nodes:
        directory(layout.spool(node))
    key = layout.dir / "munge" / "key"
    if not key.exists():
        write(key, secrets.token_bytes(128), mode=0o400, owner=owners.munge if owners.root else None)
    write(layout.conf, slurm_conf(layout))
    write(layout.slurm / "gres.conf", gres_conf(layout))
    write(layout.slurm / "cgroup.conf", cgroup_conf(layout))
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
