"""Mistakes in a site file, in the words of the person who wrote it: where, what, and the cure."""

import difflib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from skiva_hub.site import Site
from skiva_hub.site_lines import Path
from skiva_hub.site_types import PATTERNS_IN_WORDS, misfits
from skiva_hub.toml_text import value

LISTS = ("partition", "slice", "environment")


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing that is wrong, where, and what to write instead."""

    path: Path
    where: str
    """As people say it, e.g. `slice[2] "h100" · memory_mb`; slices are counted from 1."""
    what: str
    cure: str


def mistakes(data: Mapping[str, Any], error: ValidationError) -> list[Mistake]:
    """Everything that is wrong with a parsed file, with names that do not fit together."""
    found = [_mistake(data, e) for e in error.errors(include_url=False) if not _is_consequence(data, e)]
    known = {m.path for m in found}
    more = (misfit for misfit in _raw_misfits(data) if misfit[0] not in known)
    return found + [Mistake(path, _where(data, path), what, cure) for path, what, cure in more]


def example(name: str, field: FieldInfo) -> str:
    """One line of TOML that gives a field a good value, or an empty text for a table."""
    return f"{name} = {value(field.examples[0])}" if field.examples else ""


def _raw_misfits(data: Mapping[str, Any]) -> Iterator[tuple[Path, str, str]]:
    """Names that do not fit together in a file that has other mistakes too."""

    def column(table: str, key: str) -> list[str]:
        rows = data.get(table)
        rows = rows if isinstance(rows, list) else []
        return [str(row.get(key, "")) if isinstance(row, dict) else "" for row in rows]

    partitions = column("partition", "name")
    wanted = [name if name and partitions else None for name in column("slice", "partition")]
    slices = list(zip(column("slice", "id"), wanted, strict=True))
    found = misfits(partitions, slices, column("environment", "id"))
    return (misfit for misfit in found if _at(data, misfit[0]))


def _is_consequence(data: Mapping[str, Any], error: ErrorDetails) -> bool:
    """A list counts as empty when every table in it is wrong; only the tables are worth a line."""
    return error["type"] == "too_short" and len(error["loc"]) == 1 and bool(_at(data, error["loc"]))


def _mistake(data: Mapping[str, Any], error: ErrorDetails) -> Mistake:
    path, kind, context = error["loc"], error["type"], error.get("ctx", {})
    if kind == "site":
        return Mistake(path, _where(data, path), context["what"], context["cure"])
    if kind == "extra_forbidden":
        return Mistake(path, _where(data, path), "is not known here", _unknown(path))
    return Mistake(path, _where(data, path), _what(error), _cure(data, path, kind))


_WORDS = {
    "tuple_type": "must be a list",
    "model_type": "must be a table",
    "int_type": "must be a whole number",
    "float_type": "must be a number",
    "bool_type": "must be true or false",
    "string_type": "must be text",
    "path_type": "must be text",
}


def _what(error: ErrorDetails) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "string_pattern_mismatch":
        return PATTERNS_IN_WORDS.get(context["pattern"], "has a character that is not allowed")
    if kind == "missing":
        return "is missing"
    return _WORDS.get(kind, error["msg"])


def _cure(data: Mapping[str, Any], path: Path, kind: str) -> str:
    name, field = _field(path)
    table = str(path[0]) if path else ""
    if len(path) == 1 and table in LISTS:
        return f"write [[{table}]], with two brackets, above the lines of each one"
    if field is None or not field.examples:
        return f"write [{table}], with one bracket on each side, above its lines"
    line = example(name, field)
    if kind == "missing":
        return f"add e.g. {line} " + ("below " + _header(path) if len(path) > 1 else "at the top")
    hint = "whole megabytes, " if name.endswith("_mb") else ""
    if isinstance(_at(data, path), str) and not isinstance(field.examples[0], (str, list)):
        hint += "without quotes, "
    return f"write {hint}e.g. {line}"


def _header(path: Path) -> str:
    return f"[[{path[0]}]]" if path[0] in LISTS else f"[{path[0]}]"


def _unknown(path: Path) -> str:
    """What somebody who wrote an unknown key may have meant."""
    key = str(path[-1])
    here = _model(path[:-1])
    spelt = key.lower().replace("-", "_")
    near = difflib.get_close_matches(spelt, here.model_fields, n=1) if here else []
    if near:
        return f"did you mean {near[0]!r}?"
    homes = [table for table, model in _tables() if key in model.model_fields and model is not here]
    if key in Site.model_fields and len(path) > 1:
        homes.append("")
    if len(homes) == 1:
        place = f"below {_header((homes[0],))}" if homes[0] else "at the top, before the first [table]"
        return f"it belongs {place}"
    known = ", ".join(here.model_fields) if here else ""
    return f"remove it; known here: {known}" if known else "remove it"


def _tables() -> Iterable[tuple[str, type[BaseModel]]]:
    for name in Site.model_fields:
        model = _model((name, 0) if name in LISTS else (name,))
        if model is not None:
            yield name, model


def _model(path: Path) -> type[BaseModel] | None:
    """The model of the table at a path."""
    model: type[BaseModel] = Site
    for key in path:
        if isinstance(key, int):
            continue
        field = model.model_fields.get(key)
        inner = _models_in(field.annotation) if field else None
        if inner is None:
            return None
        model = inner
    return model


def _models_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((m for m in map(_models_in, get_args(annotation)) if m), None)


def _field(path: Path) -> tuple[str, FieldInfo | None]:
    """The field at a path, or the one whose list or names the path goes into."""
    for i in range(len(path) - 1, -1, -1):
        model = _model(path[:i])
        if model is not None and path[i] in model.model_fields:
            return str(path[i]), model.model_fields[str(path[i])]
    return "", None


def _at(data: Any, path: Path) -> Any:
    for key in path:
        try:
            data = data[key]
        except (KeyError, IndexError, TypeError):
            return None
    return data


def _where(data: Mapping[str, Any], path: Path) -> str:
    if not path:
        return "the file"
    head, rest = _short(str(path[0])), path[1:]
    if head in LISTS and rest and isinstance(rest[0], int):
        row = _at(data, path[:2])
        called = (row.get("id") or row.get("name")) if isinstance(row, dict) else None
        head += f"[{rest[0] + 1}]" + (f' "{_short(called)}"' if isinstance(called, str) else "")
        rest = rest[1:]
    name = "".join(f"[{p + 1}]" if isinstance(p, int) else f".{_short(p)}" for p in rest).lstrip(".")
    return f"{head} · {name}" if name else head


def _short(text: str) -> str:
    """A name from the file as it may stand in a message: one line, not long."""
    clean = "".join(c if c.isprintable() else "?" for c in text)
    return clean if len(clean) <= 60 else clean[:57] + "..."
