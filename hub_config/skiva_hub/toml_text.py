"""TOML text of plain tables: what `tomllib` reads back as it was."""

import json
import re
from collections.abc import Mapping
from typing import Any


def table(header: str, values: Mapping[str, Any]) -> str:
    """One table with its header line; numbers, flags, texts and lists of them."""
    return "".join([f"{header}\n", *(f"{name} = {value(v)}\n" for name, v in values.items())])


def value(given: Any) -> str:
    """One value as TOML writes it."""
    if isinstance(given, (list, tuple)):
        return "[" + ", ".join(value(v) for v in given) + "]"
    if isinstance(given, Mapping):
        return "{ " + ", ".join(f"{_key(str(name))} = {value(v)}" for name, v in given.items()) + " }"
    if isinstance(given, str):
        # JSON leaves DEL as it is, which TOML does not take.
        return json.dumps(given, ensure_ascii=False).replace("\x7f", "\\u007F")
    return json.dumps(given)


def _key(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z0-9_-]+", name) else value(name)
