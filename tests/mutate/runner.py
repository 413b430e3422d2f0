"""Runs the loop in the copy, where nothing that a mutant does outlives it."""

import json
import os
import subprocess
import sys
from collections.abc import Sequence

from tests.mutate.loop import Plan, Result
from tests.mutate.tree import Trees


class Stopped(Exception):
    """The mutants could not be tried, and why."""


def run(
    trees: Trees, mutants: Sequence[str], tests: Sequence[str], *, jobs: int, seconds: float = 5.0
) -> Result:
    """Try mutants with tests; each may take so many seconds, or more where its tests do."""
    plan, result = trees.scratch / "plan", trees.scratch / "result"
    plan.write_text(json.dumps(_plan(trees, mutants, tests, jobs, seconds)))
    done = subprocess.run(
        [*_alone(), sys.executable, "-m", "tests.mutate.loop", str(plan), str(result)],
        cwd=trees.mutated,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(str(trees.plain / root) for root in trees.roots)},
        stdout=subprocess.PIPE,
        check=False,
    )
    said = done.stdout.decode(errors="replace")[-20000:]
    if not result.exists():
        raise Stopped(f"{said}\nskiva: trying the mutants ended with status {done.returncode}.")
    told: Result = json.loads(result.read_text())
    if told["error"]:
        raise Stopped(f"{said}\nskiva: {told['error']}")
    return told


def _plan(trees: Trees, mutants: Sequence[str], tests: Sequence[str], jobs: int, seconds: float) -> Plan:
    return Plan(
        mutants=list(mutants),
        pytest=[
            # Of processes that share one file for what is printed, each would read what others print.
            *("-q", "--capture=no", "-n0", "-p", "no:cacheprovider"),
            *("-m", "not slurm and not browser"),
            *("-o", f"pythonpath={' '.join(map(str, trees.roots))}"),
            *tests,
        ],
        scratch=str(trees.scratch),
        seconds=seconds,
        jobs=jobs,
    )


def _alone() -> list[str]:
    """Processes of its own for root: a mutant signals no other one, and what it leaves behind ends with it.

    The shell is the parent of what has lost its own.
    """
    if os.geteuid() != 0:
        return []
    return ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc", "sh", "-c", '"$@"; exit $?', "sh"]
