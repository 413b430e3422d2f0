"""Which environment a path means: a uv, venv, conda or pixi environment, a Python, or a project folder."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

__all__ = ["Environment", "Kind", "NoEnvironment", "find"]

Kind = Literal["uv", "venv", "conda", "pixi", "python"]
KINDS: tuple[Kind, ...] = ("uv", "venv", "conda", "pixi", "python")
_CONDA_ROOTS = ("miniforge3", "mambaforge", "miniconda3", "anaconda3", "micromamba", ".conda", ".mamba")


class NoEnvironment(Exception):
    """There is no environment, or more than one; its text says what to do."""


@dataclass(frozen=True, slots=True)
class Environment:
    """An environment of Python on disk.

    Attributes:
        kind: who made it, and so who installs into it.
        prefix: its directory.
        python: its interpreter; never resolved, since a virtual environment is a link.
        project: the project folder that it belongs to, where there is one.
    """

    kind: Kind
    prefix: Path
    python: Path
    project: Path | None = None

    @property
    def label(self) -> str:
        """What people call it: the project's name, or the directory's."""
        if self.kind == "python":
            return self.python.name
        if self.project and self.prefix.name.lstrip(".") in {"venv", "env", "default", "conda"}:
            return self.project.name
        return self.prefix.name


def find(path: Path, wanted: str = "", home: Path | None = None) -> Environment:
    """The environment at a path; `wanted` picks one by name where a project has several.

    Raises:
        NoEnvironment: nothing is there, or several are and none was picked.
    """
    place = Path(os.path.abspath(path.expanduser()))  # noqa: PTH100 - a link in the path is the person's choice
    if not os.path.lexists(place):
        raise NoEnvironment(f"{place} is not there; give the path of an environment, a Python or a project.")
    if not place.is_dir():
        return _of_python(place)
    if kind := kind_of(place):
        return _made(kind, place)
    choices = in_project(place, home or Path.home())
    if wanted:
        choices = {name: prefix for name, prefix in choices.items() if wanted in (name, str(prefix))}
    if not choices:
        what = f"no environment called {wanted}" if wanted else "no environment (.venv, .pixi or conda's)"
        raise NoEnvironment(f"{place} has {what}; make one in it, for example with 'uv venv'.")
    if len(choices) > 1:
        raise NoEnvironment(
            f"{place} has several environments: {', '.join(choices)}. "
            f"Say which, as in --env {next(iter(choices))}."
        )
    prefix = next(iter(choices.values()))
    return _made(kind_of(prefix) or "venv", prefix, project=place)


def kind_of(directory: Path) -> Kind | None:
    """Who made the environment in this directory; None where it is none."""
    if (directory / "conda-meta").is_dir():
        return "pixi" if directory.parts[-3:-1] == (".pixi", "envs") else "conda"
    try:
        text = (directory / "pyvenv.cfg").read_text(errors="replace")
    except OSError:
        return None
    return "uv" if re.search(r"^uv\s*=", text, re.MULTILINE) else "venv"


def in_project(folder: Path, home: Path) -> Mapping[str, Path]:
    """The environments of a project folder by the names that `--env` takes."""
    found = {name: folder / name for name in (".venv", "venv", "env", ".conda") if kind_of(folder / name)}
    for prefix in sorted((folder / ".pixi" / "envs").glob("*")):
        if kind_of(prefix):
            found[f"pixi:{prefix.name}"] = prefix
    if conda := _conda_environment(folder, home):
        found[f"conda:{conda.name}"] = conda
    return found


def _conda_environment(folder: Path, home: Path) -> Path | None:
    """The environment that the project's `environment.yml` names, if it was made."""
    for file in (folder / "environment.yml", folder / "environment.yaml"):
        try:
            named = re.search(r"^name:\s*[\"']?([^\s\"'#]+)", file.read_text(errors="replace"), re.MULTILINE)
        except OSError:
            continue
        if named:
            return next((p for p in _conda_prefixes(home, named[1]) if kind_of(p) == "conda"), None)
    return None


def _conda_prefixes(home: Path, name: str) -> list[Path]:
    try:  # conda's own list of all that it made
        listed = [Path(line) for line in (home / ".conda" / "environments.txt").read_text().splitlines()]
    except OSError:
        listed = []
    return [p for p in listed if p.name == name] + [home / root / "envs" / name for root in _CONDA_ROOTS]


def _of_python(python: Path) -> Environment:
    prefix = python.parent.parent
    if python.parent.name == "bin" and (kind := kind_of(prefix)):
        return _made(kind, prefix, python)
    if not re.match(r"(python|pypy)[0-9.]*\Z", python.name):
        raise NoEnvironment(
            f"{python} is not a Python; give the path of an environment, a Python or a project."
        )
    return Environment("python", prefix, python)


def _made(
    kind: Kind, prefix: Path, python: Path | None = None, *, project: Path | None = None
) -> Environment:
    places = [python] if python else [prefix / "bin/python", prefix / "bin/python3"]
    there = next((place for place in places if os.path.lexists(place)), None)
    if there is None:
        raise NoEnvironment(f"{prefix} has no bin/python; install one into it, or make the environment anew.")
    return Environment(kind, prefix, there, project or _project_of(kind, prefix))


def _project_of(kind: Kind, prefix: Path) -> Path | None:
    if kind == "pixi":
        return prefix.parents[2]
    signs = ("pyproject.toml", "uv.lock", "setup.py", ".git", "environment.yml")
    folder = prefix.parent
    is_project = prefix.name.startswith(".") or any((folder / sign).exists() for sign in signs)
    return folder if is_project and kind in {"uv", "venv"} else None
