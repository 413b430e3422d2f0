"""`skiva reference`: every field of the site file, from its model, so that the two never differ."""

import argparse
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from skiva_hub.site import Site
from skiva_hub.toml_text import value as toml

Schema = Mapping[str, Any]


def main(argv: Sequence[str]) -> int:
    """Print the reference."""
    parser = argparse.ArgumentParser(
        prog="skiva reference", description="Print every field of the site file, in Markdown."
    )
    parser.add_argument("--dir", help=argparse.SUPPRESS)
    parser.parse_args(argv)
    sys.stdout.write(reference())
    return 0


def reference() -> str:
    """The reference in Markdown: the fields at the top of the file, then a section for each table."""
    site = Site.model_json_schema()
    top = [name for name, field in site["properties"].items() if not _table(site, field)]
    parts = ["## At the top of the file", *_fields(site, "", top)]
    for name, field in site["properties"].items():
        table = _table(site, field)
        if table:
            heading = f"[[{name}]]" if field.get("type") == "array" else f"[{name}]"
            parts += [f"## `{heading}`", table["description"]]
            parts += _fields(table, f"{name}.", table["properties"])
    return "\n\n".join(parts) + "\n"


def _table(site: Schema, field: Schema) -> Schema | None:
    """The table that a field of the file is, or a list of; None where it is a plain value."""
    reference = field.get("items", field).get("$ref", "")
    table: Schema | None = site["$defs"].get(reference.rpartition("/")[2])
    return table


def _fields(table: Schema, prefix: str, names: Iterable[str]) -> Iterator[str]:
    for name in names:
        field = table["properties"][name]
        facts = "; ".join(_facts(field, required=name in table.get("required", ())))
        yield f"`{prefix}{name}`\n: {field['description']}\\\n  {facts[:1].upper()}{facts[1:]}."


def _facts(field: Schema, *, required: bool) -> Iterator[str]:
    default, example = field.get("default"), field.get("examples", [None])[0]
    if required:
        yield "required"
    if default not in (None, "", [], {}):
        yield f"default `{toml(default)}`"
    elif example is not None:
        yield f"e.g. `{toml(example)}`"
    for kind in field.get("anyOf", [field]):
        if "enum" in kind:
            yield "one of " + ", ".join(f"`{toml(choice)}`" for choice in kind["enum"])
        if "maximum" in kind:
            above = "above " if "exclusiveMinimum" in kind else ""
            low = kind.get("minimum", kind.get("exclusiveMinimum"))
            yield f"{above}{low:g} to {kind['maximum']:g}"
