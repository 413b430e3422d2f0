"""The browser's side: Stryker mutates it, where npm has put it."""

import subprocess
from collections.abc import Sequence
from pathlib import Path

_FOLDER = Path("extensions/labextension")


def owns(path: Path) -> bool:
    """Whether a path of the checkout is the browser's side."""
    return path.is_relative_to(_FOLDER) or path.suffix in {".ts", ".tsx"}


def mutate(root: Path, paths: Sequence[Path]) -> bool:
    """Let Stryker try the paths: whether as many were noticed as its configuration asks for."""
    wanted = ",".join(_pattern(root, path) for path in paths)
    argv = ["npx", "--no-install", "stryker", "run", *(["--mutate", wanted] if wanted else [])]
    return subprocess.run(argv, cwd=root / _FOLDER, check=False).returncode == 0


def _pattern(root: Path, path: Path) -> str:
    """The files of a path as Stryker takes them; none for the whole folder, which its configuration knows."""
    inside = path.relative_to(_FOLDER)
    if inside == Path():
        return ""
    return f"{inside}/**/*.ts" if (root / path).is_dir() else str(inside)
