"""What is wrong with a kernel, seen without starting anything: quick enough for a list, before a start."""

import json
import os
import platform
import shlex
import shutil
import struct
import sys
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .cures import install_ipykernel, relink
from .environments import KINDS, Environment

__all__ = ["MARK", "KernelBroken", "Problem", "problem"]

MARK = "(cannot start)"
"""Follows the title of a broken kernel wherever kernels are listed."""
_MACHINES = {3: "i386", 21: "ppc64le", 22: "s390x", 40: "arm", 62: "x86_64", 183: "aarch64", 243: "riscv64"}
_PT_INTERP = 3


class KernelBroken(Exception):
    """A kernel cannot start, or ended as soon as it had; its text says why, and what mends it."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a kernel cannot start.

    Attributes:
        sentence: what is wrong.
        cure: the command that mends it; empty where only a person can.
    """

    sentence: str
    cure: str = ""

    def __str__(self) -> str:
        return f"{self.sentence} To mend it: {self.cure}" if self.cure else self.sentence

    def folded(self, title: str) -> str:
        """The same for JupyterLab's dialog, which breaks no lines; the command can be copied as it stands."""
        lines = [f"{title} cannot start.", *_fold(self.sentence)]
        if self.cure:
            lines += ["To mend it:", "  " + " \\\n    ".join(_fold(self.cure))]
        return "\n".join(lines)


def _fold(text: str) -> list[str]:
    return textwrap.wrap(text, 96, break_long_words=False, break_on_hyphens=False)


def problem(name: str, spec: Mapping[str, Any]) -> Problem | None:
    """What is wrong with the kernel of this `kernel.json`; None where nothing is seen."""
    argv = spec.get("argv")
    if not isinstance(argv, list) or not argv or not all(isinstance(word, str) for word in argv):
        return Problem("Its kernel.json has no command to start.", f"skiva kernel remove {name}")
    ours = _ours(spec)
    python = Path(str(ours.get("python") or argv[0]))
    if not python.is_absolute():
        # A bare `python` stands for the server's own.
        if python.name.startswith("python") or shutil.which(str(python)):
            return None
        return Problem(f"There is no program called {python} here.", f"skiva kernel remove {name}")
    wrong = _of_program(name, python, ours)
    if wrong is None and ours:
        wrong = _of_packages(ours, python)
    return wrong


def _ours(spec: Mapping[str, Any]) -> Mapping[str, Any]:
    metadata = spec.get("metadata")
    ours = metadata.get("skiva") if isinstance(metadata, dict) else None
    return ours if isinstance(ours, dict) and ours.get("kind") in KINDS else {}


def _of_program(name: str, python: Path, ours: Mapping[str, Any]) -> Problem | None:
    prefix = Path(str(ours.get("prefix") or python.parent.parent))
    kind, version = str(ours.get("kind", "")), str(ours.get("python_version", ""))
    try:
        real = Path(os.path.realpath(python, strict=True))
    except PermissionError:
        return _forbidden(python)
    except OSError:
        return _missing(name, python, prefix, kind, version)
    if not os.access(real, os.X_OK):
        return _forbidden(real)
    return _of_binary(python, real, relink(kind, prefix, version))


def _missing(name: str, python: Path, prefix: Path, kind: str, version: str) -> Problem:
    if not os.path.lexists(prefix):
        sentence = (
            f"Its environment {prefix} is gone. Make it anew and add it again, or let it leave the list."
        )
        return Problem(sentence, f"skiva kernel remove {name}")
    if python.is_symlink():
        sentence = f"{python} leads to {_end_of_links(python)}, which is not there {_here()}."
    else:
        sentence = f"{python} is gone."
    return Problem(sentence, relink(kind, prefix, version) if kind else f"skiva kernel remove {name}")


def _end_of_links(path: Path) -> Path:
    for _ in range(40):
        if not path.is_symlink():
            break
        path = path.parent / path.readlink()
    return path


def _here() -> str:
    """Whose files a session sees: its node's, or those of its environment's image."""
    try:
        form = json.loads((Path(sys.prefix) / "image.json").read_text())["form"]
    except (OSError, ValueError, KeyError, TypeError):
        form = ""
    return "in the image of this session's environment" if form in {"oci", "sif"} else "on this node"


def _forbidden(path: Path) -> Problem:
    for part in [*reversed(path.parents), path]:
        if os.path.lexists(part) and not os.access(part, os.X_OK):
            return Problem(f"You may not run {path}: {part} is closed to you.", _opening(part))
    return Problem(f"You may not run {path}.", _opening(path))


def _opening(path: Path) -> str:
    try:
        mine = path.stat().st_uid == os.getuid()
    except OSError:
        mine = False
    return f"chmod u+rx {shlex.quote(str(path))}" if mine else ""


def _of_binary(python: Path, real: Path, cure: str) -> Problem | None:
    """Whether this node's kernel and loader can run the program; what is no ELF file is left to them."""
    try:
        with real.open("rb") as file:
            head = file.read(4096)
    except OSError:  # it may be run and not be read
        return None
    if head[:4] != b"\x7fELF" or len(head) < 64 or head[5] not in {1, 2}:
        return None
    order = "<" if head[5] == 1 else ">"
    machine = _MACHINES.get(struct.unpack_from(f"{order}H", head, 18)[0], "another architecture")
    here = platform.machine()
    if machine != here and here in _MACHINES.values() and order == "<":
        anew = "Make the environment anew on a node like this one, and add it again."
        return Problem(f"{python} is a program for {machine}; this node is {here}. {anew}")
    loader = _loader(head, order)
    if loader and not Path(loader).exists():
        return Problem(f"{python} needs {loader}, which is not there {_here()}.", cure)
    return None


def _loader(head: bytes, order: str) -> str:
    if head[4] != 2:
        return ""
    (offset,) = struct.unpack_from(f"{order}Q", head, 32)
    size, count = struct.unpack_from(f"{order}HH", head, 54)
    for index in range(count):
        at = offset + index * size
        if at + 56 > len(head):
            return ""
        if struct.unpack_from(f"{order}I", head, at)[0] == _PT_INTERP:
            (start,) = struct.unpack_from(f"{order}Q", head, at + 8)
            return head[start : head.find(b"\0", start)].decode(errors="replace")
    return ""


def _of_packages(ours: Mapping[str, Any], python: Path) -> Problem | None:
    """Whether ipykernel is still where it was seen, or somewhere else in the environment."""
    seen = ours.get("ipykernel")
    if not isinstance(seen, str) or Path(seen).exists():
        return None
    prefix = Path(str(ours.get("prefix")))
    if any(prefix.glob("lib/python3*/site-packages/ipykernel/__init__.py")):
        return None
    project = Path(str(ours["project"])) if ours.get("project") else None
    environment = Environment(ours["kind"], prefix, python, project)
    has_pip = any(prefix.glob("lib/python3*/site-packages/pip/__init__.py")) or environment.kind == "python"
    command = shlex.join(install_ipykernel(environment, has_pip=has_pip))
    return Problem(f"ipykernel is no longer installed in {prefix}.", command)
