"""Where a worker job keeps what its workers spill, on its own node."""

import fcntl
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread

__all__ = ["scratch_dir"]

_PREFIX = "skiva-dask-"
_LOCK = "lock"
_YOUNG = 60.0
"""Seconds for which a directory may be without its lock because it is only being made."""


@contextmanager
def scratch_dir() -> Iterator[str]:
    """A new directory, which is removed at the end, and after a kill by the next job of its owner's there."""
    made = tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True)
    with made as path, (Path(path) / _LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # There may be much of it, and the workers need not wait for that.
        Thread(target=_clear, args=(Path(path).parent,), daemon=True).start()
        yield path


def _clear(root: Path) -> None:
    """Remove what jobs left behind that were killed."""
    for path in root.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            if _is_old_and_ours(path):
                with (path / _LOCK).open("r+") as lock:
                    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    shutil.rmtree(path, ignore_errors=True)


def _is_old_and_ours(path: Path) -> bool:
    state = path.lstat()
    old = time.time() - state.st_mtime > _YOUNG
    return old and stat.S_ISDIR(state.st_mode) and state.st_uid == os.getuid()
