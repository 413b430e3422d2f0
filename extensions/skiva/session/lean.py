"""Keeps out of a session's start what costs time there and is of no use in it.

Measured on two cores, processor seconds until the server is imported: 2.6 with everything,
0.6 with these left out or put off.
"""

import importlib
import importlib.util
import os
import platform
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_STOOD_FOR = (
    # A notebook server never opens the hub's database, nor shows the hub's pages.
    "sqlalchemy",
    "sqlalchemy.exc",
    "sqlalchemy.orm",
    "jupyterhub.orm",
    "jupyterhub.handlers",
    "jupyterhub.handlers.pages",
    # The extension manager is the read-only one.
    "jupyterlab.extensions.pypi",
)
_ABSENT = (
    # They check exotic formats in the schemas of events, where the library takes their absence well.
    "isoduration",
    "rfc3986_validator",
    "rfc3987_syntax",
)
_PUT_OFF = (
    # Imported when first used: proxying to a Unix socket, lists of forbidden extensions.
    "aiohttp",
    "requests",
)


class _StandIn(types.ModuleType):
    """Stands for a module that nothing here calls; its names are exceptions that nobody raises."""

    __path__: list[str] = []  # noqa: RUF012 - as its base class has it

    def __getattr__(self, name: str) -> type[Exception]:
        if name.startswith("__"):
            raise AttributeError(name)
        stand_in = type(name, (Exception,), {})
        setattr(self, name, stand_in)
        return stand_in


class _PutOff(types.ModuleType):
    """Stands for a module that is imported when somebody wants something of it."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        # Who only asks whether it is installed is told so.
        self.__spec__ = importlib.util.find_spec(name)

    def __getattr__(self, name: str) -> Any:
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


@contextmanager
def lean_imports() -> Iterator[None]:
    """Import the single-user server within this; what was left out can be imported afterwards.

    Only JupyterHub's tables stay away for good: other modules of it have been given the stand-in.
    """
    stand_ins = {name: _StandIn(name) for name in _STOOD_FOR}
    import jupyterhub

    from skiva.session import hub_requests

    jupyterhub.orm = stand_ins["jupyterhub.orm"]
    jupyterhub.httpclient = hub_requests
    sys.modules.update(stand_ins)
    sys.modules["jupyterhub.httpclient"] = hub_requests
    sys.modules.update(dict.fromkeys(_ABSENT))  # type: ignore[arg-type]
    put_off = [_PutOff(name) for name in _PUT_OFF if name not in sys.modules]
    sys.modules.update({module.__name__: module for module in put_off if module.__spec__})
    # The server asks for the platform, and for that a program would be run.
    vars(platform.uname())["processor"] = platform.machine()
    # JupyterLab asks a node program for its configuration while it is imported, if it finds one.
    path, os.environ["PATH"] = os.environ.get("PATH", ""), os.devnull
    try:
        yield
    finally:
        os.environ["PATH"] = path
        for name in (*_STOOD_FOR, *_ABSENT):
            if name != "jupyterhub.orm":
                del sys.modules[name]
