"""Runs as the front end is told of them. Pure; whatever the files hold, a row has the types that it must."""

import math
from collections.abc import Mapping
from typing import Any

from skiva.runs.spec import Spec
from skiva.runs.status import Status

__all__ = ["Row", "at", "row", "task_row", "told_alike", "unreadable"]

Row = dict[str, Any]
_LONGEST = 2000
"""Letters of one text in a row."""


def row(spec: Spec, status: Status, *, directory: str | None, result: str | None) -> Row:
    """One run."""
    return {
        "id": _text(spec.id),
        "name": _text(spec.name, 200),
        "kind": spec.kind,
        "slice": _text(spec.slice, 200),
        "slice_title": _text(spec.slice_title, 200) or _text(spec.slice, 200),
        "simulated": spec.simulated is True,
        "hours": _number(spec.hours),
        "created": _number(spec.created),
        "notebook": _text(spec.source.get("notebook")) or None,
        "cell_id": _text(spec.source.get("cell_id"), 200) or None,
        **_how(status),
        "job_id": _whole(status.job_id),
        "node": _text(status.node, 200),
        "submitted": _number(status.submitted),
        "expected": _number(status.expected),
        "restarts": _whole(status.restarts) or 0,
        "tasks": dict(status.tasks) if status.tasks is not None else None,
        "trouble": _text(status.trouble),
        "dir": directory,
        "result": result,
        "again_of": _text(spec.again_of, 40) or None,
    }


def _how(status: Status) -> Row:
    return {
        "state": status.state,
        "life": status.life,
        "sentence": _text(status.sentence),
        "action": _text(status.action),
        "started": _number(status.started),
        "ended": _number(status.ended),
        "seconds_left": _number(status.seconds_left),
        "progress": _progress(status.progress),
    }


def task_row(number: int, status: Status) -> Row:
    """One task of a map."""
    return {"task": number, **_how(status)}


def unreadable(run: str, made: float, *, directory: str | None, why: str) -> Row:
    """A run of which nothing can be told but that it is there."""
    texts = dict.fromkeys(("slice", "slice_title", "action", "node", "trouble"), "")
    nothing = dict.fromkeys(
        ("hours", "notebook", "cell_id", "job_id", "submitted", "expected", "started", "ended")
    )
    more = dict.fromkeys(("seconds_left", "progress", "tasks", "result", "again_of"))
    return {
        **texts,
        **nothing,
        **more,
        "id": run,
        "name": run,
        "kind": "unknown",
        "simulated": False,
        "created": made,
        "state": "unknown",
        "life": "ended",
        "sentence": f"What is written about this run cannot be read: {_text(why, 300)}",
        "restarts": 0,
        "dir": directory,
    }


def told_alike(old: Row | None, new: Row) -> bool:
    """Whether the two tell the same: the time that is left runs down by itself."""
    return old is not None and {**old, "seconds_left": None} == {**new, "seconds_left": None}


def at(told: Row, looked: float, now: float) -> Row:
    """A row that was made at the time `looked`, as it is `now`."""
    left = told["seconds_left"]
    return told if left is None else {**told, "seconds_left": max(0.0, round(left - (now - looked), 1))}


def _text(value: object, most: int = _LONGEST) -> str:
    return value[:most] if isinstance(value, str) else ""


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    try:
        found = float(value)
    except OverflowError:
        return None
    return found if math.isfinite(found) else None


def _whole(value: object) -> int | None:
    found = _number(value)
    return None if found is None or abs(found) > 2**53 else int(found)


def _progress(told: Mapping[str, Any] | None) -> Row | None:
    if not told:
        return None
    return {
        "done": _number(told.get("done")),
        "total": _number(told.get("total")),
        "text": _text(told.get("text"), 300),
        "unit": _text(told.get("unit"), 40),
    }
