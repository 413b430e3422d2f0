"""`python -m tests.mutate PATH…`: what `./skiva test --mutate` runs.

Changes the code in PATH, one small change at a time, and runs the tests that touch what was changed: a change
that no test notices is one that anybody could make by mistake. mutmut makes and tries the changes of Python,
Stryker those of TypeScript; both in a copy.
"""

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tests.mutate import labextension, report, runner, tree
from tests.mutate.mutants import Mutant, mutate

_ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    """Try all mutants in the paths; the exit status says whether enough were noticed."""
    given = _parser().parse_args()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, _: sys.exit(128 + number))  # the copy goes, as after Ctrl-C
    paths = [path.resolve().relative_to(_ROOT) for path in given.paths]
    browser = [path for path in paths if labextension.owns(path)]
    python = [path for path in paths if path not in browser]
    enough = not browser or labextension.mutate(_ROOT, browser)
    if python:
        try:
            share = _mutate(python, given)
        except runner.Stopped as stopped:
            print(stopped, file=sys.stderr)
            return 2
        enough = enough and share >= given.floor
    return 0 if enough else 1


def _mutate(paths: Sequence[Path], given: argparse.Namespace) -> float:
    """Try the mutants of Python modules, and print what became of them; the share noticed, in per cent."""
    files = tree.modules(_ROOT, paths)
    found: list[Mutant] = []
    with tempfile.TemporaryDirectory(prefix="mutate-") as folder:
        trees = tree.copy(_ROOT, Path(folder))
        for file in files:
            text, mutants = mutate(trees.plain, file, trees.module(file))
            (trees.mutated / file).write_text(text)
            found += mutants
        found = found[:: max(1, len(found) // given.sample)] if given.sample else found
        names = [mutant.name for mutant in found]
        result = runner.run(trees, names, given.tests or tree.tried_with(files), jobs=given.jobs)
    print(report.text(found, result, floor=given.floor))
    return report.share(found, result)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="skiva test --mutate", description="Try what the tests notice.")
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a module, or a folder of them")
    parser.add_argument(
        "--tests",
        action="append",
        metavar="PATH",
        help="tests to try them with (default: the package's)",
    )
    parser.add_argument("--floor", type=float, default=85.0, help="per cent to be noticed (default: 85)")
    parser.add_argument(
        "--sample", type=int, metavar="N", help="try about so many mutants, evenly spread (default: all)"
    )
    parser.add_argument("--jobs", type=int, default=2 * (os.cpu_count() or 1), help="mutants tried at once")
    return parser


if __name__ == "__main__":
    sys.exit(main())
