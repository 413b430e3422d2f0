"""Which variables the rest of a notebook takes along."""

import pytest
from IPython.core.inputtransformer2 import TransformerManager

from skiva.runs.notebook.reads import names_read

_KNOWN = ["a", "b", "c", "f", "i", "np", "print", "path"]


@pytest.mark.parametrize(
    ("cells", "needed"),
    [
        (["print(a)"], ["print", "a"]),
        (["a = 1\nprint(a)"], ["print"]),
        (["a += 1"], ["a"]),
        (["del a"], ["a"]),
        (["a = a + b"], ["a", "b"]),
        (["b = 1", "c = a.b + b"], ["a"]),
        (["import numpy as np\nnp.zeros(3)"], []),
        (["if b:\n    a = 1\nc = a"], ["b", "a"]),
        (["if b:\n    a = 1\nelse:\n    a = 2\nc = a"], ["b"]),
        (["for i in range(3):\n    c = i\nprint(c)"], ["print", "c"]),
        (["for i in range(3):\n    c = i\n    f(c)"], ["f"]),
        (["while a:\n    a = 0"], ["a"]),
        (["with f(a) as b:\n    c = b\nc"], ["f", "a"]),
        (["try:\n    a = 1\nexcept OSError as b:\n    f(b)\na"], ["f", "a"]),
        (["def f(a):\n    return a + b\nf(1)"], ["b"]),
        (["def f():\n    return a\na = 1\nf()"], ["a"]),  # it may be called before
        (["lambda a: a + c"], ["c"]),
        (["[i * a for i in b]"], ["b", "a"]),
        (["def f(x=a):\n    c = 1\n    return c"], ["a"]),
        (["class X(a):\n    y = b\n    def f(self):\n        return c"], ["a", "b", "c"]),
        (["a.x = 1"], ["a"]),
        (["a[i] = 1"], ["a", "i"]),
        (["(a, *b) = c"], ["c"]),
        (["f'{a} {b:{c}}'"], ["a", "b", "c"]),
        (["match a:\n    case [b]:\n        f(b)"], ["a", "f"]),
        (["%timeit f(a)"], ["f", "a"]),
        (["%%time\nc = a"], ["a"]),
        (["!ls {path} $b"], ["path", "b"]),
        (["x = await f(a)"], ["f", "a"]),
        (["this is no python a"], ["a"]),
    ],
)
def test_what_is_read_before_it_is_assigned_is_needed(cells: list[str], needed: list[str]) -> None:
    """Each way of reading a name counts, and what the cells surely assign before does not."""
    transform = TransformerManager().transform_cell
    assert set(names_read(cells, _KNOWN, transform)) == set(needed)
