"""Which variables a piece of a notebook reads that it has not set itself: from its text. Pure."""

import ast
import re
import symtable
from collections.abc import Callable, Iterable

__all__ = ["names_read"]

_NAME = re.compile(r"[^\W\d]\w*")
_MAGIC = frozenset({"run_line_magic", "run_cell_magic", "system", "getoutput"})
_AT_ONCE = frozenset({"listcomp", "genexpr", "setcomp", "dictcomp"})


def names_read(
    cells: Iterable[str], known: Iterable[str], transform: Callable[[str], str] | None = None
) -> list[str]:
    """The names among `known` that running these cells in order needs, in the order of their first use.

    What only a function's body reads is needed unless the cells themselves assign it. The words of magics
    and shell commands count as well; what is read by other means, such as `globals()`, cannot be seen.

    Args:
        cells: the cells' texts.
        known: the names of all variables that there are.
        transform: turns IPython's own syntax into Python; a text that is none even then is read by words.
    """
    reader = _Reader()
    for text in cells:
        try:
            tree = ast.parse(transform(text) if transform else text)
        except (SyntaxError, ValueError):
            reader.words(text)
        else:
            reader.body(tree.body)
    there = set(known)
    later = [name for name in reader.later if name not in reader.assigned]
    return [name for name in dict.fromkeys([*reader.now, *later]) if name in there]


class _Reader:
    """Walks top-level statements in order, knowing what has been assigned so far."""

    def __init__(self) -> None:
        self.now: list[str] = []
        self.later: list[str] = []
        self.assigned: set[str] = set()

    def body(self, statements: Iterable[ast.stmt]) -> None:
        for statement in statements:
            self._statement(statement)

    def words(self, text: str) -> None:
        self._now(_NAME.findall(text))

    def _statement(self, statement: ast.stmt) -> None:
        match statement:
            case ast.For(target=target, iter=over) | ast.AsyncFor(target=target, iter=over):
                self._simple(over)
                self._ways([*statement.body, *statement.orelse], given=_targets(target))
            case ast.While(test=test):
                self._simple(test)
                self._ways([*statement.body, *statement.orelse])
            case ast.If(test=test):
                self._simple(test)
                self._ways(statement.body, statement.orelse)
            case ast.With() | ast.AsyncWith():
                for item in statement.items:
                    self._simple(item.context_expr)
                    self.assigned.update(_targets(item.optional_vars))
                self.body(statement.body)
            case ast.Try() | ast.TryStar():
                handlers = [one.body for one in statement.handlers]
                caught = [one.name for one in statement.handlers if one.name]
                self._ways([*statement.body, *statement.orelse], *handlers, given=caught)
                self.body(statement.finalbody)
            case _:
                self._simple(statement)
                self.assigned.update(_assigns(statement))

    def _ways(self, *bodies: list[ast.stmt], given: Iterable[str] = ()) -> None:
        """Statements that may not be run: only what every way assigns is sure, and one way is no choice."""
        before, after = set(self.assigned), []
        for body in bodies:
            self.assigned = before | set(given)
            self.body(body)
            after.append(self.assigned)
        self.assigned = before | set.intersection(*after) - set(given) if len(bodies) > 1 else before

    def _simple(self, node: ast.AST) -> None:
        """What one statement without others in it, or one expression, reads."""
        for child in ast.walk(node):
            if isinstance(child, ast.Call) and getattr(child.func, "attr", "") in _MAGIC:
                said = [one.value for one in child.args if isinstance(one, ast.Constant)]
                self.words(" ".join(text for text in said if isinstance(text, str)))
        if isinstance(node, ast.AugAssign):
            self._now(_targets(node.target))
        if isinstance(node, ast.Delete):
            self._now(name for target in node.targets for name in _targets(target))
        try:
            table = symtable.symtable(ast.unparse(node), "cell", "exec")
        except SyntaxError:
            self.words(ast.unparse(node))
        else:
            self._table(table, now=True)

    def _table(self, table: symtable.SymbolTable, *, now: bool) -> None:
        names = [
            symbol.get_name()
            for symbol in table.get_symbols()
            if symbol.is_referenced() and (table.get_type() == "module" or symbol.is_global())
        ]
        if now:
            self._now(names)
        else:
            self.later += names
        for child in table.get_children():
            at_once = child.get_type() == "class" or child.get_name() in _AT_ONCE
            self._table(child, now=now and at_once)

    def _now(self, names: Iterable[str]) -> None:
        self.now += [name for name in names if name not in self.assigned]


def _assigns(statement: ast.stmt) -> set[str]:
    match statement:
        case ast.Assign(targets=targets):
            return {name for target in targets for name in _targets(target)}
        case ast.AnnAssign(target=ast.Name(id=name), value=value) if value is not None:
            return {name}
        case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
            return {name}
        case ast.Import(names=names) | ast.ImportFrom(names=names):
            return {(one.asname or one.name).split(".")[0] for one in names}
        case _:
            return set()


def _targets(target: ast.expr | None) -> list[str]:
    match target:
        case ast.Name(id=name):
            return [name]
        case ast.Tuple(elts=parts) | ast.List(elts=parts):
            return [name for part in parts for name in _targets(part)]
        case ast.Starred(value=value):
            return _targets(value)
        case _:
            return []
