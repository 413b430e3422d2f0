"""Starts mutmut in a copy of the checkout, where nothing that a mutant does outlives it."""

import os
import subprocess
import sys

from tests.mutate.tree import Tree

_MUTMUT = "from mutmut.__main__ import cli; cli()"


class Stopped(Exception):
    """mutmut could not try the mutants; what it printed last."""


def run(tree: Tree, *, jobs: int) -> None:
    """Make all mutants and try each of them."""
    scratch = str(tree.scratch)
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(str(tree.path / root) for root in tree.roots),
        "PYTEST_DEBUG_TEMPROOT": scratch,
        "TMPDIR": scratch,
    }
    # Naming all mutants makes it try all tests by their names first: one that cannot be found so would count
    # as having noticed every mutant.
    argv = [sys.executable, "-c", _MUTMUT, "run", "--max-children", str(jobs), "*"]
    watched = sys.stdout.isatty()
    done = subprocess.run(
        [*_alone(), *argv],
        cwd=tree.path,
        env=environment,
        stdout=None if watched else subprocess.PIPE,
        stderr=None if watched else subprocess.STDOUT,
        check=False,
    )
    if done.returncode != 0:
        said = (done.stdout or b"").decode(errors="replace").replace("\r", "\n")
        lines = [line for line in said.splitlines() if line.strip()]
        raise Stopped("\n".join([*lines[-100:], f"mutmut ended with status {done.returncode}."]))


def _alone() -> list[str]:
    """Processes of its own for root: a mutant signals no other one, and what it leaves behind ends with it.

    The shell is the parent of what has lost its own, which mutmut would take for its mutants.
    """
    if os.geteuid() != 0:
        return []
    return ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", '"$@"; exit $?', "sh"]
