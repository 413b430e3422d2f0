"""A command in its job: the program takes the place of ours, with the arguments that were given."""

import os
import pickle
import signal
import sys
from typing import NoReturn

from skiva.runs.paths import RunDir
from skiva.runs.spec import Spec

__all__ = ["PROGRAM", "argv_of", "run_program"]

PROGRAM = "program.py"
"""The snapshot of a Python program, in the run's directory."""


def run_program(run: RunDir, spec: Spec, task: int | None) -> int:
    """Become the program; comes back only where it cannot be run, with the exit status that shells use."""
    argv = list(spec.argv)
    if task is not None:
        number, item = pickle.loads(run.items.read_bytes())[task]  # noqa: S301 - of this person's own run
        os.environ["SKIVA_TASK"] = str(number)
        if item is not None:
            os.environ["SKIVA_ITEM"] = item
            argv = argv_of(argv, item)
    # The warning ends no program that does not know it.
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    sys.stdout.flush()
    try:
        _become(run, spec, argv)
    except OSError as problem:
        print(f"skiva: {argv[0]} cannot be run: {problem.strerror}", file=sys.stderr, flush=True)
        return 127 if isinstance(problem, FileNotFoundError) else 126


def _become(run: RunDir, spec: Spec, argv: list[str]) -> NoReturn:
    from skiva.runs import script

    snapshot = run.path / PROGRAM
    if snapshot.exists():
        original = str(spec.source.get("program") or snapshot)
        ours = [sys.executable, str(script.__file__), str(snapshot), original, *argv]
        os.execv(sys.executable, ours)
    os.execvp(argv[0], argv)


def argv_of(argv: list[str], item: str) -> list[str]:
    """The arguments with `item` in place of each `{}`."""
    return [word.replace("{}", item) for word in argv]
