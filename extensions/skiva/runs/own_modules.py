"""Modules that are a person's own files, and so may change from one run to the next."""

import hashlib
import importlib.util
import sys
import sysconfig
from pathlib import Path

__all__ = ["own_source"]

_MOST = 500
"""Files of a package that are looked at."""


def own_source(module: str) -> bytes:
    """A digest of a module's source, of its whole package where it is in one; empty for installed ones."""
    place = _place(module.partition(".")[0])
    if place is None or not _is_own(place):
        return b""
    files = sorted(place.parent.rglob("*.py"))[:_MOST] if place.name == "__init__.py" else [place]
    found = hashlib.blake2b(digest_size=16)
    for file in files:
        try:
            content = file.read_bytes()
        except OSError:
            continue
        found.update(f"{file.relative_to(place.parent)} {len(content)}\n".encode() + content)
    return found.digest()


def _place(module: str) -> Path | None:
    known = sys.modules.get(module)
    origin = getattr(known, "__file__", None)
    if known is None:
        try:
            spec = importlib.util.find_spec(module)
        except (ImportError, ValueError, AttributeError):
            return None
        origin = spec.origin if spec else None
    return Path(origin) if origin and origin.endswith(".py") else None


def _is_own(place: Path) -> bool:
    if {"site-packages", "dist-packages"} & set(place.parts):
        return False
    paths = sysconfig.get_paths()
    return not any(place.is_relative_to(paths[name]) for name in ("stdlib", "platstdlib"))
