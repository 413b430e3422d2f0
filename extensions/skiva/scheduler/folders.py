"""A notebook's folder that goes along with it: no larger than it may be, and never the home."""

import os
from pathlib import Path

from skiva.runs.wish import BadWish

__all__ = ["checked_folder"]

_MOST_FILES = 10_000
_MOST_BYTES = 1024**3


def checked_folder(folder: Path, runs: Path) -> Path:
    """The folder, if a copy of it can go along. Raises BadWish."""
    place = folder.resolve()
    for kept in (Path.home().resolve(), runs.resolve()):
        if kept.is_relative_to(place) or place.is_relative_to(runs.resolve()):
            raise BadWish(
                f"package_input_folder: {folder} holds more than this notebook's files; "
                "put the notebook into a folder of its own"
            )
    files, size = 0, 0
    for at, _, names in os.walk(place):
        files += len(names)
        size += sum((Path(at) / name).lstat().st_size for name in names)
        if files > _MOST_FILES or size > _MOST_BYTES:
            raise BadWish(
                f"package_input_folder: {folder} has more than {_MOST_FILES} files or 1 GiB; "
                "keep data elsewhere and read them from there"
            )
    return place
