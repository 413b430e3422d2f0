"""The answers about runs that only read. Everything here is files, and belongs into a thread."""

import json
import os
import time
from pathlib import Path
from typing import Any

from skiva.runs.files import read_json, read_tail
from skiva.runs.look import look_closely, read_spec
from skiva.runs.paths import RunDir
from skiva.runs.queue import Reading

from .index import Index
from .places import opened
from .rows import Row, task_row

__all__ = ["detail", "listed", "log", "tasks"]

_TAIL = 64 * 1024
_PIECE = 256 * 1024
_LONGEST_ERROR = 100_000
_LONGEST_SPEC = 2_000_000
_MOST_OUTPUTS = 200
_INNER = frozenset(
    {"spec.json", "env.json", "call.pkl", "items.pkl", "input.ipynb", "variables.pkl", "submission.json"}
    | {"refused.json", "cancel.json", "log", "state.jsonl", "progress.json", "error.json", "outcome.json"}
    | {"seen.json", "tasks", "summary.json"}
)
"""What a run's directory holds besides what came out of it."""


def listed(
    index: Index, reading: Reading | None, since: int | None, limit: int, before: str | None
) -> dict[str, Any]:
    """A page of runs, or what has changed. Raises OSError."""
    return {**index.answer(reading, since, limit, before), "trouble": reading.trouble if reading else ""}


def detail(index: Index, reading: Reading | None, run: str, task: int | None) -> Row:
    """One run and the end of its log. Raises LookupError or OSError."""
    found = index.one(run, reading)
    with opened(index.root, run) as place:
        text, _, size = read_tail(_log(place, task), _TAIL)
        return {
            **found,
            "log_size": size,
            "tail": text,
            "error": _error(place if task is None else place.task(task)),
            "outputs": _outputs(place),
            "spec": _spec(place),
        }


def log(index: Index, run: str, offset: int | None, task: int | None) -> dict[str, Any]:
    """The next piece of a log; without an offset the last. Raises LookupError or OSError."""
    with opened(index.root, run) as place:
        text, following, size = read_tail(_log(place, task), _PIECE, offset)
    return {"text": text, "next": following, "size": size}


def tasks(index: Index, reading: Reading | None, run: str) -> list[Row]:
    """Each task of a map. Raises LookupError or OSError."""
    index.one(run, reading)
    with opened(index.root, run) as place:
        try:
            spec = read_spec(place)
            _, found = look_closely(place, spec, reading, time.time(), index.tasks(run))
        except (ValueError, TypeError, KeyError):
            return []
    return [task_row(number, status) for number, status in sorted(found.items())]


def _log(place: RunDir, task: int | None) -> Path:
    if task is not None and (place.path / "tasks").is_symlink():
        raise LookupError("The tasks of this run are not where they belong.")
    return place.log(task)


def _error(place: RunDir) -> dict[str, str] | None:
    found = read_json(place.error)
    if found is None:
        return None
    return {name: str(found.get(name, ""))[-_LONGEST_ERROR:] for name in ("type", "message", "traceback")}


def _outputs(place: RunDir) -> list[str]:
    with os.scandir(place.path) as entries:
        names = [one.name for one in entries if not one.is_symlink() and one.name not in _INNER]
    return sorted(name for name in names if not name.startswith("."))[:_MOST_OUTPUTS]


def _spec(place: RunDir) -> dict[str, Any]:
    """What it is made of; JSON that every reader understands, which infinity is not."""
    found = read_json(place.spec) or {}
    text = json.dumps(found)
    return dict(json.loads(text, parse_constant=lambda _: None)) if len(text) < _LONGEST_SPEC else {}
