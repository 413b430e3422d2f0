"""Copies of the checkout to work in: one to be mutated, and one as it is for what tests start."""

import shutil
import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

# The tests of each package, by its longest name here.
_TESTS = {
    "hub_config/skiva_hub": ["tests/unit/site", "tests/unit/pages"],
    "hub_config/skiva_hub/embedded": ["tests/unit/embedded"],
    "spawners/skiva_slurm": ["tests/unit/slurm"],
    "spawners/skiva_spawners": ["tests/unit/spawner"],
    "extensions/skiva": ["tests/unit/notebook"],
    "extensions/skiva/dask": ["tests/unit/dask"],
    "extensions/skiva/runs": ["tests/unit/runs"],
    "extensions/skiva/scheduler": ["tests/unit/scheduler"],
    "images/skiva_images": ["tests/unit/images"],
}
_LEFT_OUT = shutil.ignore_patterns(".git", ".*_cache", ".hypothesis", ".skiva", "__pycache__", "node_modules")


@dataclass(frozen=True)
class Trees:
    """Copies of the checkout in one folder.

    Attributes:
        packages: where packages are, below a tree.
        mutated: the tree in which modules are mutated and tests run.
        plain: the other.
        scratch: for what tests write.
    """

    packages: tuple[Path, ...]
    mutated: Path
    plain: Path
    scratch: Path

    @property
    def roots(self) -> list[Path]:
        """The folders that packages are in, below a tree."""
        return sorted({package.parent for package in self.packages})

    def module(self, file: Path) -> str:
        """What a file of the checkout is imported as."""
        package = next(package for package in self.packages if file.is_relative_to(package))
        parts = file.relative_to(package.parent).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def copy(root: Path, folder: Path) -> Trees:
    """Copy the checkout into an empty folder, twice."""
    trees = Trees(tuple(_packages(root)), *(folder / name for name in ("mutated", "plain", "s")))
    trees.scratch.mkdir()
    for tree in (trees.mutated, trees.plain):
        shutil.copytree(root, tree, symlinks=True, ignore=_LEFT_OUT)
    return trees


def modules(root: Path, paths: Sequence[Path]) -> list[Path]:
    """The modules in paths of the checkout, relative to it as they are."""
    found: set[Path] = set()
    for path in paths:
        found.update((root / path).rglob("*.py") if (root / path).is_dir() else [root / path])
    packages = [root / package for package in _packages(root)]
    if not found:
        raise SystemExit("skiva: there is no module to mutate.")
    for file in found:
        if not file.is_file() or not any(file.is_relative_to(package) for package in packages):
            raise SystemExit(f"skiva: {file} is no module of Skiva's.")
    return sorted(file.relative_to(root) for file in found)


def tried_with(files: Iterable[Path]) -> list[str]:
    """The tests that modules are tried with."""
    found: dict[str, None] = {}
    for file in files:
        owner = max((name for name in _TESTS if file.is_relative_to(name)), key=len, default="")
        found.update(dict.fromkeys(_TESTS.get(owner, ["tests/unit"])))
    return list(found)


def _packages(root: Path) -> list[Path]:
    project = tomllib.loads((root / "pyproject.toml").read_text())
    return [Path(name) for name in project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]]
