"""What differs between two environments."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from skiva_images.record import ImageRecord, RecordError, load_record, read_record
from skiva_images.store import Store, StoreError

__all__ = ["Difference", "Packages", "difference", "record_of", "table"]


class Packages(BaseModel):
    """Changes between two lists of packages."""

    model_config = ConfigDict(frozen=True)

    added: dict[str, str]
    removed: dict[str, str]
    changed: dict[str, tuple[str, str]]


class Difference(BaseModel):
    """From one environment to another."""

    model_config = ConfigDict(frozen=True)

    same: bool
    """Whether the digests are equal."""
    python: tuple[str, str] | None
    """The versions of Python, where they differ."""
    packages: Packages
    debian: Packages


def difference(old: ImageRecord, new: ImageRecord) -> Difference:
    """What is to be told of the way from `old` to `new`."""
    python = (old.python_version, new.python_version)
    return Difference(
        same=old.digest == new.digest,
        python=None if python[0] == python[1] else python,
        packages=_compare(old.packages, new.packages),
        debian=_compare(old.debian, new.debian) if old.debian and new.debian else _compare({}, {}),
    )


def _compare(old: Mapping[str, str], new: Mapping[str, str]) -> Packages:
    return Packages(
        added={name: new[name] for name in sorted(new.keys() - old.keys())},
        removed={name: old[name] for name in sorted(old.keys() - new.keys())},
        changed={n: (old[n], new[n]) for n in sorted(old.keys() & new.keys()) if old[n] != new[n]},
    )


def table(found: Difference) -> list[str]:
    """The lines that people read: `+` what came, `-` what went, `~` what changed."""
    lines = [f"~ Python {found.python[0]} -> {found.python[1]}"] if found.python else []
    for kind, packages in (("", found.packages), ("Debian: ", found.debian)):
        lines += [f"+ {kind}{name} {version}" for name, version in packages.added.items()]
        lines += [f"- {kind}{name} {version}" for name, version in packages.removed.items()]
        lines += [f"~ {kind}{name} {old} -> {new}" for name, (old, new) in packages.changed.items()]
    if not lines:
        lines = ["The same." if found.same else "The same versions, but other contents of a package."]
    return lines


def record_of(text: str, store: Store) -> ImageRecord:
    """The record that a name, a version or a path stands for. Raises `StoreError`."""
    path = Path(text)
    if "/" in text or path.suffix == ".json":
        try:
            found = load_record(path) if path.suffix == ".json" else read_record(path)
        except (FileNotFoundError, RecordError) as error:
            raise StoreError(f"{text} is not the record of an environment: {error}") from error
        if found is None:
            raise StoreError(f"{text} has no record beside it; is it an environment that Skiva built?")
        return found
    forms = [built for built in store.versions(text) if built.current]
    if forms:  # whichever form: the same definition
        return max(forms, key=lambda built: built.version).record()
    return store.find(text).record()
