"""What a page of the manual tells an operator to type and to write."""

from collections.abc import Iterator
from pathlib import Path

__all__ = ["block", "commands"]

_DOCS = Path(__file__).parents[2] / "docs"


def commands(page: str, heading: str) -> list[str]:
    """What root types in a section, line by line; a line that goes on below is one."""
    text = "".join(_blocks(page, heading, "console")).replace("\\\n", " ")
    lines = [line.removeprefix("# ") for line in text.splitlines() if line.startswith("# ")]
    assert lines, f"nothing is typed under {heading!r} of {page}"
    return lines


def block(page: str, heading: str, language: str) -> str:
    """The first block of a section in a language; the empty one is that of configuration files."""
    found = next(_blocks(page, heading, language), "")
    assert found, f"no {language or 'plain'} block under {heading!r} of {page}"
    return found


def _blocks(page: str, heading: str, language: str) -> Iterator[str]:
    """The blocks of a language between a heading and the next one."""
    inside, kind, lines = False, None, list[str]()
    for line in (_DOCS / page).read_text().splitlines():
        if line.startswith("```"):
            if inside and kind == language:
                yield "".join(f"{one}\n" for one in lines)
            kind, lines = (line.removeprefix("```") if kind is None else None), []
        elif kind is not None:
            lines.append(line)
        elif line.startswith("#"):
            inside = line.lstrip("# ") == heading
