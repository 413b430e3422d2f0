"""`skiva images`: build, list, check and compare environments, and switch between their versions."""

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import get_args

from skiva_images.check import check
from skiva_images.definition import DefinitionError, find
from skiva_images.diff import difference, record_of, table
from skiva_images.errors import BuildError
from skiva_images.forms import build
from skiva_images.plan import Accelerator, Options
from skiva_images.record import Form
from skiva_images.say import human_size, to_terminal
from skiva_images.store import Built, Store, StoreError
from skiva_images.uses import Use, processes, site_uses, uses_of

__all__ = ["default_store", "main"]

_FORMS: tuple[Form, ...] = get_args(Form)
_Run = Callable[[argparse.Namespace, Store], int]


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out one command; its status is 0, 1 where it fails or finds something, 2 for a mistake."""
    given = _parser().parse_args(arguments)
    run: _Run = given.run
    try:
        return run(given, Store(Path(os.path.abspath(given.store))))  # noqa: PTH100 - keeps the operator's links
    except (BuildError, DefinitionError, StoreError) as error:
        to_terminal(str(error))
        return 1
    except PermissionError as error:
        to_terminal(f"{error.filename}: {error.strerror}; its owner, or root, may do this.")
        return 1


def default_store() -> Path:
    """Where environments are kept where no store is named."""
    if chosen := os.environ.get("SKIVA_STORE"):
        return Path(chosen)
    if directory := os.environ.get("SKIVA_DIR"):
        return Path(directory) / "images"
    if os.geteuid() == 0:
        return Path("/var/lib/skiva/images")
    return Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local/state") / "skiva/images"


def _default_site() -> Path | None:
    """The site file of this directory or machine, where there is one."""
    directory = os.environ.get("SKIVA_DIR")
    usual = Path(directory or "/etc/skiva") / "site.toml"
    file = Path(os.environ.get("SKIVA_SITE") or usual)
    return file if os.access(file, os.R_OK) else None


def _build(given: argparse.Namespace, store: Store) -> int:
    definition = find(given.name, given.definitions)
    options = Options(
        python=given.python,
        uv=given.uv,
        wheel=given.wheel,
        accelerator=given.accelerator,
        cpu_wheels=given.cpu_wheels,
        force=given.force,
    )
    built, _ = build(definition, given.form, store, options, to_terminal)
    _print(str(built.path.with_name(f"current.{built.form}")))
    return 0


def _list(given: argparse.Namespace, store: Store) -> int:
    uses = site_uses(given.site) if given.site else []
    rows = [_row(built, uses) for built in store.versions(given.name)]
    if given.json:
        _print(json.dumps(rows, indent=1))
        return 0
    if not rows:
        to_terminal(f"There is nothing in {store.root} yet; 'skiva images build base' makes the first.")
        return 0
    shown = [
        {
            "NAME": row["name"],
            "FORM": row["form"],
            "VERSION": f"{row['version']}{' *' if row['current'] else ''}",
            "SIZE": human_size(int(str(row["size"]))),
            "BUILT": row["built"] or "?",
            **({"USED BY": ", ".join(row["used_by"]) or "-"} if given.site else {}),  # type: ignore[arg-type]
            "WITH": row["trouble"] or " ".join(f"{n} {v}" for n, v in row["versions"].items()),  # type: ignore[attr-defined]
        }
        for row in rows
    ]
    _table([{name: str(value) for name, value in row.items()} for row in shown])
    _print("* the current version of its form")
    return 0


def _row(built: Built, uses: list[Use]) -> dict[str, object]:
    row: dict[str, object] = {
        "name": built.name,
        "form": built.form,
        "version": built.version,
        "current": built.current,
        "path": str(built.path),
        "used_by": uses_of(built, uses),
    }
    try:
        record = built.record()
    except StoreError as error:
        return row | {
            "digest": "",
            "size": 0,
            "built": "",
            "python": "",
            "versions": {},
            "trouble": str(error),
        }
    versions = {"python": record.python_version, **record.versions}
    return row | {
        "digest": record.digest,
        "size": record.size,
        "built": record.built,
        "python": record.python,
        "versions": versions,
        "trouble": "",
    }


def _table(rows: list[dict[str, str]]) -> None:
    widths = {name: max(len(name), *(len(row[name]) for row in rows)) for name in rows[0]}
    for row in ({name: name for name in widths}, *rows):
        _print("  ".join(row[name].ljust(width) for name, width in widths.items()).rstrip())


def _check(given: argparse.Namespace, store: Store) -> int:
    chosen = [store.find(text, form=given.form) for text in given.names]
    if not given.names:
        chosen = [b for b in store.versions() if b.current and given.form in {None, b.form}]
    problems = 0
    for use in site_uses(given.site) if given.site else []:
        if missing := use.missing():
            _print(missing)
            problems += 1
    for built in chosen:
        found = list(check(built, smoke=not given.no_smoke, say=to_terminal))
        problems += len(found)
        _print(f"{built.name} {built.version}.{built.form}: {'not well' if found else 'well'}")
        for line in found:
            _print(f"  {line}")
    if not chosen:
        to_terminal(f"There is nothing to check in {store.root}.")
    return 1 if problems else 0


def _diff(given: argparse.Namespace, store: Store) -> int:
    old, new = record_of(given.old, store), record_of(given.new, store)
    found = difference(old, new)
    if given.json:
        _print(found.model_dump_json(indent=1))
        return 0
    for line in table(found):
        _print(line)
    return 0


def _use(given: argparse.Namespace, store: Store) -> int:
    with store.locked(given.name):
        built = store.find(given.version, name=given.name, form=given.form)
        if not built.current:
            store.switch(built)
    _print(f"{built.name}: {built.version} is the current {built.form}; new sessions start it.")
    return 0


def _remove(given: argparse.Namespace, store: Store) -> int:
    built = store.find(given.version, name=given.name, form=given.form)
    if used := uses_of(built, site_uses(given.site) if given.site else []):
        raise StoreError(
            f"{built.version} is what the environment {', '.join(used)} of the site file starts."
        )
    if (running := processes(built)) and not given.force:
        numbers = ", ".join(map(str, running[:5]))
        raise StoreError(f"{built.version} is in use on this machine, by the processes {numbers} (--force).")
    store.remove(built)
    _print(f"{built.name}: {built.version}.{built.form} is gone.")
    return 0


def _print(line: str) -> None:
    sys.stdout.write(f"{line}\n")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="skiva images", description="Environments that people choose by name."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument(
        "--store", type=Path, default=default_store(), help="where they are kept (%(default)s)"
    )
    common.add_argument("--dir", type=Path, help=argparse.SUPPRESS)  # the front door has read it
    site = argparse.ArgumentParser(add_help=False)
    site.add_argument(
        "--site", type=Path, default=_default_site(), help="the site file, to see what its environments use"
    )
    form = argparse.ArgumentParser(add_help=False)
    form.add_argument("--form", choices=_FORMS, help="where a name or version has several forms")

    def add(name: str, run: _Run, text: str, *more: argparse.ArgumentParser) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=text, description=text, parents=[common, *more])
        made.set_defaults(run=run)
        return made

    _build_options(add("build", _build, "build an environment, unless it is there already"))
    listing = add("list", _list, "show what there is", site)
    listing.add_argument("name", nargs="?", help="one environment's name")
    listing.add_argument("--json", action="store_true", help="for programs")
    checking = add("check", _check, "see that environments are whole, closed to others, and work", site, form)
    checking.add_argument("names", nargs="*", help="names, versions or paths; all current ones if none")
    checking.add_argument("--no-smoke", action="store_true", help="without running anything in them")
    comparing = add("diff", _diff, "say what changed between two environments")
    comparing.add_argument("old", help="a name, version or path")
    comparing.add_argument("new", help="a name, version or path")
    comparing.add_argument("--json", action="store_true", help="for programs")
    using = add("use", _use, "make a version the current one, such as the one before", form)
    removing = add("remove", _remove, "remove a version that is neither current nor in use", site, form)
    for made in (using, removing):
        made.add_argument("name", help="the environment's name")
        made.add_argument("version", help="its version, or enough of it")
    removing.add_argument("--force", action="store_true", help="although programs on this machine use it")
    return parser


def _build_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help="the definition's name, such as base")
    parser.add_argument(
        "--form", choices=_FORMS, default="env", help="a directory, a container image, a file"
    )
    parser.add_argument("--python", help="path or version of the Python to build an env with")
    parser.add_argument(
        "--accelerator", choices=get_args(Accelerator), default="auto", help="what to compute on"
    )
    parser.add_argument("--cpu-wheels", metavar="WHERE", help="directory or index of archives for CPUs")
    parser.add_argument("--definitions", type=Path, action="append", default=[], help="a folder of your own")
    parser.add_argument("--wheel", type=Path, help="Skiva's wheel")
    parser.add_argument("--uv", help="the program uv")
    parser.add_argument("--force", action="store_true", help="build although it is there already")


if __name__ == "__main__":
    raise SystemExit(main())
