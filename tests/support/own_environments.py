"""Environments such as people make in their homes: of uv and venv real ones, of conda and pixi the layout."""

import os
import subprocess
import sys
from pathlib import Path

__all__ = ["conda_layout", "make", "uv", "uv_cache"]

_PYTHON = "/usr/bin/python3" if Path("/usr/bin/python3").exists() else sys.executable


def uv() -> Path:
    """The installer's path."""
    return Path(os.environ["SKIVA_TEST_DIR"]) / "venv/boot/bin/uv"


def uv_cache() -> str:
    """Where it keeps what it has downloaded."""
    return subprocess.run([uv(), "cache", "dir"], capture_output=True, text=True, check=True).stdout.strip()


def make(prefix: Path, *packages: str, kind: str = "uv") -> Path:
    """A real environment, with these packages installed; its prefix.

    Its files are copies: a test that breaks one must break no other environment on this machine.
    """
    if kind == "uv":
        _run(str(uv()), "venv", "--quiet", "--no-project", "--python", _PYTHON, str(prefix))
    else:
        _run(_PYTHON, "-m", "venv", "--without-pip", str(prefix))
    if packages:
        _run(
            str(uv()),
            "pip",
            "install",
            "--quiet",
            "--link-mode=copy",
            "--python",
            str(prefix / "bin/python"),
            *packages,
        )
    return prefix


def conda_layout(prefix: Path) -> Path:
    """What conda and pixi leave behind, around this machine's Python."""
    (prefix / "conda-meta").mkdir(parents=True)
    (prefix / "conda-meta/history").touch()
    (prefix / "conda-meta/python-3.11.2-0.json").write_text("{}")
    (prefix / "bin").mkdir()
    (prefix / "bin/python").symlink_to(_PYTHON)
    return prefix


def _run(*argv: str) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
