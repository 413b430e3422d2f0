"""Where built environments lie: every version whole and read-only, and one of each form the current one.

`STORE/NAME/VERSION.FORM` is a version, `STORE/NAME/current.FORM` a link to one of them. A build works in
`STORE/NAME/.new-….FORM`, which is renamed in one step when all of it is done; names with a leading dot are
never a version, and what an interrupted build left behind is taken away by the next one.
"""

import contextlib
import fcntl
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, get_args

from skiva_images.definition import NAME
from skiva_images.record import FILE, Form, ImageRecord, RecordError, load_record

__all__ = ["Built", "Store", "StoreError", "is_version", "make_read_only", "remove_tree", "version_name"]

_VERSION = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{12}")
_FORMS: tuple[Form, ...] = get_args(Form)


class StoreError(ValueError):
    """The store lacks what was asked for, or refuses; the text says what to do."""


class Built(NamedTuple):
    """One version in the store."""

    name: str
    version: str
    form: Form
    path: Path
    """The environment's directory, the OCI bundle's, or the single file."""
    current: bool

    @property
    def record_file(self) -> Path:
        """Where its record lies."""
        return _record_file(self.path, self.form)

    def record(self) -> ImageRecord:
        """Its record. Raises `StoreError` where it is missing or damaged."""
        try:
            return load_record(self.record_file)
        except FileNotFoundError:
            raise StoreError(
                f"{self.path} has no {self.record_file.name}; build {self.name} again."
            ) from None
        except RecordError as error:
            raise StoreError(f"{error} Build {self.name} again.") from error


def version_name(record: ImageRecord) -> str:
    """`20261122T010203Z-0123456789ab`: when it was built, and its short digest."""
    return f"{re.sub(r'[-:]', '', record.built)}-{record.short_digest}"


def is_version(text: str) -> bool:
    """Whether this is the name of a version, and so safe as the name of a file."""
    return bool(_VERSION.fullmatch(text))


class Store:
    """The versions below one directory; it need not exist yet."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def versions(self, name: str | None = None) -> list[Built]:
        """Every version, or those of one name: by name, then oldest first."""
        with contextlib.suppress(OSError):
            names = sorted(entry.name for entry in self.root.iterdir() if NAME.fullmatch(entry.name))
            return [built for each in names if name in {None, each} for built in self._of(each)]
        return []

    def _of(self, name: str) -> list[Built]:
        folder = self.root / name
        found = []
        for entry in sorted(folder.iterdir()) if folder.is_dir() else []:
            version, _, suffix = entry.name.partition(".")
            for form in _FORMS:
                if suffix == form and is_version(version) and not entry.is_symlink():
                    current = _target(folder / f"current.{form}") == entry.name
                    found.append(Built(name, version, form, entry, current))
        return found

    def current(self, name: str, form: Form) -> Built | None:
        """The version of this form that sites start."""
        return next((built for built in self._of(name) if built.form == form and built.current), None)

    def find(self, text: str, *, name: str | None = None, form: Form | None = None) -> Built:
        """The one version that `text` names: a name (its current version), a version or the beginning of
        one, a digest's first digits, or a path. Raises `StoreError` where there is none, or several.
        """  # noqa: D205 - one sentence
        known = [b for b in self.versions(name) if form in {None, b.form}]
        path = Path(os.path.abspath(text))  # noqa: PTH100 - a link's own name counts
        link = path.resolve() if path.is_symlink() else path
        begins = text if len(text) >= 4 else "none"
        for found in (
            [b for b in known if b.version == text],
            [b for b in known if b.name == text and b.current],
            [b for b in known if path == b.path or link == b.path.resolve()],
            [b for b in known if b.version.startswith(begins) or f"-{begins}" in b.version],
        ):
            if len(found) == 1:
                return found[0]
            if found:
                several = ", ".join(f"{built.name}/{built.version}.{built.form}" for built in found)
                raise StoreError(f"{text!r} may be any of {several}; name a whole version, or a --form.")
        raise StoreError(f"There is no {text!r} in {self.root}; 'skiva images list' shows what there is.")

    def switch(self, built: Built) -> None:
        """Make this version the current one of its form, in one step."""
        link = built.path.with_name(f"current.{built.form}")
        new = link.with_name(f".{link.name}-{os.getpid()}")
        new.unlink(missing_ok=True)
        new.symlink_to(built.path.name)
        new.replace(link)

    def remove(self, built: Built) -> None:
        """Take a version away for good. Raises `StoreError` where it is the current one."""
        with self.locked(built.name):
            if _target(built.path.with_name(f"current.{built.form}")) == built.path.name:
                raise StoreError(
                    f"{built.version} is the current {built.name}; switch to another version first "
                    f"('skiva images use {built.name} VERSION')."
                )
            gone = built.path.with_name(f".gone-{built.path.name}")
            built.path.rename(gone)
            if built.form == "sif":
                built.record_file.unlink(missing_ok=True)
            remove_tree(gone)

    @contextlib.contextmanager
    def locked(self, name: str, waiting: Callable[[], None] = lambda: None) -> Iterator[Path]:
        """The folder of `name`, for one process at a time, without what dead ones left in it."""
        folder = self.root / name
        folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                waiting()
                fcntl.flock(lock, fcntl.LOCK_EX)
            for left in [*folder.glob(".new-*"), *folder.glob(".gone-*"), *folder.glob(".current.*")]:
                remove_tree(left)
            yield folder
        finally:
            os.close(lock)

    @contextlib.contextmanager
    def work(self, name: str, form: Form) -> Iterator[Path]:
        """A fresh directory to build in, for `keep`; whatever is still in it at the end is removed.

        Call it inside `locked`. A single file is made in it as `image.sif`.
        """
        place = Path(tempfile.mkdtemp(prefix=".new-", suffix=f".{form}", dir=self.root / name))
        place.chmod(0o755)
        try:
            yield place
        finally:
            if place.exists():
                remove_tree(place)

    def keep(self, place: Path, record: ImageRecord) -> Built:
        """Turn a finished piece of work into a version. It appears whole, or not at all."""
        folder, version = place.parent, version_name(record)
        target = folder / f"{version}.{record.form}"
        if target.exists():  # the same content, built twice in one second
            return Built(record.name, version, record.form, target, current=False)
        if record.form == "sif":
            os.sync()  # see below
            _record_file(target, "sif").write_text(record.text())
            (place / "image.sif").rename(target)
        else:
            if not (place / FILE).exists():
                (place / FILE).write_text(record.text())
            os.sync()  # a machine that loses its power now must not find the name without the content
            place.rename(target)
        return Built(record.name, version, record.form, target, current=False)


def make_read_only(folder: Path) -> None:
    """Let everybody read, and run what is a program, and nobody write: not even, by mistake, the owner."""
    for here, folders, files in os.walk(folder):
        for name in files:
            path = os.path.join(here, name)  # noqa: PTH118 - tens of thousands of files
            mode = os.lstat(path).st_mode
            if stat.S_ISREG(mode):
                os.chmod(path, 0o555 if mode & 0o100 else 0o444)  # noqa: PTH101
        for name in folders:
            path = os.path.join(here, name)  # noqa: PTH118
            if not os.path.islink(path):  # noqa: PTH114
                os.chmod(path, 0o555)  # noqa: PTH101, S103
    folder.chmod(0o555)


def remove_tree(path: Path) -> None:
    """Remove a file, or a directory that was made read-only."""
    if path.is_symlink() or not path.is_dir():
        path.unlink(missing_ok=True)
        return
    for here, _, _ in os.walk(path):
        with contextlib.suppress(OSError):
            os.chmod(here, 0o700)  # noqa: PTH101
    shutil.rmtree(path)


def _target(link: Path) -> str | None:
    with contextlib.suppress(OSError):
        return str(link.readlink())
    return None


def _record_file(path: Path, form: Form) -> Path:
    return path.with_name(f"{path.name}.json") if form == "sif" else path / FILE
