"""What of this machine's Slurm a session inside an image needs, so that people hand jobs to it from there."""

import os
import re
from pathlib import Path

__all__ = ["found"]

_PROGRAMS = ("sbatch", "squeue", "scancel", "scontrol", "sinfo")
_PLUGINS = ("usr/lib/*/slurm-wlm", "usr/lib/*/slurm", "usr/lib64/slurm")
_LIBRARIES = ("usr/lib/*/libmunge.so.2", "usr/lib64/libmunge.so.2")
_LIBC_OF_IMAGES = (2, 36)
"""Of the Debian 12 that images stand on: a program that was made for a newer one does not run there."""


def found(root: Path = Path("/"), libc: str | None = None) -> tuple[Path, ...]:
    """The programs, Slurm's library and plugins, and libmunge; none where they would not run in an image.

    Images have Debian 12's own client, which then has to do. `libc` is what the system calls its C library.
    """
    version = re.fullmatch(r"glibc (\d+)\.(\d+).*", libc or os.confstr("CS_GNU_LIBC_VERSION") or "")
    if version is None or (int(version[1]), int(version[2])) > _LIBC_OF_IMAGES:
        return ()
    programs = [path for name in _PROGRAMS if (path := root / "usr/bin" / name).exists()]
    parts = [path for pattern in (*_PLUGINS, *_LIBRARIES) for path in sorted(root.glob(pattern))]
    return (*programs, *parts)
