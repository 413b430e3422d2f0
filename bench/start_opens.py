"""Counts what a start opens on the path that all nodes share, from what strace saw of it."""

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

STRACE = ("strace", "-f", "-qq", "-y", "-e", "trace=open,openat,openat2", "-s", "0", "-o")
"""Its command line, to be followed by a file for what it sees, and the command."""

# The kernel names what was really opened behind the number, links followed.
_OPENED = re.compile(r"= \d+<(/[^>]*)>$")


def opened(lines: Iterable[str]) -> Iterator[str]:
    """The path of each file or directory that was opened, once for each time."""
    for line in lines:
        found = _OPENED.search(line.rstrip())
        if found:
            yield found[1].removesuffix("(deleted)").rstrip()


def count(trace: Path, is_shared: Callable[[str], bool]) -> int:
    """How many of the opens in a file of strace's are on the shared path."""
    with trace.open(errors="replace") as lines:
        return sum(1 for path in opened(lines) if is_shared(path))


def below(*places: Path) -> Callable[[str], bool]:
    """Whether a path is one of `places` or below one of them."""
    roots = [str(place.resolve()) for place in places]
    return lambda path: any(path == root or path.startswith(f"{root}/") for root in roots)


def inside(rootfs: Path, entered: Iterable[Path], not_of_it: Iterable[str]) -> Callable[[str], bool]:
    """Whether a path, as it was opened by a program whose root was one of `entered`, is a file of `rootfs`.

    Args:
        rootfs: the image, a directory.
        entered: directories below which the kernel names what that program opened.
        not_of_it: paths inside that are the node's own.
    """
    roots, others, direct = [*map(str, entered)], below(*map(Path, not_of_it)), below(rootfs)

    def is_shared(path: str) -> bool:
        if direct(path):
            return True
        for root in roots:
            if path.startswith(f"{root}/"):
                named = path.removeprefix(root)
                return not others(named) and (rootfs / named.lstrip("/")).exists()
        return False

    return is_shared
