"""Notebooks that wait for the kernel which sends their rest off: written by the server."""

import json
import re
import secrets
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from skiva.runs.files import read_json, write_whole
from skiva.runs.wish import BadWish

__all__ = ["Draft", "read_draft", "write_draft"]

Draft = Mapping[str, Any]
"""`path` (of the notebook, for people) and `content` (as Jupyter has it)."""

_ID = re.compile(r"[0-9a-f]{24}")
_KEPT = 24 * 3600.0
"""Seconds after which a draft is thrown away."""


def write_draft(root: Path, path: str, content: Mapping[str, Any]) -> str:
    """Keep a notebook in the directory of runs; its name. Raises OSError."""
    place = root / ".drafts"
    place.mkdir(mode=0o700, parents=True, exist_ok=True)
    for old in place.glob("*.json"):
        with suppress(OSError):
            if time.time() - old.stat().st_mtime > _KEPT:
                old.unlink()
    name = secrets.token_hex(12)
    write_whole(place / f"{name}.json", json.dumps({"path": path, "content": content}).encode(), sync=False)
    return name


def read_draft(root: Path, name: object) -> Draft:
    """A notebook that was kept. Raises BadWish where there is none of that name."""
    if isinstance(name, str) and _ID.fullmatch(name):
        found = read_json(root / ".drafts" / f"{name}.json")
        if found is not None:
            return found
    raise BadWish("draft: there is no such notebook any more; choose the command in the notebook again")
