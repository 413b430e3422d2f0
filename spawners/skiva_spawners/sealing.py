"""Keeps a session's token closed in the hub's database, which others may read, copy and restore.

The key is a file in the hub's state directory. A dump of the database alone opens no session, nor does
JupyterHub's API, which shows administrators what the database keeps of a server.
"""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cryptography.fernet import Fernet, InvalidToken

from skiva_hub.kept_secret import kept_secret

_SECRET = "api_token"  # noqa: S105 - the name of a field


class SealBroken(Exception):
    """What was kept cannot be opened: it was closed with another key."""


class Seal:
    """Closes and opens what is kept of sessions with one key, in the form of Fernet."""

    def __init__(self, path: Path) -> None:
        """Take the key in a file, which is made where it is missing. Raises OSError, ValueError."""
        self._fernet = Fernet(base64.urlsafe_b64encode(bytes.fromhex(kept_secret(path))))

    def close(self, session: Mapping[str, Any]) -> dict[str, Any]:
        """What may be kept of a session: all of it, but its token closed."""
        return dict(session) | {_SECRET: self._fernet.encrypt(str(session[_SECRET]).encode()).decode()}

    def open(self, kept: Mapping[str, Any]) -> dict[str, Any]:
        """The session again.

        Raises:
            SealBroken: its token was closed with another key.
        """
        try:
            opened = self._fernet.decrypt(str(kept[_SECRET]).encode()).decode()
        except (InvalidToken, KeyError) as problem:
            raise SealBroken("a session's token cannot be opened") from problem
        return dict(kept) | {_SECRET: opened}
