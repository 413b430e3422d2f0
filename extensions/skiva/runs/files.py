"""Files that a crash at any byte leaves whole: replaced at once, or appended to by lines."""

import errno
import json
import os
import stat
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

__all__ = ["append_line", "read_json", "read_lines", "read_plain", "read_tail", "write_json", "write_whole"]

_LONGEST = 64 * 1024 * 1024


def write_whole(path: Path, content: bytes, *, sync: bool = True) -> None:
    """Put `content` in place of whatever was there; nobody ever sees a part of it.

    Raises:
        OSError: it could not be written (no space, no permission); what was there is still there.
    """
    temporary = path.with_name(f".{path.name}.{os.urandom(4).hex()}")
    descriptor = os.open(
        temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600
    )
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            if sync:
                os.fsync(descriptor)
        temporary.replace(path)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise


def write_json(path: Path, values: Mapping[str, Any], *, sync: bool = True) -> None:
    """The same for a JSON object. Raises OSError."""
    write_whole(path, json.dumps(values, indent=1).encode(), sync=sync)


def read_plain(path: Path, most: int = _LONGEST) -> bytes:
    """The first `most` bytes of a plain file, without ever waiting for anybody.

    Raises:
        OSError: there is none, or it is a link, a device, a pipe or the like.
    """
    with _opened(path) as file:
        return file.read(most)


def _opened(path: Path) -> BinaryIO:
    """A plain file to read from. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "no plain file", str(path))
    return os.fdopen(descriptor, "rb")


def read_json(path: Path) -> dict[str, Any] | None:
    """The JSON object in a plain file; None where there is none, or anything else."""
    try:
        values = json.loads(read_plain(path))
    except (OSError, ValueError, RecursionError):
        return None
    return values if isinstance(values, dict) else None


def append_line(path: Path, values: Mapping[str, Any]) -> None:
    """Add one line to a file whose only writer this is; a line that an earlier writer tore stays apart.

    Raises:
        OSError: it could not be written.
    """
    line = json.dumps(values, separators=(",", ":")).encode() + b"\n"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        size = os.fstat(descriptor).st_size
        torn = size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
        left = memoryview(b"\n" + line if torn else line)
        while left:  # a disk that fills up takes a part, and says so only when it is asked again
            left = left[os.write(descriptor, left) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The JSON objects in a file of lines; what is torn or anything else is left out."""
    try:
        lines = read_plain(path).split(b"\n")
    except OSError:
        return []
    found = []
    for line in lines:
        with suppress(ValueError, RecursionError):
            values = json.loads(line)
            if isinstance(values, dict):
                found.append(values)
    return found


def read_tail(path: Path, most: int, offset: int | None = None) -> tuple[str, int, int]:
    """At most `most` bytes of a text file, from `offset` or its end; with where to go on, and its size.

    A device, a link or anything but a plain file reads as empty.
    """
    try:
        file = _opened(path)
    except OSError:
        return "", offset or 0, 0
    with file:
        size = os.fstat(file.fileno()).st_size
        begin = max(0, size - most) if offset is None else min(max(0, offset), size)
        file.seek(begin)
        read = file.read(most)
    # A letter that is not whole yet comes with the next reading.
    whole = read if begin + len(read) < size and offset is None else _whole_letters(read)
    return whole.decode("utf-8", "replace"), begin + len(whole), size


def _whole_letters(text: bytes) -> bytes:
    for back in range(1, min(4, len(text)) + 1):
        byte = text[-back]
        if byte < 0x80:
            return text
        if byte >= 0xC0:
            wanted = 2 if byte < 0xE0 else 3 if byte < 0xF0 else 4
            return text[:-back] if back < wanted else text
    return text
