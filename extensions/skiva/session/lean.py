"""Keeps out of a session's start what costs time there and is of no use in it.

Measured on two cores, processor seconds until the server is imported: 2.6 with everything,
0.9 with these left out.
"""

import os
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager


class _LeftOut(types.ModuleType):
    """Stands for a module that nothing here calls; its names are exceptions that nobody raises."""

    __path__: list[str] = []  # noqa: RUF012 - as its base class has it

    def __getattr__(self, name: str) -> type[Exception]:
        if name.startswith("__"):
            raise AttributeError(name)
        stand_in = type(name, (Exception,), {})
        setattr(self, name, stand_in)
        return stand_in


@contextmanager
def lean_imports() -> Iterator[None]:
    """Import the single-user server within this; what was left out can be imported afterwards.

    A notebook server never opens the hub's database, so JupyterHub's tables and their library
    are not needed. The grammar of `rfc3987_syntax` checks exotic addresses in event schemas.
    JupyterLab asks a node program for its configuration while it is imported, if it finds one.
    """
    sys.modules["rfc3987_syntax"] = None  # type: ignore[assignment]
    left_out = {name: _LeftOut(name) for name in ("sqlalchemy", "sqlalchemy.exc", "sqlalchemy.orm")}
    import jupyterhub

    jupyterhub.orm = sys.modules["jupyterhub.orm"] = _LeftOut("jupyterhub.orm")
    sys.modules.update(left_out)
    path, os.environ["PATH"] = os.environ.get("PATH", ""), os.devnull
    try:
        yield
    finally:
        os.environ["PATH"] = path
        for name in left_out:
            del sys.modules[name]
