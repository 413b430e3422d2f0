"""Tells which mutants were noticed, and shows those that were not."""

import ast
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import chdir
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from mutmut.mutation.data import SourceFileMutationData
from mutmut.mutation.diff_apply import get_diff_for_mutant
from mutmut.utils.format_utils import orig_function_and_class_names_from_key
from tests.mutate.tree import Tree


class Fate(StrEnum):
    """What became of a mutant."""

    NOTICED = "noticed"
    TIMED_OUT = "timed out"
    SURVIVED = "survived"
    UNTESTED = "untested"  # no test calls the function


# Of a mutant's process, as mutmut tells it: pytest's status or a signal. Others mean that its tests failed.
_FATES = {
    0: Fate.SURVIVED,
    5: Fate.UNTESTED,
    33: Fate.UNTESTED,
    -24: Fate.TIMED_OUT,
    -9: Fate.TIMED_OUT,  # the processor time that it may take is over, and it did not end
}


@dataclass(frozen=True)
class Survivor:
    """A mutant that no test noticed: the line of the module that differs, and how."""

    file: Path
    line: int
    function: str
    diff: str


@dataclass
class Module:
    """What became of the mutants of one module."""

    file: Path
    fates: Counter[Fate] = field(default_factory=Counter)
    survivors: list[Survivor] = field(default_factory=list)
    untested: Counter[str] = field(default_factory=Counter)


def read(tree: Tree, files: Iterable[Path]) -> list[Module]:
    """Read what mutmut left in the copy."""
    with chdir(tree.path):
        return [_module(tree, file) for file in files]


def noticed(modules: Iterable[Module]) -> float:
    """The share of mutants that tests noticed, in per cent."""
    return _per_cent(_together(modules))


def text(modules: Sequence[Module], *, floor: float) -> str:
    """A table of modules, what survived, and the verdict."""
    width = max(len(str(module.file)) for module in modules)
    head = ["mutants", *Fate, "per cent"]
    lines = [" " * width + "".join(f"{word:>10}" for word in head)]
    lines += [_row(str(module.file).ljust(width), module.fates) for module in modules if module.fates]
    fates = _together(modules)
    lines += [_row("together".ljust(width), fates), ""]
    for module in modules:
        lines += [
            f"{module.file}: no test calls {name} ({count} mutants)"
            for name, count in module.untested.items()
        ]
        lines += [f"{one.file}:{one.line} in {one.function}\n{one.diff}\n" for one in module.survivors]
    share = _per_cent(fates)
    lines.append(f"{share:.1f} % of {fates.total()} mutants were noticed; {floor:g} % must be.")
    return "\n".join(lines)


def _together(modules: Iterable[Module]) -> Counter[Fate]:
    return sum((module.fates for module in modules), Counter[Fate]())


def _row(name: str, fates: Counter[Fate]) -> str:
    numbers = [fates.total(), *(fates[fate] for fate in Fate)]
    return name + "".join(f"{number:>10}" for number in numbers) + f"{_per_cent(fates):>10.1f}"


def _per_cent(fates: Counter[Fate]) -> float:
    """Whatever was not even tried counts as not noticed; where there is nothing to try, nothing is amiss."""
    return 100 * (fates[Fate.NOTICED] + fates[Fate.TIMED_OUT]) / fates.total() if fates else 100.0


def _module(tree: Tree, file: Path) -> Module:
    module = Module(file)
    data = SourceFileMutationData(path=tree.named(file))
    data.load()
    begins = _begins((tree.path / file).read_text())
    for name, code in data.exit_code_by_key.items():
        if code is None:
            raise RuntimeError(f"mutmut did not try {name}")
        fate = _FATES.get(code, Fate.NOTICED)
        module.fates[fate] += 1
        method, owner = orig_function_and_class_names_from_key(name)
        function = f"{owner}.{method}" if owner else method
        if fate is Fate.UNTESTED:
            module.untested[function] += 1
        elif fate is Fate.SURVIVED:
            diff = get_diff_for_mutant(name, path=data.path)
            module.survivors.append(_survivor(file, begins[function], function, diff))
    module.survivors.sort(key=lambda one: one.line)
    return module


def _survivor(file: Path, begin: int, function: str, diff: str) -> Survivor:
    _, _, head, *body = diff.split("\n")
    same = next(number for number, line in enumerate(body) if line[0] != " ")
    first = re.match(r"@@ -(\d+)", head)
    assert first
    changed = [line for line in body if not line.startswith(" ")]
    return Survivor(file, begin + int(first[1]) - 1 + same, function, "\n".join(changed))


def _begins(source: str) -> dict[str, int]:
    """The first line of each function and method, its comments above included, as mutmut has it."""
    lines = source.splitlines()
    found: dict[str, int] = {}
    for node in ast.parse(source).body:
        prefix = f"{node.name}." if isinstance(node, ast.ClassDef) else ""
        for inner in node.body if isinstance(node, ast.ClassDef) else [node]:
            if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
                found[prefix + inner.name] = _with_comments(lines, inner)
    return found


def _with_comments(lines: Sequence[str], function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    first = min([function.lineno, *(one.lineno for one in function.decorator_list)])
    above = first
    while above > 1 and (not lines[above - 2].strip() or lines[above - 2].lstrip().startswith("#")):
        above -= 1
        if lines[above - 1].strip():
            first = above
    return first
