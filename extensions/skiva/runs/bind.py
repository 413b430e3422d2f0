"""Brings a cell's variables back into the notebook."""

import importlib
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from skiva.runs.digest import digest
from skiva.runs.files import read_json
from skiva.runs.run import Run
from skiva.runs.together import unpack_into

__all__ = ["Baseline", "Brought", "bind", "bring_back"]


@dataclass(frozen=True, slots=True)
class Baseline:
    """How the notebook's variables were when a cell was sent off, without keeping them alive."""

    seen: Mapping[str, tuple[int, str | None]]

    @classmethod
    def of(
        cls, names: Iterable[str], namespace: Mapping[str, Any], known: Mapping[str, str | None]
    ) -> "Baseline":
        """Of these names, as they are now; the digests of some are known."""
        there = [name for name in names if name in namespace]
        return cls(
            {
                name: (id(namespace[name]), known[name] if name in known else digest(namespace[name]))
                for name in there
            }
        )

    def is_as_it_was(self, name: str, namespace: Mapping[str, Any]) -> bool:
        """Whether nobody has given this name another value since, or changed the one that it had."""
        if name not in namespace or name not in self.seen:
            return (name in namespace) == (name in self.seen)
        place, was = self.seen[name]
        return id(namespace[name]) == place and (was is None or digest(namespace[name]) == was)


@dataclass(frozen=True, slots=True)
class Brought:
    """What came of it: names that are bound now, those that were left alone, and what could not come."""

    names: tuple[str, ...]
    left: tuple[str, ...] = ()
    sentences: tuple[str, ...] = ()


def bring_back(
    directory: Path, namespace: dict[str, Any], may: Callable[[str], bool] = lambda _: True
) -> Brought:
    """Put into `namespace` what a cell assigned, as far as `may` allows for each name."""
    told = read_json(directory / "bound.json") or {}
    sentences = [str(sentence) for sentence in told.get("stay", ())]
    allowed = {name: may(name) for name in [*told.get("names", ()), *told.get("modules", {})]}
    found: dict[str, Any] = {}
    for name, module in dict(told.get("modules", {})).items():
        if namespace.get(name) is not None and namespace[name] is sys.modules.get(module):
            allowed.pop(name)
        elif allowed[name]:
            try:
                found[name] = importlib.import_module(str(module))
            except Exception as problem:  # noqa: BLE001 - a module may do anything when it is imported
                sentences.append(f"{name} cannot be imported here: {type(problem).__name__}: {problem}.")
    try:
        found |= unpack_into((directory / "result.pkl").read_bytes(), namespace)
    except Exception as problem:  # noqa: BLE001 - what it needs may not be here
        sentences.append(f"Its variables cannot be read here: {type(problem).__name__}: {problem}.")
    bound = {name: value for name, value in found.items() if allowed.get(name)}
    namespace.update(bound)
    return Brought(
        tuple(bound), tuple(name for name, may_be in allowed.items() if not may_be), tuple(sentences)
    )


def bind(run: Run, namespace: dict[str, Any] | None = None) -> list[str]:
    """Put the variables that a cell assigned into `namespace`, by default the notebook's own; their names.

    Raises:
        TypeError: the run is not a cell's.
        RunFailed: it ended without a result.
    """
    if run.spec.kind != "cell":
        raise TypeError(f"Run {run.id} is a {run.spec.kind}'s, so there are no variables; use its result().")
    if run.wait().state != "completed":
        run.result()  # says why there is none
    target = vars(sys.modules["__main__"]) if namespace is None else namespace
    brought = bring_back(run.directory, target)
    for sentence in brought.sentences:
        print(sentence)
    return list(brought.names)
