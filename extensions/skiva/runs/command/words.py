"""The words of the command, and what each of them does."""

import argparse
import json
import pickle
import pprint
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from skiva.runs.command import logs
from skiva.runs.command.find import Mistake, find
from skiva.runs.command.send import submit
from skiva.runs.command.table import cells, clean, fitted
from skiva.runs.listing import Runs
from skiva.runs.listing import jobs as list_jobs
from skiva.runs.offer import NoOffer
from skiva.runs.run import NotDone, Run, RunFailed
from skiva.runs.status import ENDED
from skiva.runs.submit import NotSubmitted
from skiva.runs.wish import BadWish
from skiva_slurm.errors import SkivaSlurmError

__all__ = ["main"]

_STATES = sorted(
    {*ENDED, "queued", "running", "requeued", "preparing", "ending", "unknown", "waiting", "ended"}
)
_EVERY = 2.0
_ID = "its id, the beginning of that, or 'last'"


def main(arguments: Sequence[str]) -> int:
    """Carry out one word with its options.

    The exit status is 0 where it was done, 1 where it could not be or the run did not complete, 2 after a
    mistake in the command line, 3 where the result of a run that is not over is asked for, 130 after Ctrl-C.
    """
    word, *given = arguments
    try:
        return _WORDS[word](given)
    except (Mistake, BadWish) as mistake:
        print(f"skiva {word}: {mistake}", file=sys.stderr)
        return 2
    except (LookupError, NoOffer, NotSubmitted, SkivaSlurmError, RunFailed) as problem:
        print(f"skiva {word}: {problem.args[0] if problem.args else problem}", file=sys.stderr)
    except OSError as problem:
        where = f"{problem.filename}: " if problem.filename else ""
        print(f"skiva {word}: {where}{problem.strerror or problem}", file=sys.stderr)
    return 1


def _parser(word: str, text: str, epilog: str = "") -> argparse.ArgumentParser:
    return argparse.ArgumentParser(prog=f"skiva {word}", description=text, epilog=epilog, allow_abbrev=False)


# -- jobs ----------------------------------------------------------------------------------


def _jobs(arguments: Sequence[str]) -> int:
    parser = _parser("jobs", "Your runs, newest first.")
    parser.add_argument(
        "--state", choices=_STATES, metavar="STATE", help="such as running, waiting or failed"
    )
    parser.add_argument("--limit", type=int, default=30, help="how many at most (30)")
    parser.add_argument("--json", action="store_true", help="for programs")
    parser.add_argument("--watch", action="store_true", help="keep showing them, until Ctrl-C")
    given = parser.parse_args(arguments)
    if given.limit < 1:
        raise Mistake("--limit: must be a whole number from 1.")
    if given.json:
        found = list_jobs(limit=given.limit, state=given.state)
        print(json.dumps([_row(run) for run in found], indent=1))
        return 0
    if given.watch:
        return _watch(given)
    print("\n".join(_table(given)))
    return 0


def _table(given: argparse.Namespace) -> list[str]:
    found: Runs = list_jobs(limit=given.limit, state=given.state)
    if not found:
        return ["No such runs." if given.state else "No runs yet; 'skiva submit' makes one."]
    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else None
    return fitted([cells(run.spec, run.status) for run in found], width)


def _watch(given: argparse.Namespace) -> int:
    if not sys.stdout.isatty():
        raise Mistake("--watch: needs a terminal; for programs there is --json.")
    try:
        while True:
            lines = _table(given)[: max(2, shutil.get_terminal_size().lines - 1)]
            sys.stdout.write("\x1b[H\x1b[J" + "\n".join(lines) + "\n")
            sys.stdout.flush()
            time.sleep(_EVERY)
    except KeyboardInterrupt:
        return 130


def _row(run: Run) -> dict[str, Any]:
    spec, status = run.spec, run.status
    names = ("id", "name", "kind", "slice", "simulated", "hours", "created", "cwd", "again_of")
    told = {name: value for name, value in asdict(status).items() if name != "state"}
    row = {name: getattr(spec, name) for name in names}
    return {**row, "state": status.state, "life": status.life, **told, "dir": str(run.directory)}


# -- logs, cancel --------------------------------------------------------------------------


def _logs(arguments: Sequence[str]) -> int:
    parser = _parser(
        "logs",
        "What a run prints.",
        "With -f, the exit status is 0 where the run completed and 1 where it did not. Ctrl-C ends only the "
        "following.",
    )
    parser.add_argument("-f", "--follow", action="store_true", help="go on until the run ends")
    parser.add_argument("--task", type=int, help="of an array: which task, from 0")
    parser.add_argument("id", metavar="ID", help=_ID)
    given = parser.parse_args(arguments)
    run = find(given.id)
    return logs.follow(run, given.task) if given.follow else logs.show(run, given.task)


def _cancel(arguments: Sequence[str]) -> int:
    parser = _parser("cancel", "End runs, wherever they are; what they have written stays.")
    parser.add_argument("ids", metavar="ID", nargs="+", help=_ID)
    given = parser.parse_args(arguments)
    worst = 0
    for run in [find(text) for text in given.ids]:
        try:
            was = run.status
            now = run.cancel()
        except SkivaSlurmError as problem:
            print(f"skiva cancel: {run.id}: {problem}", file=sys.stderr)
            worst = 1
        else:
            said = f"was over already: {now.sentence}" if was.over else "is being cancelled."
            print(f"Run {run.id} {clean(said)}")
    return worst


# -- result --------------------------------------------------------------------------------


def _result(arguments: Sequence[str]) -> int:
    parser = _parser(
        "result",
        "What a run returned.",
        "Exit status: 0 it completed, 1 it did not, 3 it is not over yet.",
    )
    parser.add_argument("id", metavar="ID", help=_ID)
    parser.add_argument("--out", metavar="FILE", type=Path, help="put it there: a pickle, or the notebook")
    given = parser.parse_args(arguments)
    run = find(given.id)
    try:
        status = run.wait(0)
    except NotDone as not_yet:
        print(f"skiva result: {not_yet}", file=sys.stderr)
        return 3
    if status.state != "completed" and run.spec.kind != "notebook":
        run.result()  # says what happened
    if given.out is not None:
        _put(run, given.out)
    else:
        print(_shown(run))
    if status.state != "completed":
        print(f"skiva result: {run.id}: {status.sentence} {status.action}".rstrip(), file=sys.stderr)
        return 1
    return 0


def _shown(run: Run) -> str:
    if run.spec.kind == "command":
        return f"A command returns nothing; what it printed: skiva logs {run.id}"
    if run.spec.kind == "notebook":
        return str(run.directory / "out.ipynb")
    try:
        return pprint.pformat(run.result(), width=shutil.get_terminal_size().columns)
    except RunFailed:
        raise
    except Exception as problem:  # noqa: BLE001 - what the result needs may not be installed here
        words = f"{type(problem).__name__}: {problem}"
        raise LookupError(
            f"The result of {run.id} cannot be read here ({words}); --out FILE keeps it."
        ) from None


def _put(run: Run, path: Path) -> None:
    """Never over anything."""
    kind = run.spec.kind
    if kind == "command":
        raise Mistake("--out: a command returns nothing; 'skiva logs' has what it printed.")
    if run.spec.tasks is None:
        content = (run.directory / ("out.ipynb" if kind == "notebook" else "result.pkl")).read_bytes()
    else:
        content = pickle.dumps(run.result())
    try:
        with path.open("xb") as file:
            file.write(content)
    except FileExistsError:
        raise Mistake(f"--out: {path} is there already, and nothing is written over it.") from None


_WORDS: Mapping[str, Callable[[Sequence[str]], int]] = {
    "submit": submit,
    "jobs": _jobs,
    "logs": _logs,
    "cancel": _cancel,
    "result": _result,
}
