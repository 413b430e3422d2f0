"""The checks that are no tests of behaviour: style, types, the sides kept apart, the manual."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ["skiva", "images/lock", ".ci/run"]


def run(*argv: str | Path) -> None:
    """Run a tool in the checkout; what it complains about is the failure's text."""
    env = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run(argv, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.fail(f"{' '.join(map(str, argv))}\n{done.stdout}{done.stderr}", pytrace=False)


def test_code_is_in_ruffs_rules() -> None:
    """Ruff finds nothing to complain about, so style is never a topic of review."""
    run("ruff", "check", "--no-cache", "--output-format=concise")


def test_code_is_laid_out_by_ruff() -> None:
    """Nobody discusses where a line breaks."""
    run("ruff", "format", "--check", "--no-cache")


def test_types_are_complete() -> None:
    """Mypy's strict mode passes over code and tests."""
    run("mypy")


def test_sides_are_kept_apart() -> None:
    """Notebooks never import the hub, the hub never imports notebooks, the Slurm layer imports neither."""
    run("lint-imports", "--no-cache")


def test_manual_is_built_without_a_warning(tmp_path: Path) -> None:
    """Every page is reachable and every reference inside the manual leads somewhere."""
    trees, html = tmp_path / "trees", tmp_path / "html"
    run("sphinx-build", "-q", "-n", "-W", "--keep-going", "-b", "html", "-d", trees, "docs", html)


@pytest.mark.skipif(not shutil.which("shellcheck"), reason="shellcheck is not installed")
def test_shell_scripts_are_clean() -> None:
    """Shellcheck finds nothing in the scripts that everything starts with."""
    run("shellcheck", *SCRIPTS)
