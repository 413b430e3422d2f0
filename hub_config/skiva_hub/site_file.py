"""Read the site file. Every mistake in it is told at once: the line, the field, the cure."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from skiva_hub.site import Site
from skiva_hub.site_lines import line_of, lines, unfinished
from skiva_hub.site_mistakes import mistakes

LARGEST = 1024 * 1024
"""Bytes that a site file may have."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a site file."""

    line: int
    """From 1; 0 where the file as a whole is meant."""
    where: str
    what: str
    cure: str


class SiteError(Exception):
    """The site file cannot be used; the text has one line for each mistake, in the file's order."""

    def __init__(self, path: Path, problems: Sequence[Problem]) -> None:
        self.path = path
        self.problems = tuple(sorted(problems, key=lambda p: (p.line, p.where)))
        super().__init__("\n".join(self._sentence(p) for p in self.problems))

    def _sentence(self, problem: Problem) -> str:
        place = f"{self.path}:{problem.line}" if problem.line else str(self.path)
        where = f"{problem.where}: " if problem.where else ""
        sentence = f"{place}: {where}{problem.what} — {problem.cure}"
        return "".join(c if c.isprintable() else "?" for c in sentence)


def load(path: Path) -> Site:
    """The site that a TOML file describes.

    Raises `SiteError`, with every mistake, where the file cannot be read or used.
    """
    return parse(_read(path), path)


def parse(text: str, path: Path = Path("site.toml")) -> Site:
    """The site that a TOML text describes; `path` is what mistakes call the file.

    Raises `SiteError`.
    """
    data = _toml(text, path)
    try:
        return Site.model_validate(data)
    except ValidationError as error:
        found = lines(text)
        raise SiteError(
            path, [Problem(line_of(m.path, found), m.where, m.what, m.cure) for m in mistakes(data, error)]
        ) from None


def _read(path: Path) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
    except FileNotFoundError:
        raise _whole(path, "there is no such file", "write one, starting from hub_config/examples") from None
    except OSError as error:
        why = (error.strerror or str(error)).lower()
        raise _whole(path, f"cannot be read: {why}", "give a file that this account may read") from None
    except ValueError:
        raise _whole(path, "is not the name of a file", "give a path without a NUL character") from None
    if len(raw) > LARGEST:
        raise _whole(path, "is larger than 1 MiB", "give the site file, which is some hundred lines of text")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise SiteError(path, [Problem(line, "", "is not UTF-8 text", "save the file as UTF-8")]) from None


def _toml(text: str, path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message, line = _place(str(error), text)
        raise SiteError(path, [Problem(line, "", message, _syntax_cure(message))]) from None
    except RecursionError:
        raise _whole(path, "has lists within lists too deep to read", "write plain lists") from None
    except ValueError:
        raise _whole(path, "has a number or date that nothing can read", "write ordinary numbers") from None


def _whole(path: Path, what: str, cure: str) -> SiteError:
    return SiteError(path, [Problem(0, "", what, cure)])


def _place(message: str, text: str) -> tuple[str, int]:
    """The parser's message without its place, and the line."""
    what, _, place = message.rpartition(" (at ")
    digits = place.removeprefix("line ").split(",")[0]
    return what or message, int(digits) if digits.isdigit() else unfinished(text)


_SYNTAX_CURES = (
    ("Expected '='", "write name = value, one on each line"),
    ("Invalid value", 'put text in quotes, e.g. title = "My cluster"; write true and false in small letters'),
    ("Invalid initial character", "a key is letters, digits, _ and -; remove any other character"),
    ("Cannot overwrite", "it is there twice; keep one"),
    ("Cannot declare", "this [table] is there twice; keep one, or write [[slice]] for one of several"),
    ("Cannot mutate", "this table is closed already; write its keys together, in one place"),
    ("Unclosed array", "close the list with ]"),
    ("Unterminated string", "close the text with a quote"),
    ("Illegal character", "close the quote on the same line, and keep to printable characters"),
    ("Unescaped '\\'", "write \\\\ for one backslash, or use single quotes"),
    ("Expected ']'", "close the table's name with ], or with ]] for one of several"),
    ("Expected newline", "write one name = value on a line, and put text in quotes"),
    ("Invalid hex", "write an ordinary number"),
    ("Unclosed inline table", "close the table with } on the same line"),
    ("Duplicate inline table key", "it is there twice; keep one"),
    ("Duplicate", "it is there twice; keep one"),
)


def _syntax_cure(message: str) -> str:
    fitting = (cure for start, cure in _SYNTAX_CURES if message.startswith(start))
    return next(fitting, 'write name = value below [table], with text in quotes, e.g. title = "My cluster"')
