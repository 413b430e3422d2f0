"""What a cell needs of the notebook is told from its code."""

import ast
import builtins
import symtable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skiva.runs import names as names_module
from skiva.runs.needs import needs


def wanted(code: str) -> tuple[set[str], set[str], set[str]]:
    """The names that it reads, those that it may read, and those that it binds; without builtins."""
    found = needs(code)
    own = set(dir(builtins)) | {"get_ipython"}
    return set(found.read) - own, set(found.perhaps) - own, set(found.bound)


@pytest.mark.parametrize(
    ("code", "read", "perhaps", "bound"),
    [
        ("y = x + 1; z = y", {"x"}, set(), {"y", "z"}),
        ("x += 1", {"x"}, set(), {"x"}),
        ("print(x); x = 1", {"x"}, set(), {"x"}),
        ("x = 1; print(x)", set(), set(), {"x"}),
        ("del g", {"g"}, set(), set()),
        ("a.b = c[d] = e", {"a", "c", "d", "e"}, set(), set()),
        ("f'{a!r:{b}}'", {"a", "b"}, set(), set()),
        ("x: int = y", {"y"}, set(), {"x"}),
        ("x: int", set(), set(), set()),
        ("[a * b for a in xs if c]", {"b", "c", "xs"}, set(), set()),
        ("lambda u, v=w: u + q", {"w", "q"}, set(), set()),
        ("print(n := 3, n)", set(), set(), {"n"}),
        ("await g(h)", {"g", "h"}, set(), set()),
        ("import os.path as p, scipy.sparse", set(), set(), {"p", "scipy"}),
        ("from .m import *", set(), set(), set()),
        ("rows = [rows[i] for i in order]", {"rows", "order"}, set(), {"rows"}),
        ("b = {b + i for i in [a]}", {"a", "b"}, set(), {"b"}),
        ("{k: v + w for k, v in d.items() if k not in u}", {"d", "u", "w"}, set(), set()),
        ("y = [[x * j for j in js] for x in xs]", {"js", "xs"}, set(), {"y"}),
        ("y = [z := x for x in xs]", {"xs"}, {"z"}, {"y", "z"}),
        ("y = [await f(i) async for i in g]", {"f", "g"}, set(), {"y"}),
        ("async for i in g: await f(i)", {"f", "g"}, set(), {"i"}),
        ("async with g as w: w", {"g"}, set(), {"w"}),
        ("a.b: c = d", {"a", "c", "d"}, set(), set()),
        ("def f():\n x: int\n return x", set(), set(), {"f"}),
        ("class A:\n x: t = y", {"t", "y"}, set(), {"A"}),
    ],
)
def test_plain_statements(code: str, read: set[str], perhaps: set[str], bound: set[str]) -> None:
    """What is read before it is bound is needed; what is bound for sure before is not."""
    assert wanted(code) == (read, perhaps, bound)


@pytest.mark.parametrize(
    ("code", "read", "perhaps"),
    [
        ("if a: b = 1\nprint(b)", {"a"}, {"b"}),
        ("if a: b = 1\nelse: b = 2\nprint(b)", {"a"}, set()),
        ("if a: b = b + 1", {"a", "b"}, set()),
        ("for i in r:\n  s += i", {"r", "s"}, set()),
        ("for i in r:\n  if i: s = 0\n  else: s += i", {"r"}, {"s"}),
        ("for i in r: pass\nprint(i)", {"r"}, {"i"}),
        ("for i in r:\n  if i: print(s)\n  s = 1", {"r"}, {"s"}),
        ("if a:\n  b = 1\n  b: t\n  print(b)", {"a", "t"}, set()),
        ("while a: b = c\nelse: d", {"a", "c", "d"}, set()),
        ("with open(p) as f: d = f.read()\nprint(d)", {"p"}, set()),
        ("try:\n import cupy as xp\nexcept ImportError:\n import numpy as xp\nxp.ones(n)", {"n"}, set()),
        ("try: prof\nexcept NameError: prof = 1", set(), {"prof"}),
        ("try: a\nexcept E as e: print(e)\nfinally: b", {"a", "E", "b"}, set()),
        ("match v:\n case P(k=q): print(q, o)\n case [*rest]: rest", {"v", "P", "o"}, set()),
        ("from m import *\nfoo(bar)", set(), {"foo", "bar"}),
    ],
)
def test_blocks(code: str, read: set[str], perhaps: set[str]) -> None:
    """What a block binds on some ways only may still be needed; what it binds on all ways is not."""
    assert wanted(code)[:2] == (read, perhaps)


@pytest.mark.parametrize(
    ("code", "read", "perhaps"),
    [
        ("def f(s=d):\n t = 0\n t += s\n return other(t)\ndef other(n): return n * k", {"d", "k"}, {"other"}),
        ("def f(): return f()", set(), set()),
        ("def f():\n global c\n c += 1", set(), {"c"}),
        ("class A(B):\n y = z\n def m(self): return w", {"B", "z", "w"}, set()),
        ("@dec\nasync def f(x: T) -> U: return [x for x in y]", {"dec", "T", "U", "y"}, set()),
        ("def f():\n def g(): return h\n return g", {"h"}, set()),
    ],
)
def test_functions(code: str, read: set[str], perhaps: set[str]) -> None:
    """What functions and classes read of the notebook is needed, and their own names are not."""
    assert wanted(code)[:2] == (read, perhaps)


class _Recorded(list[str]):
    """The texts that Python's tables are asked for."""

    def symtable(self, code: str, *more: Any) -> symtable.SymbolTable:
        self.append(code)
        return symtable.symtable(code, *more)


@pytest.mark.parametrize(
    "code",
    [
        "y = [x for x in {v for v in xs}]",
        "y = {k: [v for v in vs] for k, vs in d.items()}",
        "async def f():\n return [await g(x) async for x in xs]",
        "async for x in xs:\n  async with g(x) as w: await w",
        "x: int = 1\ny: str",
        "class A:\n x: int = [y for y in z]",
        "class A:\n def f(self): pass\n x: int = 1",
        "if a:\n  x: int = (await b)",
        "f'{[x for x in xs]!r}'",
    ],
)
def test_nothing_is_asked_that_versions_of_python_tell_differently(
    monkeypatch: pytest.MonkeyPatch, code: str
) -> None:
    """3.12 gives comprehensions no table of their own, 3.14 refuses await and adds to annotations."""
    asked = _Recorded()
    monkeypatch.setattr(names_module, "symtable", asked)
    needs(code)
    assert asked
    differ = (
        *(ast.ListComp, ast.SetComp, ast.DictComp, ast.Await, ast.AnnAssign, ast.AsyncFor, ast.AsyncWith),
    )
    found = [part for text in asked for part in ast.walk(ast.parse(text))]
    assert [type(part).__name__ for part in found if isinstance(part, differ)] == []
    assert not any(part.is_async for part in found if isinstance(part, ast.comprehension))


def test_magics_bring_what_their_text_reads() -> None:
    """Code behind %time is read as code, and what a shell line has filled in is taken where it exists."""
    timed = "get_ipython().run_line_magic('time', 'm = fit(X)')\nprint(m)"
    assert wanted(timed) == ({"fit", "X"}, set(), {"m"})
    for magic in ("time", "timeit", "prun", "memit", "lprun"):
        assert wanted(f"get_ipython().run_line_magic('{magic}', '-n 10 f(a)')")[0] == {"f", "a"}
    assert wanted("get_ipython().run_line_magic('cd', 'f(a)')") == (set(), set(), set())
    assert wanted("get_ipython().run_cell_magic('capture', 'out', 'b = a')")[0] == {"a"}
    assert wanted("get_ipython().system('ls {1 +} {folder} $home')")[1] == {"folder", "home"}


def test_modules_that_are_named_are_told() -> None:
    """What is imported, but for what is beside the code, and names with attributes, which may be modules."""
    found = needs("import a.b as c, d\nfrom e.f import g\nfrom .h import i\nnp.linalg.norm(x).y\nj().k")
    assert found.imports == {"a.b", "d", "e.f"}
    assert found.chains == {"np.linalg", "np.linalg.norm"}


def test_what_is_no_python_is_said() -> None:
    """A mistake in the cell is found before anything is sent."""
    for code in ("1 +", "return 3", "def f(:"):
        with pytest.raises(SyntaxError):
            needs(code)


_NAMES = st.sampled_from("abcde")
_LINES = st.one_of(
    st.builds("{} = {}".format, _NAMES, _NAMES),
    st.builds("{} += {}".format, _NAMES, _NAMES),
    st.builds("if {}: {} = {}".format, _NAMES, _NAMES, _NAMES),
    st.builds("for {} in [{}]: {} = {}".format, _NAMES, _NAMES, _NAMES, _NAMES),
    st.builds("{} = [{} + i for i in [{}]][0]".format, _NAMES, _NAMES, _NAMES),
    st.builds("def {}(): return {}".format, st.sampled_from("fg"), _NAMES),
)


@given(st.lists(_LINES, max_size=8))
def test_what_is_told_is_enough(lines: list[str]) -> None:
    """Code that runs with all the notebook's variables runs with those that are told to be needed."""
    code = "\n".join(lines)
    everything: dict[str, Any] = dict.fromkeys("abcde", 1)
    told = needs(code)
    some = {name: value for name, value in everything.items() if name in told.read | told.perhaps}
    exec(code, everything)  # noqa: S102
    exec(code, some)  # noqa: S102
    assert {name: some[name] for name in told.bound if name in "abcde"} == {
        name: everything[name] for name in told.bound if name in "abcde"
    }
