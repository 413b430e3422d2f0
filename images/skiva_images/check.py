"""Whether a version is still what was built: nobody can change it, nothing has changed, and it works."""

import base64
import contextlib
import csv
import hashlib
import json
import os
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

from skiva_images.definition import DefinitionError, find
from skiva_images.digest import digest, entries, installed, pyvenv_version, site_packages
from skiva_images.launch import Launch, command_line
from skiva_images.record import ImageRecord
from skiva_images.say import Say, quiet
from skiva_images.smoke import SmokeError, run_smoke, unprivileged
from skiva_images.store import Built, StoreError

__all__ = ["changed_files", "check", "open_to_others"]

_FIRST = 5
_OWN = frozenset({"_virtualenv.py", "_virtualenv.pth"})
"""What uv's virtual environments come with."""


def check(built: Built, *, smoke: bool = True, say: Say = quiet) -> Iterator[str]:
    """Each thing that is wrong with a version, in one sentence; nothing where all is well."""
    say(f"Reading the files of {built.name} {built.version}.{built.form} ...")
    try:
        record = built.record()
    except StoreError as error:
        yield str(error)
        return
    yield from open_to_others(built)
    prefix = _prefix(built)
    found = "nothing that can be opened here"
    if prefix:
        yield from changed_files(prefix)
        with contextlib.suppress(FileNotFoundError):
            found = digest(pyvenv_version(prefix), installed(site_packages(prefix)))
    else:
        found = _digest_inside(built, record) or found
    if found != record.digest:
        yield f"{built.path} is not what was built: its record says {record.digest}, in it is {found}."
    if smoke:
        say("Trying it out ...")
        yield from _try(built, record)


def _prefix(built: Built) -> Path | None:
    """Where the environment's files are on this machine, where they are."""
    if built.form == "env":
        return built.path
    with contextlib.suppress(StoreError):
        inside = Path(built.record().python).parents[1].relative_to("/")
        found = built.path / "rootfs" / inside
        return found if found.is_dir() else None
    return None


def open_to_others(built: Built) -> Iterator[str]:
    """What accounts other than its owner and root can change, of a version or the directories above it."""
    owners = {0, built.path.stat().st_uid}
    for folder in (built.path, *built.path.parents):
        if _is_open(str(folder), owners):
            yield f"{folder} can be changed by other accounts: see its owner and mode, and 'chmod go-w' it."
    inside = _prefix(built) or built.path  # what Debian installs has owners of its own
    found = [path for path in _files(inside) if _is_open(path, owners)]
    if found:
        yield (
            f"{built.path} has {len(found)} files that other accounts can change, such as {found[0]}; "
            f"build {built.name} again."
        )


def _is_open(path: str, owners: set[int]) -> bool:
    status = os.lstat(path)
    if stat.S_ISLNK(status.st_mode):
        return False
    sticky = stat.S_ISDIR(status.st_mode) and status.st_mode & stat.S_ISVTX  # as /tmp: only owners rename
    return status.st_uid not in owners or bool(status.st_mode & 0o022 and not sticky)


def _files(top: Path) -> Iterator[str]:
    if not top.is_dir():
        yield str(top)
        return
    for here, folders, files in os.walk(top):
        yield from (os.path.join(here, name) for name in (*folders, *files))  # noqa: PTH118


def changed_files(prefix: Path) -> Iterator[str]:
    """Files of packages that are missing or changed, and modules that no package brought."""
    packages = site_packages(prefix)
    known, wrong = set(_OWN), []
    for distribution in packages.glob("*.dist-info"):
        record = distribution / "RECORD"
        text = record.read_text() if record.is_file() else ""
        known |= {row[0] for row in csv.reader(text.splitlines()) if row}
        for path, expected in entries(text):
            outside = path.startswith("prefix:")
            file = prefix / path.removeprefix("prefix:") if outside else packages / path
            if _hash(file, expected) != expected:
                wrong.append(str(file))
    if wrong:
        yield f"{len(wrong)} files are missing or are not what was installed: {_some(wrong)}."
    more = [
        str(file.relative_to(packages))
        for file in packages.rglob("*")
        if file.suffix in {".py", ".pth", ".so"} and str(file.relative_to(packages)) not in known
    ]
    if more:
        yield f"{len(more)} files in {packages} came with no package: {_some(more)}."


def _hash(file: Path, expected: str) -> str:
    algorithm = expected.partition("=")[0]
    try:
        with file.open("rb") as stream:
            value = hashlib.file_digest(stream, algorithm).digest()
    except (OSError, ValueError):
        return ""
    return f"{algorithm}={base64.urlsafe_b64encode(value).rstrip(b'=').decode()}"


def _some(names: list[str]) -> str:
    more = f" and {len(names) - _FIRST} more" if len(names) > _FIRST else ""
    return ", ".join(sorted(names)[:_FIRST]) + more


def _launch(built: Built, record: ImageRecord) -> list[str]:
    """The command that runs the version's Python."""
    if built.form == "env":
        return [record.python]
    image = built.path / "rootfs" if built.form == "oci" else built.path
    return command_line(Launch(launcher="namespace", python=record.python, image=str(image)), [])


def _try(built: Built, record: ImageRecord) -> Iterator[str]:
    if not (built.path / "bin/python").exists() and built.form == "env":
        yield f"{record.python} leads nowhere: the Python that {built.name} was built with is gone."
        return
    try:
        smoke = find(built.name).smoke
    except DefinitionError as error:
        yield f"{built.name} cannot be tried out. {error}"
        return
    try:
        run_smoke(_launch(built, record), smoke)
    except SmokeError as error:
        yield f"{built.name} does not work: {error}"


def _digest_inside(built: Built, record: ImageRecord) -> str | None:
    """The digest of a single file's environment, as its own Python finds it."""
    program = "from skiva_images import digest as d; import json, platform, sys; from pathlib import Path; "
    program += "p = Path(sys.prefix); print(json.dumps(d.digest(platform.python_version(), "
    program += "d.installed(d.site_packages(p)))))"
    with tempfile.TemporaryDirectory(prefix="skiva-check-") as home:
        if account := unprivileged():
            os.chown(home, account["user"], account["group"])
        env = {"HOME": home, "PATH": "/usr/local/bin:/usr/bin:/bin"}
        command = [*_launch(built, record), "-I", "-c", program]
        with contextlib.suppress(OSError, ValueError, subprocess.SubprocessError):
            done = subprocess.run(
                command, capture_output=True, env=env, cwd=home, timeout=120, check=True, **unprivileged()
            )
            return str(json.loads(done.stdout))
    return None
