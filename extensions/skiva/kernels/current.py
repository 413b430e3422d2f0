"""Which kernel this program runs in, from facts that every kernel of a session has in its environment.

The server puts them there, so nothing of Skiva need be installed in the kernel's environment:
`SKIVA_KERNEL` (its name), `SKIVA_KERNEL_KIND`, `SKIVA_KERNEL_PYTHON`, `SKIVA_KERNEL_PREFIX` and
`SKIVA_KERNEL_DIGEST`. This module needs the standard library alone.
"""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Kernel", "current", "variables"]

OF_THE_ENVIRONMENT = "environment"
"""The kind of a kernel that came with the session's environment."""


@dataclass(frozen=True, slots=True)
class Kernel:
    """What must be known of a kernel to run something else in the same environment.

    Attributes:
        name: as in JupyterLab's list of kernels; empty outside a kernel.
        kind: `uv`, `venv`, `conda`, `pixi`, `python`, `environment` for a kernel of the session's own
            environment, or empty where that is not known.
        python: the interpreter to start; never resolved, since a virtual environment is a link.
        prefix: of its environment.
        digest: of its Python and packages when the kernel started; empty where that is not known.
    """

    name: str
    kind: str
    python: Path
    prefix: Path
    digest: str


def current(
    environ: Mapping[str, str] | None = None, executable: str = sys.executable, prefix: str = sys.prefix
) -> Kernel:
    """The kernel that this program runs in.

    Another Python that was started from a kernel is not that kernel: it has no name, kind and digest.
    """
    known = os.environ if environ is None else environ
    is_the_kernel = bool(known.get("SKIVA_KERNEL")) and known.get("SKIVA_KERNEL_PREFIX", prefix) == prefix
    given = known if is_the_kernel else {}
    return Kernel(
        name=given.get("SKIVA_KERNEL", ""),
        kind=given.get("SKIVA_KERNEL_KIND", ""),
        python=Path(executable),
        prefix=Path(prefix),
        digest=given.get("SKIVA_KERNEL_DIGEST", ""),
    )


def variables(kernel: Kernel) -> dict[str, str]:
    """What a kernel's environment says of it."""
    return {
        "SKIVA_KERNEL": kernel.name,
        "SKIVA_KERNEL_KIND": kernel.kind,
        "SKIVA_KERNEL_PYTHON": str(kernel.python),
        "SKIVA_KERNEL_PREFIX": str(kernel.prefix),
        "SKIVA_KERNEL_DIGEST": kernel.digest,
    }
