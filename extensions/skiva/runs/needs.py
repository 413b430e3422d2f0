"""Which of the notebook's variables a cell needs, told from its code alone. Pure."""

import ast
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from skiva.runs.names import Names, names_of

__all__ = ["Needs", "needs"]

_FLAGS = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT


@dataclass(frozen=True, slots=True)
class Needs:
    """What a cell does with the notebook's names.

    Attributes:
        read: variables that must be there when it starts.
        perhaps: variables that it may read, and may also make itself before: taken where they exist.
        bound: names that it gives a value.
        imports: modules that it imports, dotted.
        chains: names with their attributes, dotted, which may be modules.
    """

    read: frozenset[str]
    perhaps: frozenset[str]
    bound: frozenset[str]
    imports: frozenset[str]
    chains: frozenset[str]


def needs(code: str) -> Needs:
    """What this Python code, without magics that are not calls yet, needs.

    Raises:
        SyntaxError: it is not Python.
    """
    tree = ast.parse(code)
    compile(code, "<cell>", "exec", flags=_FLAGS, dont_inherit=True)
    walk = _Walk(_all_bound(tree.body))
    walk.block(tree.body, set())
    perhaps = frozenset(walk.perhaps - walk.read)
    imports, chains = frozenset(_imports(tree)), frozenset(_chains(tree))
    return Needs(frozenset(walk.read), perhaps, frozenset(walk.bound), imports, chains)


def _all_bound(body: Sequence[ast.stmt]) -> set[str]:
    found: set[str] = set()
    for statement in body:
        found |= names_of(statement).bound
    return found


@dataclass
class _Walk:
    """Goes through statements in the order in which they run, and knows which names are bound for sure."""

    bound: set[str]
    read: set[str] = field(default_factory=set)
    perhaps: set[str] = field(default_factory=set)
    possibly: set[str] = field(default_factory=set)
    """Bound so far on one of the ways through the cell."""
    star: bool = False
    _loops: int = 0
    _branches: int = 0
    """Blocks around the statement that may have run before: in an earlier turn of a loop, until an error."""

    def block(self, body: Sequence[ast.stmt], known: set[str]) -> set[str]:
        """The names that are bound for sure after `body`, where those in `known` are before."""
        for statement in body:
            known = self.statement(statement, known)
        return known

    def statement(self, node: ast.stmt, known: set[str]) -> set[str]:
        match node:
            case ast.If(test=test, body=body, orelse=other):
                known = self.simple(test, known)
                return self.maybe(body, known) & self.maybe(other, known)
            case ast.For() | ast.AsyncFor():
                known = self.simple(node.iter, known)
                self.loop(node.body, self.target(node.target, known))
                self.maybe(node.orelse, known)
                return known
            case ast.While(test=test, body=body, orelse=other):
                known = self.simple(test, known)
                self.loop(body, known)
                self.maybe(other, known)
                return known
            case ast.With() | ast.AsyncWith():
                for item in node.items:
                    known = self.simple(item.context_expr, known)
                    if item.optional_vars is not None:
                        known = self.target(item.optional_vars, known)
                return self.block(node.body, known)
            case ast.Try() | ast.TryStar():
                return self.attempt(node, known)
            case ast.Match(subject=subject, cases=cases):
                known = self.simple(subject, known)
                for case in cases:
                    self.case(case, known)
                return known
            case _:
                return self.simple(node, known)

    def maybe(self, body: Sequence[ast.stmt], known: set[str], *, unsure: bool = False) -> set[str]:
        """The same for statements that need not run."""
        more = int(unsure or self._loops > 0)
        self._branches += more
        found = self.block(body, set(known))
        self._branches -= more
        return found

    def loop(self, body: Sequence[ast.stmt], known: set[str]) -> None:
        self._loops += 1
        self.block(body, set(known))
        self._loops -= 1

    def attempt(self, node: ast.Try | ast.TryStar, known: set[str]) -> set[str]:
        after = [self.maybe(node.orelse, self.maybe(node.body, known, unsure=True))]
        for handler in node.handlers:
            own = {handler.name} if handler.name else set()
            if handler.type is not None:
                self.simple(handler.type, known)
            after.append(self.maybe(handler.body, known | own) - own)
        return self.block(node.finalbody, set.intersection(*after))

    def case(self, case: ast.match_case, known: set[str]) -> None:
        caught = {
            str(name)
            for part in ast.walk(case.pattern)
            for name in (getattr(part, "name", None), getattr(part, "rest", None))
            if name
        }
        for part in ast.walk(case.pattern):
            if isinstance(part, ast.expr) and not isinstance(part, ast.Constant):
                self.simple(part, known)
        if case.guard is not None:
            self.simple(case.guard, known | caught)
        self.maybe(case.body, known | caught)

    def target(self, target: ast.expr, known: set[str]) -> set[str]:
        """What a loop or a `with` assigns to."""
        return self.simple(ast.fix_missing_locations(ast.Assign([target], ast.Constant(None))), known)

    def simple(self, node: ast.stmt | ast.expr, known: set[str]) -> set[str]:
        names = names_of(node)
        self.star = self.star or names.star
        self.note(names.read, known)
        after = known | names.bound
        self.possibly |= names.bound
        self.note(names.later, after, surely=False)
        self.perhaps |= names.perhaps - known
        for text in names.code:
            after |= self.text(text, known, names)
        return after

    def text(self, code: str, known: set[str], names: Names) -> set[str]:
        """Code in a magic's text; what is none is left to the magic."""
        try:
            body = ast.parse(code).body
        except (SyntaxError, ValueError):
            return names.bound
        self.bound |= _all_bound(body)
        return self.block(body, set(known))

    def note(self, names: Iterable[str], known: set[str], *, surely: bool = True) -> None:
        for name in names:
            if name in known:
                continue
            # After a star-import nobody can know which names are the notebook's.
            made_here = name in self.bound and (self._branches or not surely or name in self.possibly)
            unsure = self.star or made_here
            (self.perhaps if unsure else self.read).add(name)


def _imports(tree: ast.Module) -> Iterable[str]:
    for part in ast.walk(tree):
        match part:
            case ast.Import(names=names):
                yield from (one.name for one in names)
            case ast.ImportFrom(module=str(module), level=0):
                yield module
            case _:
                pass


def _chains(tree: ast.Module) -> Iterable[str]:
    for part in ast.walk(tree):
        if isinstance(part, ast.Attribute) and (chain := _chain(part)):
            yield chain


def _chain(node: ast.Attribute) -> str:
    words: list[str] = [node.attr]
    inner: ast.expr = node.value
    while isinstance(inner, ast.Attribute):
        words.append(inner.attr)
        inner = inner.value
    return ".".join([inner.id, *reversed(words)]) if isinstance(inner, ast.Name) else ""
