"""The digest of an environment: the same for the same Python and packages, wherever and however installed."""

import csv
import hashlib
import re
from collections.abc import Iterable, Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path, PurePosixPath
from typing import NamedTuple

__all__ = ["Installed", "canonical", "digest", "entries", "installed", "pyvenv_version", "site_packages"]

_NOTES = frozenset({"RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json", "uv_build.json"})
"""What installers write beside a package: it says how it came here, not what it is."""
_SCRIPTS = ("bin", "Scripts", "include")


class Installed(NamedTuple):
    """One distribution of an environment."""

    name: str
    version: str
    content: str
    """A hash over the files that it brought, in hexadecimal digits."""


def canonical(name: str) -> str:
    """A distribution's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def digest(python_version: str, packages: Iterable[Installed]) -> str:
    """`sha256:…` over the version of Python and every distribution, in no particular order."""
    lines = [f"python {python_version}", *sorted(" ".join(package) for package in packages)]
    return "sha256:" + hashlib.sha256("\n".join(lines).encode()).hexdigest()


def installed(packages: Path) -> list[Installed]:
    """Every distribution in this `site-packages`, in the alphabet's order of names."""
    found = {}
    for distribution in distributions(path=[str(packages)]):
        name = canonical(distribution.name)
        found[name] = Installed(name, distribution.version, _content(distribution))
    return [found[name] for name in sorted(found)]


def entries(record: str) -> Iterator[tuple[str, str]]:
    """Path and hash of each file in a RECORD that is the same wherever the distribution is installed.

    Scripts name their Python, byte code its time, and installers leave notes: none of them counts. Paths are
    relative to the environment's prefix where they leave `site-packages`, and to `site-packages` else.
    """
    for row in csv.reader(record.replace("\0", "").splitlines()):
        if len(row) < 2 or not row[1]:
            continue
        path = PurePosixPath(row[0])
        if path.is_absolute() or path.suffix == ".pyc" or "__pycache__" in path.parts:
            continue
        outside = path.parts[:1] == ("..",)
        parts = tuple(part for part in path.parts if part != "..")
        if not parts or (outside and parts[0] in _SCRIPTS):
            continue
        if parts[0].endswith(".dist-info") and parts[-1] in _NOTES:
            continue
        yield ("prefix:" if outside else "") + "/".join(parts), row[1]


def _content(distribution: Distribution) -> str:
    record = distribution.read_text("RECORD") or ""
    lines = sorted(f"{path} {value}" for path, value in entries(record))
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def site_packages(prefix: Path) -> Path:
    """Where the packages of the environment with this prefix are. Raises `FileNotFoundError`."""
    for found in sorted(prefix.glob("lib/python3.*/site-packages")):
        return found
    raise FileNotFoundError(f"{prefix} is not a Python environment: it has no lib/python3.*/site-packages.")


def pyvenv_version(prefix: Path) -> str:
    """The version of Python that `pyvenv.cfg` says an environment is for. Raises `FileNotFoundError`."""
    text = (prefix / "pyvenv.cfg").read_text()
    found = re.search(r"^version(?:_info)?\s*=\s*(\d+\.\d+\.\d+)", text, re.MULTILINE)
    if not found:
        raise FileNotFoundError(f"{prefix}/pyvenv.cfg does not say which Python it is for.")
    return found[1]
