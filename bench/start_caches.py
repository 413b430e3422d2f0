"""Makes the next start a cold one: what an earlier one read is no longer in memory."""

import os
from collections.abc import Iterable
from pathlib import Path

_KERNEL = Path("/proc/sys/vm/drop_caches")


def drop(paths: Iterable[Path]) -> str:
    """Forget what was read, the whole machine's where that is allowed, else that of `paths`; in words, which.

    Where only `paths` are forgotten, what another program has mapped stays, and so do the names of files.
    """
    os.sync()
    try:
        _KERNEL.write_text("3")
    except OSError:
        for path in paths:
            _forget(path)
        return "posix_fadvise(DONTNEED) on every file of the environment and of its Python"
    return "the machine's page cache and names of files dropped (drop_caches = 3)"


def _forget(path: Path) -> None:
    if path.is_file():
        _forget_file(path)
        return
    for folder, _, names in os.walk(path):
        for name in names:
            _forget_file(Path(folder, name))


def _forget_file(path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return
    try:
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
    except OSError:
        pass  # not a regular file
    finally:
        os.close(descriptor)
