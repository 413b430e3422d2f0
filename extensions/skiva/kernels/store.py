"""A person's directory of kernels: who may put something into it, and how."""

import grp
import json
import os
import pwd
import shutil
import stat
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Entry", "directory_of", "entries", "others_may_write", "remove", "write"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One directory in a person's directory of kernels.

    Attributes:
        name: as Jupyter knows it, in small letters.
        path: the directory.
        spec: the content of its `kernel.json`; None where it cannot be read.
        ignored: why it is not taken for a kernel of the person's; empty where it is.
    """

    name: str
    path: Path
    spec: Mapping[str, Any] | None
    ignored: str = ""


def directory_of(environ: Mapping[str, str], home: Path) -> Path:
    """Where the person's kernels are. The server says so to the terminals that it starts."""
    if told := environ.get("SKIVA_KERNELS_DIR"):
        return Path(told)
    if data := environ.get("JUPYTER_DATA_DIR"):
        return Path(data) / "kernels"
    data_home = environ.get("XDG_DATA_HOME")
    return (Path(data_home) if data_home else home / ".local" / "share") / "jupyter" / "kernels"


def others_may_write(path: Path) -> str:
    """Why somebody else could put something here: a sentence, or nothing.

    Raises:
        OSError: it is not there.
    """
    state = path.stat()
    if state.st_uid not in {os.getuid(), 0}:
        return f"{path} belongs to another account."
    if state.st_mode & stat.S_IWOTH:
        return f"{path} can be written by everybody; to use it: chmod o-w {path}"
    if state.st_mode & stat.S_IWGRP and state.st_gid != 0 and not _is_private(state.st_gid):
        return f"{path} can be written by a group; to use it: chmod g-w {path}"
    return ""


def _is_private(gid: int) -> bool:
    """Whether this is the group that many systems make for each account alone."""
    try:
        account, group = pwd.getpwuid(os.getuid()), grp.getgrgid(gid)
    except KeyError:
        return False
    return gid == account.pw_gid and group.gr_name == account.pw_name and not group.gr_mem


def entries(directory: Path) -> Iterator[Entry]:
    """What is in the directory, in the alphabet's order; nothing where there is none."""
    try:
        names = sorted(path.name for path in directory.iterdir())
        closed = others_may_write(directory)
    except OSError:
        return
    for name in names:
        path = directory / name
        if name.startswith(".") or not (path / "kernel.json").is_file():
            continue
        yield Entry(name.lower(), path, read(path), closed or _why_ignored(path))


def _why_ignored(path: Path) -> str:
    try:
        return others_may_write(path) or others_may_write(path / "kernel.json")
    except OSError as problem:
        return f"{path} cannot be read: {problem.strerror}."


def read(path: Path) -> Mapping[str, Any] | None:
    """The `kernel.json` in a kernel's directory; None where there is no such thing."""
    try:
        spec = json.loads((path / "kernel.json").read_text())
    except (OSError, ValueError):
        return None
    return spec if isinstance(spec, dict) else None


def write(directory: Path, name: str, spec: Mapping[str, Any]) -> Path:
    """Put a kernel there, whole or not at all; the one of that name that was there is replaced."""
    directory.mkdir(parents=True, exist_ok=True)
    target = directory / name
    new = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=directory))
    try:
        (new / "kernel.json").write_text(json.dumps(spec, indent=1) + "\n")
        new.chmod(0o755)
        if target.exists():
            if not (target / "kernel.json").is_file():
                raise FileExistsError(17, "is there and is no kernel", str(target))
            # What a person put beside it, such as a logo, stays.
            (new / "kernel.json").replace(target / "kernel.json")
            os.utime(directory)
        else:
            new.rename(target)
    finally:
        shutil.rmtree(new, ignore_errors=True)
    return target


def remove(entry: Entry) -> None:
    """Take a kernel away; its environment stays as it is."""
    if entry.path.is_symlink():
        entry.path.unlink()
    else:
        shutil.rmtree(entry.path)
