"""The `kernel.json` of a person's environment: a pure function of what is known of it.

Any Jupyter can start it: it names no part of Skiva's. What Skiva adds is below `metadata.skiva`.
"""

import json
import re
from pathlib import Path
from typing import Any

from .environments import Environment
from .probe import Facts

__all__ = ["default_title", "kernel_json", "name_of"]

_ACTIVATE = (
    'for file in "$CONDA_PREFIX"/etc/conda/activate.d/*.sh; do [ -r "$file" ] && . "$file"; done; exec "$@"'
)


def kernel_json(
    name: str, environment: Environment, facts: Facts, *, title: str, digest: str, stamp: str
) -> dict[str, Any]:
    """What Jupyter reads, with the settings that activating the environment would make."""
    own = {
        "version": 1,
        "kind": environment.kind,
        "prefix": str(environment.prefix),
        "python": str(environment.python),
        "python_version": facts.version,
        "packages": str(facts.packages),
        "ipykernel": str(facts.ipykernel),
        "ipykernel_version": facts.ipykernel_version,
        "digest": digest,
        "stamp": stamp,
    }
    if environment.project:
        own["project"] = str(environment.project)
    return {
        "argv": _argv(environment),
        "display_name": title,
        "language": "python",
        "interrupt_mode": "signal",
        "env": {**_activation(environment), "SKIVA_KERNEL": name},
        "metadata": {"debugger": True, "skiva": own},
    }


def _argv(environment: Environment) -> list[str]:
    argv = [str(environment.python), "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    if environment.kind in {"conda", "pixi"} and any(environment.prefix.glob("etc/conda/activate.d/*.sh")):
        # Some of conda's packages find their data only so.
        return ["/bin/sh", "-c", _ACTIVATE, "skiva-kernel", *argv]
    return argv


def _activation(environment: Environment) -> dict[str, str]:
    prefix = str(environment.prefix)
    match environment.kind:
        case "uv" | "venv":
            named = {"VIRTUAL_ENV": prefix}
        case "conda" | "pixi":
            named = {
                "CONDA_PREFIX": prefix,
                "CONDA_DEFAULT_ENV": environment.prefix.name,
                **_conda_own(prefix),
            }
        case _:
            return {}
    if environment.kind == "pixi" and environment.project:
        named |= {
            "PIXI_PROJECT_ROOT": str(environment.project),
            "PIXI_ENVIRONMENT_NAME": environment.prefix.name,
        }
    return {"PATH": f"{prefix}/bin:${{PATH}}", **named}


def _conda_own(prefix: str) -> dict[str, str]:
    """What the person set with `conda env config vars set`."""
    try:
        state = json.loads((Path(prefix) / "conda-meta" / "state").read_text())
        return {str(name): str(value) for name, value in state.get("env_vars", {}).items()}
    except (OSError, ValueError, AttributeError):
        return {}


def default_title(environment: Environment, version: str) -> str:
    """What the launcher shows: its name, its version of Python and who installs into it."""
    kind = "" if environment.kind == "python" else f", {environment.kind}"
    return f"{environment.label} (Python {'.'.join(version.split('.')[:2])}{kind})"


def name_of(text: str) -> str:
    """A kernel's name made of a title or a path's end: small letters, digits, `-`, `_` and `.`."""
    return re.sub(r"[^a-z0-9._-]+", "-", text.lower()).strip("-.")[:60] or "kernel"
