"""A value's digest is the same in every kernel for equal values, and another one for others."""

import subprocess
import sys
import textwrap
import threading
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skiva.runs.digest import digest
from skiva.runs.own_modules import own_source

_VALUES = """
import collections, dataclasses, datetime, decimal, enum, functools, pathlib, re

scale = 2.5
def helper(v): return v * scale
def f(v, *, k={"b", "a", "c"}):
    "doc"
    return [helper(i) for i in v if i in {"x", "y", "z"}]

class Base:
    kind = {"p", "q"}
    def m(self): return helper(1)
    @property
    def n(self): return 1
    @classmethod
    def c(cls): return cls

class P(Base):
    def __init__(self): self.b, self.a, self.me = 1, {"s", "t"}, self

class Slots:
    __slots__ = ("u", "w")
    def __init__(self): self.u, self.w = 1, [2]

@dataclasses.dataclass
class D:
    x: int = 1
    y: list = dataclasses.field(default_factory=list)

class Colour(enum.Enum):
    RED = 1

def counter():
    n = 0
    def up(): return n
    return up

loop = [1]; loop.append(loop)
VALUES = [
    {"one", "two", "three"}, frozenset("abcdef"), {"k": {"x", "y"}}, f, P, P(), Slots(), D, D(), Colour.RED,
    lambda x: x in {"a", "b"}, counter(), loop, re.compile("a+"), decimal.Decimal("1.5"),
    functools.partial(f, k=1), datetime.datetime(2026, 1, 1), pathlib.PurePosixPath("a"), pathlib.Path("b"),
    collections.OrderedDict(a=1), collections.defaultdict(set, a={"x", "y"}), collections.Counter("abca"),
    range(3), slice(1, 2), re, [1, 1.0, True, None, "1", b"1"], P().m, 1j, bytearray(b"x"), float("nan"), ...,
    len, dict, complex,
]
"""


def _digests(seed: str, before: str = "") -> list[str]:
    """Those of the values above, in a Python of its own."""
    program = (
        f"{before}\n{_VALUES}\nfrom skiva.runs.digest import digest\nfor one in VALUES: print(digest(one))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join(filter(None, sys.path))},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.split()


def test_it_is_the_same_in_every_kernel() -> None:
    """Hash seeds, the place in memory and the number of the line change nothing; each value has its own."""
    first = _digests("1")
    assert "None" not in first
    assert len(set(first)) == len(first)
    assert _digests("2", before="junk = [object() for _ in range(1000)]\n\n\n") == first


def _made(code: str) -> Any:
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(textwrap.dedent(code), namespace)  # noqa: S102
    return namespace["it"]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("it = 1", "it = 1.0"),
        ("it = 1", "it = True"),
        ("it = [1, 2]", "it = [2, 1]"),
        ("it = [1, 2]", "it = (1, 2)"),
        ("it = {'a': 1, 'b': 2}", "it = {'b': 2, 'a': 1}"),
        ("it = [[], []]", "it = [[[]]]"),
        ("def it(v): return v + 1", "def it(v): return v + 2"),
        ("def it(v=1): return v", "def it(v=2): return v"),
        ("k = 1\ndef it(): return k", "k = 2\ndef it(): return k"),
        ("def g(): return 1\ndef it(): return g()", "def g(): return 2\ndef it(): return g()"),
        ("def m(n):\n return lambda: n\nit = m(1)", "def m(n):\n return lambda: n\nit = m(2)"),
        ("class it:\n def m(self): return 1", "class it:\n def m(self): return 2"),
        ("class C: pass\nit = C()\nit.n = 1", "class C: pass\nit = C()\nit.n = 2"),
        ("import random\nit = random.Random(1)", "import random\nit = random.Random(2)"),
        # Where one thing ends and the next begins.
        ("it = [1, 23]", "it = [12, 3]"),
        ("it = [b'a', b'bc']", "it = [b'ab', b'c']"),
        ("it = b'x'", "it = bytearray(b'x')"),
        ("it = {1: {2: 3}}", "it = {1: 2, 3: 3}"),
        ("it = [1]; it.append(it)", "it = [1, [1]]; it[1].append(it)"),
        # What a function is.
        ("def it(v): return v.a", "def it(v): return v.b"),
        ("def it(v): return v", "def it(w): return w"),
        ("def it(*, v=1): return v", "def it(*, v=2): return v"),
        ("def it(v): return v", "def it(*v): return v"),
        ("def it(v, w): return v", "def it(v, *, w): return v"),
        ("def it(v, w): return v", "def it(v, /, w): return v"),
        ("def it(v): return v", "async def it(v): return v"),
        ("def it(): pass\nit.n = 1", "def it(): pass\nit.n = 2"),
        ("def f(): pass\nit = f", "def g(): pass\nit = g"),
        ("k = 1\ndef it(): return lambda: k", "k = 2\ndef it(): return lambda: k"),
        ("def it(v):\n try: return v()\n except: pass", "def it(v):\n return v()\n try: pass\n except: pass"),
        # What a class is.
        ("class A: pass\nclass it(A): pass", "class A: n = 1\nclass it(A): pass"),
        ("class A: pass\nit = A", "class B: pass\nit = B"),
        *(
            (f"class it:\n {how}\n def m(self): return 1", f"class it:\n {how}\n def m(self): return 2")
            for how in ("@property", "@staticmethod", "@classmethod")
        ),
        ("class it:\n @staticmethod\n def m(v): return v", "class it:\n @classmethod\n def m(v): return v"),
        (
            "class C:\n def m(self): 0\nc = C()\nit = c.m",
            "class C:\n def m(self): 0\nc = C()\nc.n = 1\nit = c.m",
        ),
        (
            "class C:\n def m(self): 0\n def n(self): 0\nit = C().m",
            "class C:\n def m(self): 0\n def n(self): 0\nit = C().n",
        ),
        # What pickling tells of anything else.
        ("class C: __slots__ = 'u'\nit = C()\nit.u = 1", "class C: __slots__ = 'u'\nit = C()\nit.u = 2"),
        ("import collections as c\nit = c.deque([1])", "import collections as c\nit = c.deque([2])"),
        (
            "import collections as c\nit = c.OrderedDict(a=1)",
            "import collections as c\nit = c.OrderedDict(a=2)",
        ),
        ("import re\nit = re.compile('a')", "import re\nit = re.compile('a', re.I)"),
        ("import pathlib as p\nit = p.Path('a')", "import pathlib as p\nit = p.Path('b')"),
        ("import pickle as p\nit = p.PickleBuffer(b'a')", "import pickle as p\nit = p.PickleBuffer(b'b')"),
        (
            "import types as t\nit = t.MappingProxyType({1: 2})",
            "import types as t\nit = t.MappingProxyType({1: 3})",
        ),
        ("import json as it", "import ast as it"),
        ("from json import dumps as it", "from json import loads as it"),
        ("it = len", "it = abs"),
    ],
)
def test_another_value_has_another_one(one: str, other: str) -> None:
    """What makes a computation another one makes the digest another one, also through functions."""
    assert digest(_made(one)) == digest(_made(one)) is not None
    assert digest(_made(one)) != digest(_made(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("it = {3, 1, 2}", "it = {2, 3, 1}"),
        ("class C: pass\nit = C()\nit.a, it.b = 1, 2", "class C: pass\nit = C()\nit.b, it.a = 2, 1"),
        ("class it:\n a = 1\n b = 2", "class it:\n b = 2\n a = 1"),
        ("j = 1\nk = 2\ndef it(): return k", "j = 5\nk = 2\ndef it(): return k"),
        ("def it(): return 1", "\n\n# further down\ndef it(): return 1"),
        ("it = [[1], [1]]", "a = [1]\nit = [a, a]"),
    ],
)
def test_what_changes_no_computation_changes_no_digest(one: str, other: str) -> None:
    """The order of sets, attributes and lines, and what nobody uses."""
    assert digest(_made(one)) == digest(_made(other)) is not None


def test_what_is_in_the_notebook_is_compared_by_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """The notebook is `__main__`, whose names mean something else in each kernel."""
    found = []
    for number in (1, 2):
        value = _made(f"def it(): return {number}")
        monkeypatch.setattr(sys.modules["__main__"], "it", value, raising=False)
        found.append(digest(value))
    assert len({*found, None}) == 3


def test_what_nobody_can_compare_has_none() -> None:
    """A lock, a generator and a frame have no digest; two runs are better than a wrong result."""
    for value in (threading.Lock(), (i for i in [1]), sys._getframe(), [{"deep": threading.RLock()}]):
        assert digest(value) is None


_PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner) | st.frozensets(st.integers())
    ),
    max_leaves=20,
)


@given(_PLAIN, _PLAIN)
def test_plain_values_agree_with_their_text(one: Any, other: Any) -> None:
    """Of plain values two digests are the same exactly if both print the same."""
    assert digest(one) is not None
    if repr(one) != repr(other) and not isinstance(one, frozenset):
        assert digest(one) != digest(other)
    if repr(one) == repr(other):
        assert digest(one) == digest(other)


def test_an_own_module_that_was_edited_makes_another_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A function of a file beside the notebook is compared with its file's text."""
    (tmp_path / "own_helpers_a.py").write_text("def f(): return 1\n")
    monkeypatch.syspath_prepend(tmp_path)
    import own_helpers_a  # type: ignore[import-not-found]

    before = digest(own_helpers_a.f)
    assert before == digest(own_helpers_a.f)
    (tmp_path / "own_helpers_a.py").write_text("def f(): return 2\n")
    assert digest(own_helpers_a.f) != before
    assert digest(own_helpers_a) != before


def test_a_package_of_ones_own_is_compared_whole_and_an_installed_one_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is beside the notebook changes between runs; what is installed does with the environment."""
    own, installed = tmp_path / "own_package_b", tmp_path / "site-packages" / "own_package_c"
    for place in (own, installed):
        place.mkdir(parents=True)
        (place / "__init__.py").touch()
        (place / "inner.py").write_text("n = 1\n")
        monkeypatch.syspath_prepend(place.parent)
    before = own_source("own_package_b.inner")
    assert before == own_source("own_package_b") != b""
    (own / "inner.py").write_text("n = 2\n")
    assert own_source("own_package_b") != before
    (own / "inner.py").rename(own / "other.py")
    assert own_source("own_package_b") not in {before, b""}
    for name in ("own_package_c", "json", "pytest", "sys", "no_such_module", "builtins"):
        assert own_source(name) == b""
