"""The kernels that a session offers: the environment's first, then the person's own.

Nothing else is read from the person's data directory: extensions and settings of the server, which
lie there as well, stay hidden from it.
"""

import os
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

from jupyter_client.kernelspec import KernelSpec, KernelSpecManager, NoSuchKernel
from jupyter_client.provisioning.factory import KernelProvisionerFactory
from jupyter_core.paths import jupyter_path

from .problems import MARK, Problem, problem
from .store import directory_of, entries

__all__ = ["SessionKernelSpecs", "start_kernels_with_ours"]

_PROVISIONER = EntryPoint(
    "skiva", "skiva.kernels.provisioner:SessionProvisioner", KernelProvisionerFactory.GROUP_NAME
)
_BROKEN = Path(__file__).parent / "logos" / "broken"


class SessionKernelSpecs(KernelSpecManager):
    """Lists kernels; a broken one stays in the list, marked, and says what is wrong.

    A person's kernel never stands in for one of the environment: whose name is taken is not shown.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.own = directory_of(os.environ, Path.home())
        start_kernels_with_ours(self.parent)
        # A terminal's own settings may name another place, where nobody would look.
        os.environ["SKIVA_KERNELS_DIR"] = str(self.own)
        self._told: set[str] = set()

    def _user_kernel_dir_default(self) -> str:
        return str(self.own)

    def _kernel_dirs_default(self) -> list[str]:
        home, own = Path.home().resolve(), f"{sys.prefix}/share/jupyter/kernels"
        others = [path for path in jupyter_path("kernels") if not Path(path).resolve().is_relative_to(home)]
        # One person's own installation may lie in their home, whole.
        return [own, *(path for path in others if path != own)]

    def find_kernel_specs(self) -> dict[str, str]:
        """The directory of each kernel by its name."""
        found: dict[str, str] = super().find_kernel_specs()
        for name, path in self._own_kernels().items():
            if not self.allowed_kernelspecs or name in self.allowed_kernelspecs:
                found.setdefault(name, path)
        return found

    def get_all_specs(self) -> dict[str, Any]:
        """Every kernel, with the directory of its picture; broken ones share one."""
        found: dict[str, Any] = super().get_all_specs()
        for kernel in found.values():
            if "skiva_problem" in kernel["spec"]["metadata"]:
                kernel["resource_dir"] = str(_BROKEN)
        return found

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """One kernel, marked if it is broken. Raises `NoSuchKernel`."""
        name = kernel_name.lower()
        try:
            return super().get_kernel_spec(kernel_name)
        except NoSuchKernel:
            own = self._own_kernels().get(name)
            if own is None or self._is_hidden(name):
                raise
        spec = self._get_kernel_spec_by_name(name, own)
        spec.name = name
        if found := problem(name, {"argv": spec.argv, "metadata": spec.metadata}):
            _mark(spec, found)
        return spec

    def _is_hidden(self, name: str) -> bool:
        return bool(self.allowed_kernelspecs) and name not in self.allowed_kernelspecs

    def _own_kernels(self) -> dict[str, str]:
        found: dict[str, str] = {}
        for entry in entries(self.own):
            reason = entry.ignored or (
                "" if entry.spec else f"{entry.path}/kernel.json cannot be understood."
            )
            if not reason:
                found[entry.name] = str(entry.path)
            elif reason not in self._told:
                self._told.add(reason)
                self.log.warning("skiva: the kernel %s is not used: %s", entry.name, reason)
        return found


def start_kernels_with_ours(server: Any) -> None:
    """Let our provisioner start what names no other, so that files of kernels stay of use to any Jupyter."""
    factory = KernelProvisionerFactory.instance(parent=server)
    factory.provisioners[_PROVISIONER.name] = _PROVISIONER
    factory.default_provisioner_name = _PROVISIONER.name


def _mark(spec: KernelSpec, found: Problem) -> None:
    spec.display_name = f"{spec.display_name} {MARK}"
    spec.metadata = {**spec.metadata, "skiva_problem": {"sentence": found.sentence, "cure": found.cure}}
    spec.resource_dir = str(_BROKEN)
