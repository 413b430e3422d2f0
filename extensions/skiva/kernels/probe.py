"""What an environment says of itself: its Python is run, and its packages are read."""

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .environments import Environment

__all__ = ["DoesNotRun", "Facts", "ask", "digest_of", "stamp_of"]

_PATIENCE = 120.0
"""Seconds; the first start from a busy shared file system takes long."""
_QUESTION = """\
import importlib.util, json, platform, sys, sysconfig
def where(name):
    found = importlib.util.find_spec(name)
    return found.origin if found else None
version = None
if where("ipykernel"):
    from importlib.metadata import version as read
    version = read("ipykernel")
print(json.dumps({"version": platform.python_version(), "name": platform.python_implementation(),
    "ipykernel": where("ipykernel"), "ipykernel_version": version, "has_pip": bool(where("pip")),
    "packages": sysconfig.get_path("purelib")}))
"""


class DoesNotRun(Exception):
    """A Python cannot be run; its text says why, with the last lines that it printed."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What an environment's Python said.

    Attributes:
        version: of Python, e.g. `3.12.4`.
        implementation: e.g. `CPython`.
        packages: its `site-packages`.
        ipykernel: where ipykernel is; None where it is not installed.
        ipykernel_version: e.g. `7.4.0`.
        has_pip: whether it can install with `python -m pip`.
    """

    version: str
    implementation: str
    packages: Path
    ipykernel: Path | None
    ipykernel_version: str
    has_pip: bool


def ask(python: Path) -> Facts:
    """Run this Python for a moment.

    Raises:
        DoesNotRun: it does not start, or not within two minutes.
    """
    try:
        done = subprocess.run(
            [str(python), "-I", "-c", _QUESTION],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PATIENCE,
            check=False,
        )
    except OSError as problem:
        raise DoesNotRun(f"{python} cannot be run: {problem.strerror}.") from None
    except subprocess.TimeoutExpired:
        raise DoesNotRun(f"{python} did not answer within {_PATIENCE:.0f} seconds.") from None
    try:
        said = json.loads(done.stdout.splitlines()[-1])
        return Facts(
            version=str(said["version"]),
            implementation=str(said["name"]),
            packages=Path(said["packages"]),
            ipykernel=Path(said["ipykernel"]) if said["ipykernel"] else None,
            ipykernel_version=str(said["ipykernel_version"] or ""),
            has_pip=bool(said["has_pip"]),
        )
    except (ValueError, IndexError, KeyError, TypeError):
        lines = "\n".join(done.stderr.splitlines()[-10:])
        raise DoesNotRun(f"{python} does not run; its last lines:\n{lines}") from None


def digest_of(environment: Environment, version: str, packages: Path) -> str:
    """The digest of an environment's Python and packages, like that of an image with the same."""
    from skiva_images.digest import Installed, digest, installed

    found = installed(packages)
    if environment.kind in {"conda", "pixi"}:  # most of what conda installs is not of Python
        meta = (environment.prefix / "conda-meta").glob("*.json")
        found += [Installed(f"conda:{file.stem}", "", "") for file in meta]
    return digest(version, found)


def stamp_of(packages: Path, prefix: Path) -> str:
    """Changes whenever something is installed or removed; costs two looks at directories."""
    seen = []
    for directory in (packages, prefix / "conda-meta"):
        try:
            seen.append(str(directory.stat().st_mtime_ns))
        except OSError:
            seen.append("-")
    return ":".join(seen)
