"""Takes what a cell needs out of the notebook's namespace."""

import builtins
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from skiva.runs.digest import digest
from skiva.runs.needs import Needs
from skiva.runs.own_modules import own_source

__all__ = ["Gathered", "gather"]

_OF_THE_SHELL = frozenset(
    {"get_ipython", "display", "exit", "quit", "open", "__name__", "__doc__", "__file__"}
)


@dataclass(frozen=True, slots=True)
class Gathered:
    """What goes along with a cell.

    Attributes:
        values: the variables, by name.
        optional: those among them that the cell may also make itself.
        missing: names that the cell reads and nobody has made.
        modules: to be imported in the job, beyond what its variables are.
        sources: digests of the person's own modules that it uses.
    """

    values: Mapping[str, Any]
    optional: frozenset[str]
    missing: tuple[str, ...]
    modules: tuple[str, ...]
    sources: Mapping[str, str]

    def digests(self) -> dict[str, str | None]:
        """Of every variable; None where a new kernel might tell another one for an equal value."""
        return {name: digest(value) for name, value in self.values.items()}


def gather(needs: Needs, namespace: Mapping[str, Any], hidden: Mapping[str, Any]) -> Gathered:
    """The variables that a cell needs, of a notebook's namespace; `hidden` are IPython's own ones."""

    def is_there(name: str) -> bool:
        own = name in hidden and namespace.get(name) is hidden[name]
        return name in namespace and not own and name not in {"__name__", "__doc__", "__builtins__"}

    missing = [
        name
        for name in needs.read
        if not is_there(name) and not hasattr(builtins, name) and name not in _OF_THE_SHELL | set(hidden)
    ]
    names = sorted(name for name in needs.read | needs.perhaps if is_there(name))
    values = {name: namespace[name] for name in names}
    imported = sorted({name.partition(".")[0] for name in needs.imports})
    sources = {name: own_source(name).hex() for name in imported}
    return Gathered(values, needs.perhaps, tuple(sorted(missing)), tuple(_submodules(needs, values)), sources)


def _submodules(needs: Needs, values: Mapping[str, Any]) -> list[str]:
    """`scipy.sparse` where the cell says so, `scipy` is a variable and `scipy.sparse` was imported."""
    found = set()
    for chain in needs.chains:
        name, *words = chain.split(".")
        module = values.get(name)
        if not isinstance(module, ModuleType):
            continue
        path = module.__name__
        for word in words:
            path = f"{path}.{word}"
            if path in sys.modules:
                found.add(path)
    return sorted(found)
