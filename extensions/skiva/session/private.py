"""The session's private file: what the hub's helper wrote, read once."""

import json
import os
import stat
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Self


class NotASession(Exception):
    """This process was not started as a session; its text says why."""


@dataclass(frozen=True, kw_only=True)
class Private:
    """The content of `server.json`. It holds secrets: no field of it may be printed."""

    run_dir: Path
    env: dict[str, str]
    certificate: str
    private_key: str
    nonce: str
    bind: str
    ports: tuple[int, int]
    devices: tuple[str, ...]
    always_open: tuple[str, ...]
    must_be_exclusive: bool
    devices_wanted: int | None
    stream_url: str
    minutes: int
    session: dict[str, Any]
    variables: dict[str, str] = field(default_factory=dict)
    """What the site sets in this environment."""
    offer: dict[str, Any] = field(default_factory=dict)
    """What the site lets this person hand to the queue, as the hub wrote it; nothing of it is secret."""

    @property
    def api_url(self) -> str:
        """The hub's API as this node reaches it."""
        return self.env["JUPYTERHUB_API_URL"].rstrip("/")

    @property
    def api_token(self) -> str:
        """The token with which this session speaks to the hub."""
        return self.env["JUPYTERHUB_API_TOKEN"]

    @classmethod
    def read(cls, run_dir: Path) -> Self:
        """Read the file, if it is a file of one's own that nobody else can read.

        Raises:
            NotASession: it is missing, not one's own, or open to others.
        """
        try:
            descriptor = os.open(run_dir / "server.json", os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as problem:
            raise NotASession(f"{run_dir}/server.json cannot be read: {problem.strerror}") from None
        with os.fdopen(descriptor) as file:
            state = os.fstat(descriptor)
            if state.st_uid != os.getuid() or stat.S_IMODE(state.st_mode) & 0o077:
                raise NotASession(f"{run_dir}/server.json is not a private file of this account")
            values = json.load(file)
        for name in ("ports", "devices", "always_open"):
            values[name] = tuple(values[name])
        # A newer hub may tell more than this environment knows.
        known = {one.name: values[one.name] for one in fields(cls) if one.name in values}
        return cls(**(known | {"run_dir": run_dir}))
