"""The definition of an environment: the folder `images/NAME/` with its label, lists, locks and smoke test."""

import os
import re
import sys
import tomllib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from skiva_images.digest import canonical
from skiva_images.record import Gpu

__all__ = [
    "NAME",
    "Cpu",
    "Definition",
    "DefinitionError",
    "Label",
    "defined",
    "find",
    "load",
    "locked",
    "shown_versions",
]

NAME = re.compile(r"[a-z][a-z0-9_-]{0,39}")
_Line = Annotated[str, StringConstraints(max_length=300, pattern=r"\A[^\x00-\x1f\x7f]*\z")]
_Package = Annotated[str, StringConstraints(pattern=r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,99}\z")]


_PINNED = re.compile(r"^([A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?==([^\s;\\]+)", re.MULTILINE)


class DefinitionError(ValueError):
    """A definition is missing or wrong; the text says which file, which field, and what to do."""


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Cpu(_Table):
    """How the same environment is built where there is no GPU."""

    replace: tuple[_Package, ...] = Field(min_length=1)
    """Packages whose archives for CPUs come from elsewhere than those in the lock."""
    omit: tuple[_Line, ...] = ()
    """Patterns (`nvidia-*`) of packages that only the build for GPUs needs."""
    needs: _Line = ""
    """What takes the place of the label's `needs`."""


class Label(_Table):
    """What `image.toml` says."""

    title: Annotated[_Line, StringConstraints(min_length=1, max_length=40)]
    description: _Line = ""
    good_for: _Line = ""
    needs: _Line = ""
    gpu: Gpu = "unused"
    extends: Annotated[str, StringConstraints(pattern=rf"\A{NAME.pattern}\z")] | None = None
    """The definition whose packages are all in this one too, in the same versions."""
    shown: tuple[_Package, ...] = ()
    """Distributions whose versions pages show, in this order."""
    skiva: bool = True
    """Whether Skiva itself belongs in it: what is to run a notebook server, batch run or worker needs it."""
    cpu: Cpu | None = None

    @model_validator(mode="after")
    def _cpu_fits(self) -> Self:
        if self.cpu and self.gpu == "required":
            raise ValueError("cpu: an environment that requires a GPU has no build for CPUs")
        return self


class Definition(_Table):
    """A definition, read whole; what it names is there."""

    name: str
    folder: Path
    label: Label

    @property
    def lock(self) -> Path:
        """Versions and hashes of every package, for every Python that Skiva runs on."""
        return self.folder / "requirements.txt"

    @property
    def smoke(self) -> Path:
        """A program that ends with status 0 in a good build, and else says what is wrong."""
        return self.folder / "smoke.py"


def folders(more: Sequence[Path] = ()) -> list[Path]:
    """Where definitions are looked for: the operator's own folders first, then Skiva's."""
    beside = Path(__file__).resolve().parents[1]  # a checkout's `images`
    named = [Path(part) for part in os.environ.get("SKIVA_DEFINITIONS", "").split(os.pathsep) if part]
    shipped = Path(sys.prefix) / "share" / "skiva" / "images"
    checkout = [beside] if (beside / "base" / "image.toml").is_file() else []
    return [*more, *named, *checkout, shipped]


def defined(more: Sequence[Path] = ()) -> list[str]:
    """The names that `find` knows."""
    return sorted({file.parent.name for folder in folders(more) for file in folder.glob("*/image.toml")})


def find(name: str, more: Sequence[Path] = ()) -> Definition:
    """The definition with this name. Raises `DefinitionError` where there is none, or it is wrong."""
    if NAME.fullmatch(name):
        for folder in folders(more):
            if (folder / name / "image.toml").is_file():
                return load(folder / name)
    known = ", ".join(defined(more)) or "none"
    raise DefinitionError(f"There is no environment called {name!r} to build; defined are: {known}.")


def load(folder: Path) -> Definition:
    """The definition in this folder. Raises `DefinitionError`."""
    file = folder / "image.toml"
    if not NAME.fullmatch(folder.name):
        raise DefinitionError(f"{folder}: a definition's name has small letters, digits, - and _ only.")
    try:
        label = Label.model_validate(tomllib.loads(file.read_text("utf-8")))
    except OSError as error:
        raise DefinitionError(f"{file} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DefinitionError(f"{file} is not TOML: {error}.") from error
    except ValidationError as error:
        # A misspelt field explains the missing one.
        first = min(error.errors(), key=lambda each: each["type"] != "extra_forbidden")
        field = ".".join(map(str, first["loc"])) or "the file"
        raise DefinitionError(f"{file}: {field}: {first['msg']}.") from error
    definition = Definition(name=folder.name, folder=folder, label=label)
    for part in (definition.lock, definition.smoke):
        if not part.is_file():
            raise DefinitionError(f"{folder} lacks the file {part.name}, which belongs to every definition.")
    return definition


def locked(lock: str) -> dict[str, str]:
    """The versions that a lock names, by distribution; where they differ between Pythons, the first."""
    found: dict[str, str] = {}
    for name, version in _PINNED.findall(lock):
        found.setdefault(canonical(name), version)
    return found


def shown_versions(shown: Iterable[str], packages: dict[str, str]) -> dict[str, str]:
    """Of these distributions, in their order, what is installed."""
    return {name: packages[canonical(name)] for name in shown if canonical(name) in packages}
