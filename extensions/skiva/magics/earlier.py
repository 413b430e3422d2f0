"""The run that a cell was sent off as before."""

import hashlib
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from skiva.magics.options import CellOptions
from skiva.runs.listing import newest
from skiva.runs.look import read_spec
from skiva.runs.run import Run
from skiva.runs.submit import submitted

__all__ = ["free_key", "key", "of_this_cell", "with_key"]

_LOOKED_AT = 500
"""Runs among which a cell's are looked for."""
_GAP = 3
"""Numbers in a row that may be missing, since runs can be deleted."""


def key(
    source: Mapping[str, Any],
    options: CellOptions,
    digests: Mapping[str, str | None],
    sources: Mapping[str, str],
) -> str:
    """The same for the same cell with the same variables; never the same where that cannot be told."""
    known = {name: found or secrets.token_hex(16) for name, found in digests.items()}
    given = {name: os.environ.get(name, "") for name in options.env}
    text = json.dumps([dict(source), known, dict(sources), given], sort_keys=True)
    return f"cell:{hashlib.blake2b(text.encode(), digest_size=20).hexdigest()}"


def _attempts(base: str) -> Iterator[tuple[int, Run]]:
    number, missing = 0, 0
    while missing < _GAP:
        found = submitted(f"{base}:{number}")
        if found is None:
            missing += 1
        else:
            missing = 0
            yield number, Run(found)
        number += 1


def free_key(base: str) -> str:
    """The key of the next submission of the same cell."""
    return f"{base}:{max((number for number, _ in _attempts(base)), default=-1) + 1}"


def with_key(base: str) -> Run | None:
    """The newest run of this cell, if it is live or has completed. Raises NoOffer."""
    found = None
    for _, run in _attempts(base):
        found = run
    return found if found is not None and _is_good(found) else None


def of_this_cell(root: Path, source: Mapping[str, Any]) -> Run | None:
    """The same where the variables that it had cannot be compared."""
    if not source.get("cell_id"):
        return None
    for number, directory in enumerate(newest(root)):
        if number >= _LOOKED_AT:
            break
        try:
            spec = read_spec(directory)
        except (LookupError, ValueError):
            continue
        if spec.kind == "cell" and dict(spec.source) == dict(source):
            run = Run(directory, spec)
            return run if _is_good(run) else None
    return None


def _is_good(run: Run) -> bool:
    status = run.status
    return not status.over or status.state == "completed"
