"""`skiva submit`: a program, a Python file or a notebook."""

import argparse
import json
import os
import pickle
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from skiva.runs.command.find import Mistake
from skiva.runs.functions import check_number
from skiva.runs.programs import PROGRAM
from skiva.runs.run import Run
from skiva.runs.submit import Luggage, send
from skiva.runs.wish import wish

__all__ = ["parser", "split", "submit"]

_AT_ONCE = 16
_LONGEST_LIST = 10_000_000
_FLAGS = frozenset({"--wait", "--follow", "--json", "--resume", "-h", "--help"})


def parser() -> argparse.ArgumentParser:
    """What stands before the program."""
    found = argparse.ArgumentParser(
        prog="skiva submit",
        usage="skiva submit [OPTIONS] [--] PROGRAM [ARGUMENT…]",
        description="Run a program in a job of its own. A .py file runs, as it is now, on the Python of this "
        "environment; a .ipynb file runs as a notebook.",
        epilog="Exit status: 0 submitted (with --wait or --follow: completed), 1 not submitted or not "
        "completed, 2 a mistake in the command line, 130 no longer following.",
        allow_abbrev=False,
    )
    add = found.add_argument
    add("--slice", help="such as 1g.10gb; without it, cores alone")
    add("--hours", type=float, help="the time limit")
    add("--name", help="what lists and the queue show")
    add("--restarts", type=int, help="how often it may begin again after a time limit or a lost node")
    add("--env", action="append", default=[], metavar="NAME[=VALUE]", help="a further variable for it")
    add("--tasks", type=int, help="run it so many times, as one array; SKIVA_TASK tells which one it is")
    add(
        "--array",
        metavar="FILE",
        help="run it for each line of a file, which is SKIVA_ITEM and {}; - reads them",
    )
    add("--at-once", type=int, help="how many tasks may run at the same time (16)")
    add("--key", help="a second submission with the same key gives the first one's run")
    add("-p", "--parameter", action="append", default=[], metavar="NAME=VALUE", help="of a notebook")
    add(
        "--resume", action="store_true", help="a notebook goes on at its unfinished cell after the time limit"
    )
    add("--wait", action="store_true", help="come back when it has ended")
    add("--follow", action="store_true", help="the same, and print what it prints")
    add("--json", action="store_true", help="tell the run's id and directory for programs")
    return found


def split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Our own options, and the program with its arguments, of which none is touched."""
    place = 0
    while place < len(arguments):
        word = arguments[place]
        if word == "--":
            return list(arguments[:place]), list(arguments[place + 1 :])
        if not word.startswith("-") or word == "-":
            break
        takes = word not in _FLAGS and "=" not in word and not (word.startswith("-p") and len(word) > 2)
        place += 2 if takes else 1
    return list(arguments[:place]), list(arguments[place:])


def submit(arguments: Sequence[str]) -> int:
    """Carry it out; the exit status.

    Raises:
        Mistake: what was typed is not possible.
        BadWish: an option is not possible; names it.
        NotSubmitted: Slurm refused, or did not answer.
    """
    own, program = split(arguments)
    given = parser().parse_args(own)
    if not program:
        raise Mistake("PROGRAM: what is to be run? For example: skiva submit --hours 4 train.py --epochs 3")
    if given.follow and (given.tasks or given.array):
        raise Mistake("--follow: follows one task; use --wait, and 'skiva logs -f --task 0 last'.")
    run = _notebook(given, program) if program[0].endswith(".ipynb") else _command(given, program)
    if given.json:
        job = run.status.job_id
        print(json.dumps({"id": run.id, "job_id": job, "dir": str(run.directory)}), flush=True)
    else:
        print(f"Submitted as run {run.id} on {run.spec.slice}.", flush=True)
    from skiva.runs.command.logs import follow, wait

    return follow(run) if given.follow else wait(run) if given.wait else 0


def _options(given: argparse.Namespace) -> dict[str, Any]:
    names = ("slice", "hours", "name", "restarts", "key")
    return {name: getattr(given, name) for name in names}


def _env(given: argparse.Namespace) -> dict[str, str] | None:
    found = {}
    for word in given.env:
        name, has_value, value = word.partition("=")
        if not name or (not has_value and name not in os.environ):
            raise Mistake(
                f"--env: {name!r:.60} is not set here; give it a value, as in --env {name or 'NAME'}=…"
            )
        found[name] = value if has_value else os.environ[name]
    return found or None


def _command(given: argparse.Namespace, program: list[str]) -> Run:
    if given.parameter or given.resume:
        raise Mistake("--parameter and --resume: are for notebooks; a program's own options stand behind it.")
    items = _items(given)
    wanted = wish(**_options(given), at_once=None if items is None else given.at_once or _AT_ONCE)
    files: dict[str, bytes] = {}
    source: dict[str, Any] = {}
    if (
        program[0].endswith(".py")
        and not shutil.which(program[0], mode=os.F_OK)
        and not Path(program[0]).exists()
    ):
        raise Mistake(f"PROGRAM: there is no file {program[0]!r:.200} here.")
    if program[0].endswith(".py") and Path(program[0]).is_file():
        path = Path(program[0]).absolute()
        source["program"] = str(path)
        try:
            files[PROGRAM] = path.read_bytes()
        except OSError as problem:
            raise Mistake(f"PROGRAM: {path} cannot be read: {problem.strerror}.") from None
    elif shutil.which(program[0]) is None:
        print(f"skiva: {program[0]!r:.200} is not found here; it is submitted all the same.", file=sys.stderr)
    if items is not None:
        check_number(len(items))
        files["items.pkl"] = pickle.dumps(items)
    luggage = Luggage(
        kind="command",
        name=_title(program[0]),
        files=files,
        argv=tuple(program),
        tasks=None if items is None else len(items),
        source=source,
    )
    return Run(send(luggage, wanted, _env(given)))


def _title(program: str) -> str:
    return "".join(letter for letter in Path(program).name if letter.isprintable())[:60]


def _items(given: argparse.Namespace) -> list[tuple[int, str | None]] | None:
    if given.tasks is not None and given.array:
        raise Mistake("--tasks and --array: one of them says how many tasks there are.")
    if given.tasks is not None:
        if given.tasks < 1:
            raise Mistake("--tasks: must be a whole number from 1.")
        return [(number, None) for number in range(given.tasks)]
    if not given.array:
        if given.at_once is not None:
            raise Mistake("--at-once: is for arrays, with --tasks or --array.")
        return None
    try:
        text = sys.stdin.read(_LONGEST_LIST) if given.array == "-" else Path(given.array).read_text()
    except (OSError, UnicodeDecodeError) as problem:
        raise Mistake(f"--array: {given.array} cannot be read: {problem}.") from None
    lines = [line for line in text.split("\n") if line.strip()]
    if not lines or any("\0" in line for line in lines):
        raise Mistake(f"--array: {given.array} has no lines, or is no text.")
    return list(enumerate(line.rstrip("\r") for line in lines))


def _notebook(given: argparse.Namespace, program: list[str]) -> Run:
    from skiva.runs.notebook.handing import submit_notebook

    behind = argparse.ArgumentParser(prog="skiva submit NOTEBOOK", add_help=False, allow_abbrev=False)
    behind.add_argument("-p", "--parameter", action="append", default=[])
    more, rest = behind.parse_known_args(program[1:])
    if rest:
        raise Mistake(
            f"{rest[0]!r:.60}: behind a notebook there can only be its parameters, as in -p epochs=3."
        )
    if given.tasks is not None or given.array or given.at_once is not None:
        raise Mistake("--tasks, --array and --at-once: are for programs; a notebook is run once.")
    parameters = dict(_parameter(word) for word in [*given.parameter, *more.parameter])
    return submit_notebook(
        program[0], parameters or None, resume=given.resume, env=_env(given), **_options(given)
    )


def _parameter(word: str) -> tuple[str, Any]:
    """What JSON understands is that; anything else is text."""
    name, has_value, value = word.partition("=")
    if not has_value or not name:
        raise Mistake(f"--parameter: {word!r:.60} must be written NAME=VALUE.")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value
