"""Directories of a person's runs and clusters, opened so that nothing outside of them is ever reached."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from skiva.runs.ids import is_run_id

__all__ = ["held"]

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


@contextmanager
def held(root: Path, name: str, what: str) -> Iterator[Path]:
    """The directory of a run or a cluster, held open: whatever takes its place meanwhile, this one is read.

    Args:
        name: its id; only an id ever becomes a path.
        what: it is, such as `run`, for the sentences.

    Raises:
        LookupError: there is none, or it is a link, a file, or somebody else's.
        OSError: it cannot be opened.
    """
    if not is_run_id(name):
        raise LookupError(f"{name[:40]!r} is no {what}'s id, such as 261122-k3f9ta2x.")
    try:
        # Of what is somebody else's it is not even told that it cannot be read.
        if (root / name).lstat().st_uid != os.geteuid():
            raise LookupError(f"There is no {what} {name} of yours.")
        number = os.open(root / name, _DIRECTORY)
    except (FileNotFoundError, NotADirectoryError) as gone:
        raise LookupError(f"There is no {what} {name}.") from gone
    except OSError as problem:
        if problem.errno == errno.ELOOP:  # a link
            raise LookupError(f"There is no {what} {name}.") from problem
        raise
    try:
        if os.fstat(number).st_uid != os.geteuid():
            raise LookupError(f"There is no {what} {name} of yours.")
        yield Path(f"/proc/self/fd/{number}")
    finally:
        os.close(number)
