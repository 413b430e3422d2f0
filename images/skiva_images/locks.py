"""Locks as text: what is in them, and what is left without some packages."""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path

from skiva_images.digest import canonical

__all__ = ["blocks", "only", "pinned", "sha256_of", "with_hashes", "without"]

_NAME = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)")


def blocks(lock: str) -> Iterator[tuple[str, str]]:
    """Name and text of each requirement of a lock, its hashes and comments included."""
    name, lines = "", list[str]()
    for line in lock.splitlines(keepends=True):
        if found := _NAME.match(line):
            if name:
                yield name, "".join(lines)
            name, lines = canonical(found[1]), [line]
        elif name:
            lines.append(line)
    if name:
        yield name, "".join(lines)


def without(lock: str, patterns: Iterable[str]) -> str:
    """The lock less every package whose name fits one of these patterns."""
    unwanted = list(patterns)
    return "".join(
        text for name, text in blocks(lock) if not any(fnmatchcase(name, pattern) for pattern in unwanted)
    )


def only(lock: str, names: Iterable[str]) -> str:
    """The lock's text of these packages alone."""
    wanted = {canonical(name) for name in names}
    return "".join(text for name, text in blocks(lock) if name in wanted)


def pinned(text: str) -> list[str]:
    """What is left of a lock without hashes and comments: `torch==2.13.0+cpu`, one a requirement."""
    return [block.split("\n", 1)[0].rstrip(" \\") for _, block in blocks(text)]


def with_hashes(requirement: str, hashes: Mapping[str, str]) -> str:
    """The text of one requirement in a lock, from its archives' hashes by file name."""
    lines = [requirement, *(f"    --hash=sha256:{value}" for value in sorted(set(hashes.values())))]
    return " \\\n".join(lines) + "\n"


def sha256_of(file: Path) -> str:
    """The hash of a file, in hexadecimal digits."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
