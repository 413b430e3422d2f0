"""Making a kernel of an environment: look at it, install what it lacks if that is wanted, write it down."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from . import store
from .cures import install_ipykernel
from .environments import Environment
from .probe import Facts, ask, digest_of, stamp_of
from .problems import problem
from .spec import default_title, kernel_json, name_of

__all__ = ["Added", "CannotAdd", "add"]

_INSTALLERS = (".local/bin", ".cargo/bin", ".pixi/bin", "miniforge3/bin", "miniconda3/bin", "anaconda3/bin")


class CannotAdd(Exception):
    """An environment cannot become a kernel; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Added:
    """A kernel that is now in the list."""

    name: str
    title: str
    path: Path


def add(
    environment: Environment,
    directory: Path,
    *,
    name: str = "",
    title: str = "",
    install: bool = False,
    say: Callable[[str], None],
) -> Added:
    """Make a kernel of this environment.

    Raises:
        CannotAdd: it does not run, has no ipykernel, or its name is taken.
    """
    say(f"Looking at {environment.prefix} ({environment.kind}).")
    facts = _facts(environment, install, say)
    say(f"Python {facts.version}, ipykernel {facts.ipykernel_version}. Reading its packages.")
    chosen = _free_name(environment, directory, name or title or environment.label, given=bool(name))
    title = title or default_title(environment, facts.version)
    spec = kernel_json(
        chosen,
        environment,
        facts,
        title=title,
        digest=digest_of(environment, facts.version, facts.packages),
        stamp=stamp_of(facts.packages, environment.prefix),
    )
    try:
        path = store.write(directory, chosen, spec)
        ignored = store.others_may_write(directory) or store.others_may_write(path)
    except OSError as error:
        raise CannotAdd(f"{error.filename or directory}: {error.strerror}.") from None
    if ignored:
        raise CannotAdd(f"It was written, and JupyterLab will not show it: {ignored}")
    return Added(chosen, title, path)


def _facts(environment: Environment, install: bool, say: Callable[[str], None]) -> Facts:
    looked = problem(environment.label, _as_spec(environment))
    if looked:
        raise CannotAdd(str(looked))
    facts = ask(environment.python)
    if facts.ipykernel is None:
        command = install_ipykernel(environment, has_pip=facts.has_pip, has=lambda tool: bool(_tool(tool)))
        if not install:
            raise CannotAdd(
                f"{environment.prefix} has no ipykernel, by which Jupyter talks to it. Install it with\n"
                f"  {shlex.join(command)}\nor let this command do so: add --install."
            )
        _install(command, say)
        facts = ask(environment.python)
    if facts.ipykernel is None:
        raise CannotAdd(f"ipykernel is still not in {environment.prefix}.")
    return facts


def _as_spec(environment: Environment) -> dict[str, object]:
    own = {"kind": environment.kind, "prefix": str(environment.prefix), "python": str(environment.python)}
    return {"argv": [str(environment.python)], "metadata": {"skiva": own}}


def _install(command: list[str], say: Callable[[str], None]) -> None:
    program = _tool(command[0])
    if not program:
        raise CannotAdd(f"There is no {command[0]} on PATH; install it, or install ipykernel another way.")
    say(f"Installing: {shlex.join(command)}")
    sys.stdout.flush()
    try:  # its own progress is what people see
        # uv alone does not ask the machine whom it trusts.
        env = {"UV_SYSTEM_CERTS": "true", **os.environ}
        done = subprocess.run([program, *command[1:]], stdin=subprocess.DEVNULL, env=env, check=False)
    except KeyboardInterrupt:
        raise CannotAdd("Stopped while ipykernel was being installed; nothing was added.") from None
    if done.returncode:
        raise CannotAdd(f"This failed, with exit status {done.returncode}: {shlex.join(command)}")


def _tool(program: str) -> str | None:
    """Where an installer is, on PATH or where it puts itself in a home."""
    homes = [str(Path.home() / place) for place in _INSTALLERS]
    return shutil.which(program) or shutil.which(program, path=os.pathsep.join(homes))


def _free_name(environment: Environment, directory: Path, wanted: str, *, given: bool) -> str:
    name = name_of(wanted)
    if given and name != wanted:
        raise CannotAdd(f"--name: use small letters, digits, '-', '_' and '.' only, as in {name}.")
    if (Path(sys.prefix) / "share/jupyter/kernels" / name).exists():
        raise CannotAdd(f"The session's environment has a kernel called {name}; choose another with --name.")
    there = next((entry for entry in store.entries(directory) if entry.name == name), None)
    if there is None:
        return name
    metadata = (there.spec or {}).get("metadata", {})
    prefix = metadata.get("skiva", {}).get("prefix") if isinstance(metadata, dict) else None
    if prefix != str(environment.prefix):
        what = f"for {prefix}" if prefix else "that 'skiva kernel' did not make"
        raise CannotAdd(
            f"There is a kernel called {name} already, {what}; choose another with --name, "
            f"or remove that one: skiva kernel remove {name}"
        )
    return name
