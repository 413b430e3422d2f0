"""Who uses a version: environments of a site file, and programs that run on this machine."""

import contextlib
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from skiva_images.store import Built, StoreError

__all__ = ["Use", "processes", "site_uses", "uses_of"]


class Use(NamedTuple):
    """An environment of a site file, and the paths that it names."""

    environment: str
    python: Path | None
    image: Path | None

    def is_of(self, built: Built) -> bool:
        """Whether it leads into this version, by its own name or by that of the current one."""
        real = built.path.resolve()
        for path in (self.image, self.python):
            if path is None:
                continue
            for part in (path, *path.parents):  # the Python itself is a link out of the environment
                if part.name and part.resolve() == real:
                    return True
        return False

    def missing(self) -> str | None:
        """What of it is not on this machine, in a sentence."""
        path = self.image or self.python
        if path is None or path.exists():
            return None
        return f"The environment {self.environment!r} of the site file names {path}, which is not there."


def site_uses(site: Path) -> list[Use]:
    """The environments of a site file. Raises `StoreError` where it cannot be read."""
    try:
        tables = tomllib.loads(site.read_text("utf-8")).get("environment", [])
    except OSError as error:
        raise StoreError(f"The site file {site} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise StoreError(f"The site file {site} is not TOML: {error}.") from error
    return [
        Use(str(table.get("id", "?")), _path(table.get("python")), _path(table.get("image")))
        for table in tables
        if isinstance(table, dict)
    ]


def _path(value: object) -> Path | None:
    return Path(value) if isinstance(value, str) else None


def uses_of(built: Built, uses: Iterable[Use]) -> list[str]:
    """The environments that start this version."""
    return [use.environment for use in uses if use.is_of(built)]


def processes(built: Built) -> list[int]:
    """Programs of this machine that have files of this version open for running, as far as one may see."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if f" {built.path.resolve()}" in (entry / "maps").read_text("utf-8", "replace"):
                found.append(int(entry.name))
    return sorted(found)
