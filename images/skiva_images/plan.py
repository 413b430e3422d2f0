"""What goes into a build, settled before it begins: Python, locks, Skiva's wheel."""

import hashlib
import json
import os
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from skiva_images.definition import Cpu, Definition
from skiva_images.errors import BuildError
from skiva_images.locks import only, pinned, sha256_of, with_hashes, without
from skiva_images.say import Say
from skiva_images.smoke import unprivileged
from skiva_images.uv import find_uv, run_uv

__all__ = ["Accelerator", "Locks", "Options", "Plan", "find_wheel", "has_gpu", "make_plan", "settle_locks"]

Accelerator = Literal["auto", "cuda", "cpu"]
_STATUS = """
import json, platform, sys
print(json.dumps([platform.python_version(), sys.implementation.name, platform.machine()]))
"""


class Options(BaseModel):
    """What an operator may choose about a build."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    python: str | None = None
    """A path or a version; without one, the Python that this one was made from."""
    uv: str | None = None
    """The program uv; without one, Skiva's own, or what is on PATH."""
    wheel: Path | None = None
    """Skiva's wheel, or the directory that it is in; without one, Skiva of this version by its name."""
    accelerator: Accelerator = "auto"
    cpu_wheels: str | None = None
    """Where archives for CPUs are: a directory or an index; without one, where uv expects PyTorch's."""
    force: bool = False
    """Build even what is there already."""


class Locks(BaseModel):
    """What is installed, as text for uv."""

    model_config = ConfigDict(frozen=True)

    main: str
    extra: str = ""
    """A second lock: packages whose archives come from elsewhere."""
    hashes: dict[str, str] = Field(default_factory=dict)
    """The hashes of the second lock's archives, by name."""
    source: tuple[str, ...] = ()
    """uv's options for the second lock."""


class Plan(BaseModel):
    """All that goes into a build."""

    model_config = ConfigDict(frozen=True)

    uv: str
    python: str
    python_version: str
    locks: Locks
    skiva: str | None
    """Skiva's wheel, or `skiva==…`."""
    recipe: str


def make_plan(definition: Definition, folder: Path, options: Options, say: Say) -> Plan:
    """Settle everything; `folder` is one that may be written to. Raises `BuildError`."""
    uv = find_uv(options.uv)
    python, facts = _python(uv, options.python, folder, say)
    skiva = find_wheel(options.wheel) if definition.label.skiva else None
    locks = settle_locks(definition, uv, ("--python", python), folder, options, say)
    parts = [definition.name, facts, python, locks.main, locks.extra, _identity(skiva)]
    parts += [file.read_text() for file in (definition.folder / "image.toml", definition.smoke)]
    recipe = hashlib.sha256(json.dumps(parts).encode()).hexdigest()
    return Plan(
        uv=uv,
        python=python,
        python_version=facts[0],
        locks=locks,
        skiva=skiva,
        recipe=recipe,
    )


def settle_locks(
    definition: Definition, uv: str, target: Sequence[str], folder: Path, options: Options, say: Say
) -> Locks:
    """The definition's lock, with the archives for CPUs where they are wanted.

    `target` is uv's options for the Python that they are for. Raises `BuildError`.
    """
    lock = definition.lock.read_text()
    cpu = _for_cpu(definition, options, say)
    if cpu is None:
        return Locks(main=lock)
    source = _source(options.cpu_wheels)
    extra, hashes = _cpu_lock(only(lock, cpu.replace), uv, target, source, say, folder)
    return Locks(main=without(lock, [*cpu.omit, *cpu.replace]), extra=extra, hashes=hashes, source=source)


def _python(uv: str, chosen: str | None, folder: Path, say: Say) -> tuple[str, list[str]]:
    """The Python to build with, and its facts. Raises `BuildError` where other accounts could not run it."""
    if chosen:
        try:
            found = run_uv(uv, ["python", "find", "--no-project", "--system", chosen], say=say, folder=folder)
        except BuildError:
            raise BuildError(f"There is no Python {chosen!r} on this machine (--python).") from None
        python = found.strip().splitlines()[-1]
    else:
        python = os.path.realpath(sys.executable)
    try:
        done = subprocess.run(
            [python, "-I", "-c", _STATUS],
            capture_output=True,
            text=True,
            cwd="/",
            check=True,
            **unprivileged(),
        )
    except (OSError, subprocess.CalledProcessError):
        raise BuildError(
            f"{python} cannot be run by other accounts, so neither could jobs; choose another with --python, "
            "such as the system's /usr/bin/python3."
        ) from None
    facts = json.loads(done.stdout)
    if tuple(map(int, facts[0].split(".")[:2])) < (3, 11):
        raise BuildError(f"{python} is Python {facts[0]}; Skiva needs 3.11 or later (--python).")
    return python, facts


def find_wheel(chosen: Path | None = None) -> str:
    """What to install Skiva from. Raises `BuildError` where the wheel that was named is not there."""
    named = chosen or (Path(wheel) if (wheel := os.environ.get("SKIVA_WHEEL")) else None)
    if named is None:
        try:
            return f"skiva=={version('skiva')}"
        except PackageNotFoundError:
            raise BuildError("Skiva's wheel is not known here; name it with --wheel.") from None
    wheels = sorted(named.glob("skiva-*.whl")) if named.is_dir() else [named] if named.is_file() else []
    if len(wheels) != 1:
        raise BuildError(f"{named} is not Skiva's wheel, nor a directory with one in it.")
    return str(wheels[0].resolve())


def _identity(skiva: str | None) -> str:
    return sha256_of(Path(skiva)) if skiva and skiva.startswith("/") else skiva or ""


def has_gpu() -> bool:
    """Whether this machine has an NVIDIA GPU with a driver."""
    return Path("/proc/driver/nvidia/version").exists() or Path("/dev/nvidiactl").exists()


def _for_cpu(definition: Definition, options: Options, say: Say) -> Cpu | None:
    cpu = definition.label.cpu
    if cpu is None:
        if options.accelerator == "cpu":
            say(f"{definition.name} has no build of its own for CPUs; building the one there is.")
        return None
    if options.accelerator == "auto":
        found = has_gpu()
        for_what = "has a GPU: building for CUDA" if found else "has no GPU: building for CPUs"
        say(f"This machine {for_what} (--accelerator cuda|cpu decides otherwise).")
        return None if found else cpu
    return cpu if options.accelerator == "cpu" else None


def _source(cpu_wheels: str | None) -> tuple[str, ...]:
    if cpu_wheels is None:
        return ("--torch-backend", "cpu")
    if "://" in cpu_wheels and not cpu_wheels.startswith("file://"):
        return ("--default-index", cpu_wheels)
    return ("--no-index", "--find-links", os.path.abspath(cpu_wheels.removeprefix("file://")))  # noqa: PTH100


def _cpu_lock(
    locked: str, uv: str, target: Sequence[str], source: tuple[str, ...], say: Say, folder: Path
) -> tuple[str, dict[str, str]]:
    """A lock, and hashes by name, of archives for CPUs: the locked version, or else the newest there is."""
    exact = pinned(locked)
    for wanted in (exact, [line.partition("==")[0] for line in exact]):
        asked = folder / f".asked-{os.getpid()}"
        asked.write_text("\n".join(wanted) + "\n")
        command = ["pip", "compile", "--quiet", "--no-deps", *target, "--format", "pylock.toml"]
        try:
            answer = run_uv(uv, [*command, *source, str(asked)], say=say, folder=folder)
        except BuildError as error:
            if wanted is exact and "lacks" in str(error):
                continue
            raise BuildError(
                f"{error} A directory of archives for CPUs is named with --cpu-wheels."
            ) from error
        finally:
            asked.unlink()
        return _read_pylock(answer, exact, say)
    raise AssertionError("the second round ends in an answer or an error")


def _read_pylock(text: str, exact: list[str], say: Say) -> tuple[str, dict[str, str]]:
    lock, hashes = "", {}
    for package in tomllib.loads(text[text.find("lock-version") :])["packages"]:
        name, here = package["name"], package["version"]
        archives = {wheel["url"]: wheel["hashes"]["sha256"] for wheel in package.get("wheels", ())}
        if len(archives) != 1:
            raise BuildError(
                f"There is no archive of {name} {here} for this Python and machine (--cpu-wheels)."
            )
        if not any(f"=={here.partition('+')[0]}" in line for line in exact):
            say(f"  {name} {here} instead of the lock's: it is what there is for CPUs")
        lock += with_hashes(f"{name}=={here}", archives)
        hashes[name] = "sha256:" + next(iter(archives.values()))
    return lock, hashes
