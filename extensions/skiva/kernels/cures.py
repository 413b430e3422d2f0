"""The one command that mends each thing that can be wrong with an environment: pure text."""

import shlex
from collections.abc import Callable
from pathlib import Path

from .environments import Environment

__all__ = ["install_ipykernel", "relink"]


def install_ipykernel(
    environment: Environment, *, has_pip: bool = True, has: Callable[[str], bool] = lambda _: True
) -> list[str]:
    """The command that installs ipykernel, by the installer that this kind of environment belongs to.

    `has` tells which installers there are; it decides only between those that do the same.
    """
    python, prefix = str(environment.python), str(environment.prefix)
    match environment.kind:
        case "uv" if environment.project and (environment.project / "uv.lock").exists():
            # Anything else would be taken away by the project's next `uv sync`.
            return ["uv", "add", "--dev", "--project", str(environment.project), "ipykernel"]
        case "conda":
            program = next((name for name in ("conda", "mamba", "micromamba") if has(name)), "conda")
            return [program, "install", "--yes", "--prefix", prefix, "ipykernel"]
        case "pixi" if environment.project:
            manifest = environment.project / "pixi.toml"
            if not manifest.exists():
                manifest = environment.project / "pyproject.toml"
            feature = environment.prefix.name
            chosen = [] if feature == "default" else ["--feature", feature]
            return ["pixi", "add", "--manifest-path", str(manifest), *chosen, "ipykernel"]
        case "uv":
            return ["uv", "pip", "install", "--python", python, "ipykernel"]
        case _ if not has_pip:
            return ["uv", "pip", "install", "--python", python, "ipykernel"]
        case _:
            return [python, "-m", "pip", "install", "ipykernel"]


def relink(kind: str, prefix: Path, version: str) -> str:
    """The command that gives an environment a Python again; uv's own lie in the home, seen by every node."""
    place = shlex.quote(str(prefix))
    match kind:
        case "uv" | "venv":
            which = f" --python {'.'.join(version.split('.')[:2])}" if version else ""
            return f"uv venv --allow-existing --managed-python{which} {place}"
        case "conda":
            return f"conda install --prefix {place} python"
        case "pixi":
            return f"pixi install --manifest-path {shlex.quote(str(prefix.parents[2]))}"
        case _:
            return ""
