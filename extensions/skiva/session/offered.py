"""Leaves what the site offers for runs where notebooks and terminals find it."""

import json
import os
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

__all__ = ["FILE_NAME", "HOME_PLACE", "write_offer"]

FILE_NAME = "offer.json"
"""Its name in the run directory and in `HOME_PLACE`; it holds no secrets."""
HOME_PLACE = Path(".local/state/skiva")
"""Where, below the home, terminals outside any session find what the last session was offered."""


def write_offer(offer: Mapping[str, Any], run_dir: Path, home: Path, digest: str) -> None:
    """Write `offer`, with the digest of the environment that this is, for this session and for the home.

    A session starts all the same where it cannot be written; then its log says why.
    """
    if not offer:
        return
    told = {**offer, "environment": {**offer.get("environment", {}), "digest": digest}}
    text = json.dumps(told, indent=1)
    for directory in (run_dir, home / HOME_PLACE):
        try:
            _replace(directory, text)
        except OSError as problem:
            print(f"skiva: {directory}/{FILE_NAME} was not written: {problem.strerror}", file=sys.stderr)


def _replace(directory: Path, text: str) -> None:
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    place = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        state = os.fstat(place)
        if state.st_uid != os.getuid() or state.st_mode & 0o022:
            raise PermissionError(1, "the directory is not yours alone to write to")
        draft = f".{FILE_NAME}.{os.getpid()}"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            with os.fdopen(os.open(draft, flags, 0o600, dir_fd=place), "w") as file:
                file.write(text)
            os.replace(draft, FILE_NAME, src_dir_fd=place, dst_dir_fd=place)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(draft, dir_fd=place)
    finally:
        os.close(place)
