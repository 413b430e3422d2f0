"""Files and directories that have the right owner and mode from their first moment."""

import os
import secrets
import shutil
from pathlib import Path


def write(path: Path, text: str | bytes, *, mode: int = 0o644, owner: str | None = None) -> None:
    """Replace a file whole, so that no reader ever sees half of it; it never is wider open than `mode`."""
    data = text.encode() if isinstance(text, str) else text
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
    if owner is not None:
        shutil.chown(draft, owner, owner)
    draft.chmod(mode)
    draft.replace(path)


def directory(path: Path, *, mode: int = 0o755, owner: str | None = None) -> None:
    """Make a directory with just this mode and owner."""
    path.mkdir(exist_ok=True)
    if owner is not None:
        shutil.chown(path, owner, owner)
    path.chmod(mode)
