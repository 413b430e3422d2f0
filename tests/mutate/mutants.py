"""All mutants of a module, as mutmut makes them."""

import ast
from collections.abc import Sequence
from contextlib import chdir
from dataclasses import dataclass
from difflib import unified_diff
from pathlib import Path

from mutmut.mutation.file_mutation import MutatedFile, mutate_file_contents
from mutmut.utils.format_utils import orig_function_and_class_names_from_key


@dataclass(frozen=True)
class Mutant:
    """One small change of a function.

    Attributes:
        name: what chooses it, `<module>.<mangled function>__mutmut_<number>`.
        file: the module that it changes, in the checkout.
        line: the first line that differs.
        function: the function, or the class and the method.
        diff: the lines that differ.
    """

    name: str
    file: Path
    line: int
    function: str
    diff: str


def mutate(root: Path, file: Path, module: str) -> tuple[str, list[Mutant]]:
    """A module's text with all its mutants in it, of which a variable chooses one, and what they are."""
    source = (root / file).read_text()
    with chdir(root):  # where its settings are
        mutated = mutate_file_contents(str(file), source)
    lines = mutated.code.splitlines()
    begins = _begins(source)
    return mutated.code, [
        _mutant(name, file, module, mutated, lines, begins) for name in mutated.mutant_names
    ]


def _mutant(
    name: str, file: Path, module: str, mutated: MutatedFile, lines: Sequence[str], begins: dict[str, int]
) -> Mutant:
    method, owner = orig_function_and_class_names_from_key(name)
    function = f"{owner}.{method}" if owner else method
    spans = mutated.line_span_by_function_name
    original = f"{name.rpartition('_')[0]}_orig"
    before, after = (
        [line.replace(f"def {wanted}(", f"def {method}(", 1) for line in lines[span.start - 1 : span.end]]
        for wanted, span in ((original, spans[original]), (name, spans[name]))
    )
    first = next(number for number, line in enumerate(before) if line not in after[number : number + 1])
    begin = next(number for number, line in enumerate(before) if f"def {method}(" in line)
    _, _, *changes = unified_diff(before, after, lineterm="", n=0)
    diff = "\n".join(line for line in changes if not line.startswith("@@"))
    return Mutant(f"{module}.{name}", file, begins[function] + first - begin, function, diff)


def _begins(source: str) -> dict[str, int]:
    """The line of each function and method."""
    found: dict[str, int] = {}
    for node in ast.parse(source).body:
        prefix = f"{node.name}." if isinstance(node, ast.ClassDef) else ""
        for inner in node.body if isinstance(node, ast.ClassDef) else [node]:
            if isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef):
                found[prefix + inner.name] = inner.lineno
    return found
