"""On which line of a TOML text a table or a key stands.

The text is cut into statements with `tomllib` itself as the judge: a statement is the fewest lines,
from the end of the one before, that parse alone. So there is no second grammar here that could disagree
with the first.
"""

import tomllib
from collections.abc import Iterator
from typing import Any

Path = tuple[str | int, ...]
"""Keys and list positions, e.g. `("slice", 1, "memory_mb")`."""


def lines(text: str) -> dict[Path, int]:
    """The line, from 1, where each table and key of a valid TOML text is first written."""
    found: dict[Path, int] = {(): 1}
    sizes: dict[Path, int] = {}
    table: Path = ()
    for line, statement in _statements(text):
        parsed = tomllib.loads(statement)
        if statement.lstrip(" \t").startswith("["):
            table = _header(parsed, statement, sizes)
            for depth in range(1, len(table) + 1):
                found.setdefault(table[:depth], line)
        else:
            for path in _paths(parsed):
                found.setdefault(table + path, line)
    return found


def line_of(path: Path, found: dict[Path, int]) -> int:
    """The line of a key, or of the table that it is missing in."""
    return next(found[path[:n]] for n in range(len(path), -1, -1) if path[:n] in found)


def unfinished(text: str) -> int:
    """The line on which the statement begins that the text ends in the middle of."""
    *_, (line, _) = _statements(text, and_rest=True)
    return line


_CLOSING = ("]", "}", '"""', "'''")


def _statements(text: str, *, and_rest: bool = False) -> Iterator[tuple[int, str]]:
    """Each statement with the line that it begins on; blank lines and comments are left out."""
    first, pending = 1, ""
    for number, line in enumerate(text.split("\n"), start=1):
        if not pending:
            first = number
            if not line.strip() or line.lstrip(" \t").startswith("#"):
                continue
        # What goes over several lines ends on one that closes something: no other line is worth a try.
        can_end = not pending or any(mark in line for mark in _CLOSING)
        pending += line + "\n"
        if can_end and _parses(pending):
            yield first, pending
            pending = ""
    if and_rest:
        yield first, pending


def _parses(text: str) -> bool:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return True


def _header(parsed: dict[str, Any], statement: str, sizes: dict[Path, int]) -> Path:
    """The path that a `[table]` or `[[table]]` line opens, list positions included."""
    keys: list[str] = []
    node: Any = parsed
    while isinstance(node, dict) and node:
        key, node = next(iter(node.items()))
        keys.append(key)
    path: Path = ()
    for key in keys[:-1]:
        path += (key,)
        if path in sizes:
            path += (sizes[path] - 1,)
    path += (keys[-1],)
    if statement.lstrip(" \t").startswith("[["):
        sizes[path] = sizes.get(path, 0) + 1
        return (*path, sizes[path] - 1)
    return path


def _paths(value: Any) -> Iterator[Path]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (key,)
        for path in _paths(inner):
            yield (key, *path)
