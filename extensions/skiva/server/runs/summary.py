"""How a map ended, in one file: written by whoever sees first that all of its tasks have."""

from contextlib import suppress
from dataclasses import asdict
from typing import Any

from skiva.runs.files import read_json, write_json
from skiva.runs.paths import RunDir
from skiva.runs.status import Status

__all__ = ["read_summary", "write_summary"]

FILE_NAME = "summary.json"


def read_summary(place: RunDir) -> Status | None:
    """The end of a map; None where nobody has written it down."""
    told = read_json(place.path / FILE_NAME)
    if told is None:
        return None
    try:
        found = Status(**told)
        return found if found.over and _counts(found.tasks) else None
    except TypeError:
        return None


def _counts(tasks: Any) -> bool:
    return isinstance(tasks, dict) and all(type(count) is int for count in tasks.values())


def write_summary(place: RunDir, status: Status) -> None:
    """Keep how a map ended."""
    told = {**asdict(status), "trouble": ""}
    with suppress(OSError, ValueError):  # a full disk keeps nobody from reading
        write_json(place.path / FILE_NAME, told, sync=False)
