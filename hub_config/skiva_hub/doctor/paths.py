"""Who can change what a path leads to, and who can run it."""

import os
import stat
import time
from collections.abc import Collection, Iterator
from pathlib import Path


def steps(path: Path) -> Iterator[Path]:
    """Every directory, link and file on the way to what a path leads to, links followed.

    Raises:
        OSError: something on the way is not there, or links go in circles.
    """
    pending = [*reversed(path.parts)]
    here = Path(pending.pop())
    yield here
    links = 0
    while pending:
        part = pending.pop()
        here = here.parent if part == ".." else here / part
        yield here
        if stat.S_ISLNK(os.lstat(here).st_mode):
            links += 1
            if links > 40:
                raise OSError(f"{path}: too many links")
            target = here.readlink()
            pending.extend(reversed(target.parts))
            here = Path(pending.pop()) if target.is_absolute() else here.parent


def weaknesses(path: Path, owners: Collection[int], *, for_all: bool, runs: bool = True) -> Iterator[str]:
    """How somebody else than `owners` can change what a path leads to, or others cannot use it.

    Args:
        for_all: whether every account must be able to use it.
        runs: whether it is a program; a file that is only read need not be one.

    Raises:
        OSError: it is not there.
    """
    for step in dict.fromkeys(steps(path)):
        info = os.lstat(step)
        if stat.S_ISLNK(info.st_mode):
            continue
        if info.st_uid not in owners:
            yield f"{step} belongs to {_account(info.st_uid)}"
        if _others_may_write(info):
            yield f"{step} can be changed by {'everybody' if info.st_mode & stat.S_IWOTH else 'its group'}"
        needed = stat.S_IXOTH if runs or stat.S_ISDIR(info.st_mode) else stat.S_IROTH
        if for_all and not info.st_mode & needed:
            yield f"{step} is closed to other accounts"


def changeable(tree: Path, owners: Collection[int], seconds: float = 5.0) -> Iterator[str]:
    """What below a directory somebody else than `owners` can change, as far as is seen in so many seconds."""
    deadline = time.monotonic() + seconds
    for folder, names, files in os.walk(tree):
        for name in (*names, *files):
            path = Path(folder, name)
            info = os.lstat(path)
            if stat.S_ISLNK(info.st_mode):
                continue
            if info.st_uid not in owners:
                yield f"{path} belongs to {_account(info.st_uid)}"
            elif _others_may_write(info):
                yield f"{path} can be changed by others"
        if time.monotonic() > deadline:
            return


def _others_may_write(info: os.stat_result) -> bool:
    # In a directory with the sticky bit only its owner can replace what is in it.
    writable = info.st_mode & (stat.S_IWOTH | (stat.S_IWGRP if info.st_gid else 0))
    return bool(writable) and not (stat.S_ISDIR(info.st_mode) and info.st_mode & stat.S_ISVTX)


def _account(uid: int) -> str:
    import pwd

    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"account {uid}"
