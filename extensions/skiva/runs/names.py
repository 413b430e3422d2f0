"""What one piece of code does with names, as Python's own tables of symbols tell it. Pure."""

import ast
import re
import symtable
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Names", "names_of"]

_BRACES = re.compile(r"\{([^{}]*)\}")
_DOLLAR = re.compile(r"\$\{?([A-Za-z_]\w*)")


@dataclass(slots=True)
class Names:
    """Names of the notebook, by what happens to them.

    Attributes:
        read: while this code runs.
        later: by functions that it defines, when they are called.
        bound: given a value.
        perhaps: read if they exist, by text that IPython fills in.
        code: Python inside a magic's text, which runs at once.
        star: whether `from … import *` binds names that nobody can know.
    """

    read: set[str] = field(default_factory=set)
    later: set[str] = field(default_factory=set)
    bound: set[str] = field(default_factory=set)
    perhaps: set[str] = field(default_factory=set)
    code: list[str] = field(default_factory=list)
    star: bool = False


def names_of(node: ast.stmt | ast.expr) -> Names:
    """The names in one statement or expression, without regard to order. Blocks are taken as a whole."""
    found = Names()
    whole = node if isinstance(node, ast.stmt) else ast.Expr(node)
    table = symtable.symtable(_plain(whole), "<cell>", "exec")
    for symbol in table.get_symbols():
        if symbol.is_assigned() or symbol.is_imported():
            found.bound.add(symbol.get_name())
        if symbol.is_referenced():
            found.read.add(symbol.get_name())
    for inner in table.get_children():
        _inner(inner, found, later=False)
    for part in _own(whole):
        _more(part, found)
    return found


def _plain(node: ast.stmt) -> str:
    """The same code to the eyes of `symtable`, in words that every version of Python tells alike."""
    tree = ast.parse(ast.unparse(node))  # what it changes is its own
    return ast.unparse(ast.fix_missing_locations(_Plain().visit(tree)))


class _Plain(ast.NodeTransformer):
    """Takes out what newer Pythons' tables leave out, or refuse.

    Since 3.12 the variables of a comprehension are in the table around it, as if they were the notebook's
    (PEP 709); a generator has a table of its own in every version. 3.14 refuses `await` outside of functions,
    and makes variables of its own for the notebook's annotations.
    """

    _functions = 0

    def visit_ListComp(self, node: ast.ListComp | ast.SetComp) -> Any:
        return self.visit_GeneratorExp(ast.GeneratorExp(node.elt, node.generators))

    visit_SetComp = visit_ListComp  # noqa: N815 - what ast calls

    def visit_DictComp(self, node: ast.DictComp) -> Any:
        pair = ast.Tuple([node.key, node.value], ast.Load())
        return self.visit_GeneratorExp(ast.GeneratorExp(pair, node.generators))

    def visit_GeneratorExp(self, node: ast.GeneratorExp) -> Any:
        for one in node.generators:
            one.is_async = 0
        return self.generic_visit(node)

    def visit_Await(self, node: ast.Await) -> Any:
        return self.visit(node.value)

    def visit_AsyncFor(self, node: ast.AsyncFor) -> Any:
        return self.generic_visit(ast.For(node.target, node.iter, node.body, node.orelse))

    def visit_AsyncWith(self, node: ast.AsyncWith) -> Any:
        return self.generic_visit(ast.With(node.items, node.body))

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> Any:
        self._functions += 1
        found = self.generic_visit(node)
        self._functions -= 1
        return found

    visit_AsyncFunctionDef = visit_FunctionDef  # noqa: N815

    def visit_AnnAssign(self, node: ast.AnnAssign) -> Any:
        if self._functions or not isinstance(node.target, ast.Name):
            return self.generic_visit(node)
        made = [] if node.value is None else [ast.Assign([node.target], self.visit(node.value))]
        return [ast.Expr(self.visit(node.annotation)), *made]


def _own(node: ast.AST) -> Iterator[ast.AST]:
    """The parts that belong to the notebook's own scope."""
    yield node
    if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)):
        for part in ast.iter_child_nodes(node):
            yield from _own(part)


def _inner(table: symtable.SymbolTable, found: Names, *, later: bool) -> None:
    """What functions, classes and generators (which run at once) do with names that are not their own."""
    later = later or (table.get_type() != "class" and table.get_name() != "genexpr")
    for symbol in table.get_symbols():
        name = symbol.get_name()
        if symbol.is_global() and symbol.is_assigned():
            found.bound.add(name)
            found.perhaps.add(name)
        own_of_class = table.get_type() == "class" and symbol.is_assigned()
        if symbol.is_referenced() and (symbol.is_global() or own_of_class):
            (found.later if later or own_of_class else found.read).add(name)
    for inner in table.get_children():
        _inner(inner, found, later=later)


def _more(part: ast.AST, found: Names) -> None:
    """What the tables do not tell."""
    match part:
        case ast.AugAssign(target=ast.Name(id=name)):
            found.read.add(name)
        case ast.Delete(targets=targets):
            found.read |= {target.id for target in targets if isinstance(target, ast.Name)}
            found.bound -= {target.id for target in targets if isinstance(target, ast.Name)}
        case ast.ImportFrom(names=names):
            found.star = found.star or any(one.name == "*" for one in names)
        case ast.NamedExpr(target=ast.Name(id=name)):
            # Whether it is read before it is bound here, the order inside the expression decides.
            found.read.discard(name)
            found.later.add(name)
        case ast.Call(func=ast.Attribute(value=ast.Call(func=ast.Name(id="get_ipython")), attr=how)):
            _magic(how, [word for argument in part.args for word in _texts(argument)], found)
        case _:
            pass


def _texts(argument: ast.expr) -> Iterator[str]:
    if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
        yield argument.value


_RUNS_CODE = frozenset({"time", "timeit", "prun", "capture", "memit", "lprun"})


def _magic(how: str, texts: list[str], found: Names) -> None:
    """A magic or a shell command: its text may be code, or have variables filled in."""
    if how in {"run_line_magic", "run_cell_magic"} and texts and texts[0] in _RUNS_CODE:
        code = texts[2] if how == "run_cell_magic" and len(texts) > 2 else " ".join(texts[1:])
        found.code.append(re.sub(r"^(\s*-\w+(\s+\d+)?)+\s", "", code))
        return
    for text in texts:
        found.perhaps |= set(_DOLLAR.findall(text))
        for piece in _BRACES.findall(text):
            try:
                parsed = ast.parse(piece.strip(), mode="eval")
            except (SyntaxError, ValueError):
                continue
            found.perhaps |= {n.id for n in ast.walk(parsed) if isinstance(n, ast.Name)}
