"""The shells of JupyterLab's terminals: the person's own, in which `skiva` is the environment's."""

import os
import pwd
import sys
from collections.abc import Mapping
from pathlib import Path

__all__ = ["put_own_programs_first", "shell_command"]

_THEN = 'PATH="$1:$PATH"; export PATH; exec "$0"'
_ALIKE = frozenset({"bash", "zsh", "ksh", "dash", "sh"})


def own_programs(prefix: str = sys.prefix) -> str:
    """Where the programs of the environment are that this server runs in."""
    return f"{prefix}/bin"


def put_own_programs_first() -> None:
    """Let what kernels and terminals call by name be the environment's, unless their settings object."""
    others = os.environ.get("PATH", "/usr/bin:/bin").split(":")
    os.environ["PATH"] = ":".join(dict.fromkeys([own_programs(), *others]))


def shell_command(environ: Mapping[str, str] = os.environ, path: str = "") -> list[str]:
    """A login shell, for the site's modules and the like; it sets PATH anew, so one more shell follows it.

    In that one the environment's programs come first, then those of `path`, which the site gives it.
    Only shells of Bourne's kind can be told so; any other is started as Jupyter starts it.
    """
    shell = environ.get("SHELL") or pwd.getpwuid(os.getuid()).pw_shell or "/bin/sh"
    if Path(shell).name not in _ALIKE:
        return [shell, "-l"]
    return [shell, "-l", "-c", _THEN, shell, ":".join(filter(None, [own_programs(), path]))]
