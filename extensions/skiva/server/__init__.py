"""The Jupyter server extension of a session: how long it lasts, what it uses, one more hour."""

from typing import Any

from .session_facts import SessionFacts, read_facts, write_facts

__all__ = [
    "SessionFacts",
    "_jupyter_server_extension_points",
    "_load_jupyter_server_extension",
    "read_facts",
    "warn",
    "write_facts",
]


def __getattr__(name: str) -> Any:
    # A session reports to the hub before it imports the server, and for that it needs only its facts.
    if name in __all__:
        from . import app

        return getattr(app, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
