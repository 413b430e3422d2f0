"""`skiva kernel`: a person's own environments as kernels."""

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from . import store
from .adding import CannotAdd, add
from .environments import NoEnvironment, find
from .probe import DoesNotRun, ask
from .problems import Problem, problem

__all__ = ["main"]


def main(arguments: Sequence[str]) -> int:
    """Carry out one command; its exit status."""
    given = _parser().parse_args(arguments)
    directory = store.directory_of(os.environ, Path.home())
    try:
        match given.command:
            case "add":
                return _add(given, directory)
            case "remove":
                return _remove(given.name, directory)
            case "check":
                return _check(given.name, directory)
            case _:
                return _list(directory, as_json=given.json)
    except (CannotAdd, DoesNotRun, NoEnvironment) as problem_found:
        print(f"skiva: {problem_found}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="skiva kernel", description="Your own environments as kernels.")
    commands = parser.add_subparsers(dest="command", required=True)
    adding = commands.add_parser("add", help="make a kernel of an environment, a Python or a project folder")
    adding.add_argument(
        "path", type=Path, help="a uv, venv, conda or pixi environment, a Python or a project"
    )
    adding.add_argument("--name", default="", help="its short name, as in notebooks and in this command")
    adding.add_argument("--title", default="", help="what the launcher shows")
    adding.add_argument("--env", default="", help="which one, where a project has several environments")
    adding.add_argument("--install", action="store_true", help="install ipykernel into it if it lacks that")
    listing = commands.add_parser("list", help="show your kernels, and what is wrong with them")
    listing.add_argument("--json", action="store_true", help="for programs")
    removing = commands.add_parser("remove", help="take a kernel out of the list; its environment stays")
    removing.add_argument("name")
    checking = commands.add_parser("check", help="run the Python of one kernel, or of each")
    checking.add_argument("name", nargs="?", default="")
    return parser


def _add(given: argparse.Namespace, directory: Path) -> int:
    environment = find(given.path, given.env)
    added = add(
        environment, directory, name=given.name, title=given.title, install=given.install, say=_progress
    )
    print(f"Added {added.name}: {added.title}")
    print(
        "It is in the launcher of your running JupyterLab now. To take it away: skiva kernel remove",
        added.name,
    )
    return 0


def _progress(sentence: str) -> None:
    print(f"skiva: {sentence}", file=sys.stderr, flush=True)


def _list(directory: Path, *, as_json: bool) -> int:
    rows = [_row(entry) for entry in store.entries(directory)]
    if as_json:
        print(json.dumps(rows, indent=1))
        return 0
    if not rows:
        print(f"No kernels of your own in {directory}. To make one: skiva kernel add PATH")
        return 0
    columns = ("name", "kind", "python_version", "title", "prefix")
    heads = ("NAME", "KIND", "PYTHON", "TITLE", "ENVIRONMENT")
    table = [heads, *([str(row[column]) or "-" for column in columns] for row in rows)]
    widths = [max(len(line[index]) for line in table) for index in range(len(heads))]
    for index, line in enumerate(table):
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
        if index and (wrong := rows[index - 1]["problem"]):
            print(f"    cannot start: {wrong}")
    return 0


def _row(entry: store.Entry) -> dict[str, Any]:
    spec = entry.spec or {}
    metadata = spec.get("metadata")
    own = metadata.get("skiva", {}) if isinstance(metadata, dict) else {}
    wrong = entry.ignored or str(problem(entry.name, spec) or "")
    told = {name: str(own.get(name, "")) for name in ("kind", "python", "python_version", "prefix", "digest")}
    return {"name": entry.name, "title": str(spec.get("display_name", "")), **told, "problem": wrong}


def _check(name: str, directory: Path) -> int:
    chosen = [entry for entry in store.entries(directory) if name.lower() in {"", entry.name}]
    if not chosen:
        print(f"skiva: {_unknown(name, directory)}", file=sys.stderr)
        return 1
    worst = 0
    for entry in chosen:
        wrong = _tried(entry)
        print(f"{entry.name}: {wrong or 'starts.'}", flush=True)
        worst = 1 if wrong else worst
    return worst


def _tried(entry: store.Entry) -> str:
    """What is wrong with a kernel, its Python being run; nothing where all is well."""
    row = _row(entry)
    if row["problem"]:
        return str(row["problem"])
    spec = entry.spec or {}
    python = Path(row["python"] or spec["argv"][0])
    if not python.is_absolute():
        return ""
    try:
        facts = ask(python)
    except DoesNotRun as failure:
        return str(failure)
    if facts.ipykernel is None and "ipykernel_launcher" in spec["argv"]:
        return str(
            Problem(f"{python} does not find ipykernel.", f"skiva kernel add --install {row['prefix']}")
        )
    return ""


def _remove(name: str, directory: Path) -> int:
    entry = next((entry for entry in store.entries(directory) if entry.name == name.lower()), None)
    if entry is None:
        print(f"skiva: {_unknown(name, directory)}", file=sys.stderr)
        return 1
    try:
        store.remove(entry)
    except OSError as error:
        print(f"skiva: {entry.path} cannot be removed: {error.strerror}.", file=sys.stderr)
        return 1
    print(f"Removed {entry.name}. Its environment {_row(entry)['prefix']} stays as it is.".replace("  ", " "))
    return 0


def _unknown(name: str, directory: Path) -> str:
    known = ", ".join(entry.name for entry in store.entries(directory)) or "none"
    return (
        f"You have no kernel called {name} in {directory}. There are: {known}."
        if name
        else (f"You have no kernels of your own in {directory}.")
    )
