"""The browser's side, which Stryker mutates with a configuration of its own."""

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

_FOLDER = Path("extensions/labextension")


def owns(path: Path) -> bool:
    """Whether a path of the checkout is the browser's side."""
    return path.is_relative_to(_FOLDER)


def mutate(root: Path, paths: Sequence[Path]) -> bool:
    """Let Stryker try the paths: whether as many were noticed as its configuration asks for."""
    folder = root / _FOLDER
    if not (folder / "node_modules").is_dir():
        raise SystemExit(f"skiva: run 'npm ci' in {_FOLDER} first.")
    wanted = ",".join(filter(None, (_pattern(root, path) for path in paths)))
    # Node.js as it comes with what builds the wheel, where the machine has none.
    path = f"{os.environ.get('SKIVA_TEST_DIR', '')}/venv/boot/bin{os.pathsep}{os.environ['PATH']}"
    argv = ["npm", "run", "mutate", *(["--", "--mutate", wanted] if wanted else [])]
    return subprocess.run(argv, cwd=folder, env={**os.environ, "PATH": path}, check=False).returncode == 0


def _pattern(root: Path, path: Path) -> str:
    """The files of a path as Stryker takes them; none for all of them, which its configuration knows."""
    inside = path.relative_to(_FOLDER)
    if inside in {Path(), Path("src")}:
        return ""
    return f"{inside}/**/*.ts" if (root / path).is_dir() else str(inside)
