"""A copy of the checkout that mutmut can work in.

mutmut derives a module's name from its path, which must be `src/…` for that, and tries mutants in a folder
`mutants` below. So the copy has the tree twice, as it is and to be mutated, and in both a folder `src` of
links to the packages:

    tree/spawners/skiva_slurm           as it is, and what processes import that a test starts
    tree/src/skiva_slurm                -> ../spawners/skiva_slurm
    tree/mutants/spawners/skiva_slurm   all mutants, of which a variable chooses one
    tree/mutants/src/skiva_slurm        -> ../spawners/skiva_slurm
"""

import json
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
_PYTEST = [
    *("-n0", "-p", "no:cacheprovider", "-p", "tests.mutate.plugin"),
    *("-m", "not slurm and not browser"),
]
_LEFT_OUT = shutil.ignore_patterns(".git", ".*_cache", ".hypothesis", ".skiva", "__pycache__", "node_modules")


@dataclass(frozen=True)
class Tree:
    """A copy to try mutants in.

    Attributes:
        path: the copy.
        packages: where they are, below it.
        scratch: for what tests write.
    """

    path: Path
    packages: tuple[Path, ...]
    scratch: Path

    @property
    def roots(self) -> list[str]:
        """The folders that packages are in."""
        return sorted({str(package.parent) for package in self.packages})

    def named(self, file: Path) -> Path:
        """What mutmut calls a module of the checkout."""
        package = next(package for package in self.packages if file.is_relative_to(package))
        return "src" / file.relative_to(package.parent)


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


def tests_of(files: Iterable[Path]) -> list[str]:
    """The tests that modules are tried with."""
    found: dict[str, None] = {}
    for file in files:
        owner = max((name for name in _TESTS if file.is_relative_to(name)), key=len, default="")
        found.update(dict.fromkeys(_TESTS.get(owner, ["tests/unit"])))
    return list(found)


def copy(root: Path, folder: Path, *, files: Iterable[Path], tests: Sequence[str]) -> Tree:
    """Copy the checkout into an empty folder, for these modules to be mutated and tried with these tests."""
    tree = Tree(folder / "t", tuple(_packages(root)), folder / "s")
    tree.scratch.mkdir()
    for place in (tree.path, tree.path / "mutants"):
        shutil.copytree(root, place, symlinks=True, ignore=_LEFT_OUT)
        (place / "src").mkdir()
        for package in tree.packages:
            (place / "src" / package.name).symlink_to(Path("..", package))
    settings = {
        "source_paths": [str(tree.named(file)) for file in files],
        "pytest_add_cli_args_test_selection": list(tests),
        "pytest_add_cli_args": [*_PYTEST, "-o", f"pythonpath={' '.join(tree.roots)}"],
        # A mutant may take five times as long as its tests took together and two seconds.
        "timeout_constant": 2.0,
        "timeout_multiplier": 5.0,
        # What functions keep of an earlier run must not hide a mutant.
        "process_isolation": "forkserver",
        "use_git_change_detection": False,
        "track_dependencies": False,
    }
    with (tree.path / "pyproject.toml").open("a") as stream:
        stream.write("\n[tool.mutmut]\n")
        stream.writelines(f"{name} = {json.dumps(value)}\n" for name, value in settings.items())
    return tree


def _packages(root: Path) -> list[Path]:
    project = tomllib.loads((root / "pyproject.toml").read_text())
    return [Path(name) for name in project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]]
