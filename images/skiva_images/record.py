"""What an environment is: the record that lies beside its files as `image.json`."""

import contextlib
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

__all__ = ["FILE", "Digest", "Form", "Gpu", "ImageRecord", "RecordError", "load_record", "read_record"]

FILE = "image.json"
Form = Literal["env", "oci", "sif"]
Gpu = Literal["unused", "helps", "required"]
Digest = Annotated[str, StringConstraints(pattern=r"\Asha256:[0-9a-f]{64}\z")]
_LONGEST = 4 * 1024 * 1024


class RecordError(ValueError):
    """A record is there and cannot be understood; the text names the file."""


class ImageRecord(BaseModel):
    """One built environment, in whichever form: what is in it, and how to tell it from any other."""

    model_config = ConfigDict(frozen=True, extra="ignore")  # an older hub may read a newer builder's record

    name: str
    """The definition that it was made from, e.g. `base`."""
    form: Form
    """`env` is a directory of the machine, `oci` a container image, `sif` a single file."""
    digest: Digest
    """The same for the same Python and packages in every form, on every machine."""
    python: str
    """The path of its Python, as it is called inside."""
    python_version: str
    """E.g. `3.11.2`."""
    title: str = ""
    """Two or three words for the page."""
    description: str = ""
    """One sentence on what is in it."""
    good_for: str = ""
    """One sentence on when to choose it."""
    needs: str = ""
    """One sentence on what it wants of a slice or node; empty where any will do."""
    gpu: Gpu = "unused"
    """Whether a GPU is of use to it, or needed for anything at all."""
    versions: dict[str, str] = Field(default_factory=dict)
    """What pages show: versions by name, in the order of the definition."""
    packages: dict[str, str] = Field(default_factory=dict)
    """Every installed distribution: version by name, in the alphabet's order."""
    debian: dict[str, str] = Field(default_factory=dict)
    """Every Debian package of an image: version by name; empty for an env, which uses its machine's."""
    hashes: dict[str, str] = Field(default_factory=dict)
    """The archives' hashes of packages that the definition's own lock does not fix."""
    recipe: str = ""
    """A hash over all that went into the build, known before it."""
    size: int = 0
    """Bytes on disk."""
    built: str = ""
    """When, in UTC, e.g. `2026-11-22T01:02:03Z`."""
    skiva: str = ""
    """Skiva's version in it; empty where there is none."""

    @property
    def short_digest(self) -> str:
        """Twelve hexadecimal digits, enough for people and for file names."""
        return self.digest.removeprefix("sha256:")[:12]

    def text(self) -> str:
        """What the file `image.json` says."""
        return self.model_dump_json(indent=1, exclude_defaults=True) + "\n"


def load_record(file: Path) -> ImageRecord:
    """The record in this file.

    Raises `FileNotFoundError` where there is none, `RecordError` where it cannot be read or understood.
    """
    try:
        with file.open("rb") as stream:
            content = stream.read(_LONGEST + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise RecordError(f"{file} cannot be read: {error.strerror}.") from error
    if len(content) > _LONGEST:
        raise RecordError(f"{file} is too long for the record of an environment.")
    try:
        return ImageRecord.model_validate_json(content)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "the file"
        raise RecordError(f"{file} is not the record of an environment: {field}: {first['msg']}.") from error


def read_record(python_or_image: Path) -> ImageRecord | None:
    """The record of the environment that this Python, prefix or image belongs to, or None.

    Takes the path of a Python in an environment (`PREFIX/bin/python`), of its prefix, of a single file
    (its record is `FILE.json` beside it), of an OCI bundle or of the bundle's `rootfs`.
    """
    for file in _candidates(python_or_image):
        with contextlib.suppress(FileNotFoundError, NotADirectoryError, RecordError):
            return load_record(file)
    return None


def _candidates(path: Path) -> list[Path]:
    if path.parent.name == "bin":  # never resolved: the Python of a venv is a link to the machine's
        return [path.parent.parent / FILE]
    real = path.resolve()  # `current.sif` is a link to the file that the record is named after
    found = [real.with_name(f"{real.name}.json"), path / FILE]
    if real.name == "rootfs":
        found.append(real.parent / FILE)
    return found
