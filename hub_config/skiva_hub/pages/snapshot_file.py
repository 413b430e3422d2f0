"""The hub's last reading of Slurm as a file, for the service that tells notebooks about it.

One writer, the hub; every write replaces the whole file, so a reader sees the old one or the new one.
"""

import os
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from skiva_slurm.jobs import Job, Snapshot


@dataclass(frozen=True, slots=True)
class Seen:
    """What the hub knew when it wrote the file."""

    written: float
    """Seconds since the epoch."""
    trouble: str
    """What was wrong with reading Slurm then; empty while all was well."""
    snapshot: Snapshot | None
    ended: tuple[Job, ...] = ()
    """Jobs with a mark of ours that ended within the last hour and that Slurm has forgotten since."""


class NoReading(Exception):
    """There is no file, or it is not one of ours; the text says which."""


_FILE = TypeAdapter(Seen)
_LARGEST = 256 * 1024 * 1024


def write(path: Path, snapshot: Snapshot | None, trouble: str, ended: tuple[Job, ...] = ()) -> None:
    """Replace the file at `path`, which only its owner can read; `ended` is what Slurm has forgotten.

    Raises:
        OSError: the disk is full or the directory is not writable; the old file is still whole.
    """
    if snapshot is not None:
        snapshot = replace(
            snapshot,
            jobs=dict(snapshot.jobs),
            nodes=dict(snapshot.nodes),
            reservations=dict(snapshot.reservations),
        )
    data = _FILE.dump_json(Seen(time.time(), trouble, snapshot, ended))
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        Path(temporary).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(temporary).unlink()
        raise


def read(path: Path) -> Seen:
    """What the hub wrote last.

    Raises:
        NoReading: the file is missing, too large or not one of ours.
    """
    try:
        if path.stat().st_size > _LARGEST:
            raise NoReading(f"{path.name} is larger than {_LARGEST} bytes")
        return _FILE.validate_json(path.read_bytes())
    except OSError as problem:
        raise NoReading(f"{path.name} cannot be read: {problem.strerror}") from None
    except ValidationError:
        raise NoReading(f"{path.name} is not a reading of the queue") from None
