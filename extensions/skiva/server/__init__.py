"""The Jupyter server extension of a session: how long it lasts, what it uses, one more hour."""

from .app import _jupyter_server_extension_points, _load_jupyter_server_extension, warn
from .session_facts import SessionFacts, read_facts, write_facts

__all__ = [
    "SessionFacts",
    "_jupyter_server_extension_points",
    "_load_jupyter_server_extension",
    "read_facts",
    "warn",
    "write_facts",
]
