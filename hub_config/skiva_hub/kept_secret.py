"""Secrets of the hub's that outlive it: a file each, in its private state directory."""

import os
import secrets
from pathlib import Path


def kept_secret(path: Path) -> str:
    """The secret in a file, 64 hexadecimal digits that whoever needs it first makes. Raises OSError."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_text()
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_hex(32))
    return path.read_text()
