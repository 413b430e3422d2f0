"""Parameters of notebooks, and from which cell on they are run."""

import json
import keyword
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import nbformat
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.notebook_runs import notebook_of

from skiva.runs.notebook.parameters import assigned, check, inject
from skiva.runs.notebook.plan import NoNotebook, plan, readable
from skiva.runs.paths import RunDir
from skiva.runs.spec import Spec
from skiva.runs.wish import BadWish

_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
_names = st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True).filter(
    lambda name: not keyword.iskeyword(name)
)


@settings(deadline=None, max_examples=40)
@given(st.dictionaries(_names, _values, min_size=1, max_size=4))
def test_the_injected_cell_sets_exactly_what_was_given(parameters: dict[str, Any]) -> None:
    """Whatever plain values are given, running the cell gives them back, and nothing else is run."""
    notebook = notebook_of("x = 1")
    index = inject(notebook, check(parameters, notebook))
    assert index == 0
    found: dict[str, Any] = {}
    exec(notebook.cells[0].source, {"__builtins__": {"float": float}}, found)  # noqa: S102
    assert found == parameters
    assert notebook.cells[0].source.count("\n") == len(parameters)


def test_numbers_without_end_travel_too() -> None:
    """Infinity and not-a-number are set as such."""
    notebook = notebook_of("1")
    inject(notebook, {"a": float("inf"), "b": float("nan")})
    assert notebook.cells[0].source.splitlines()[1:] == ['a = float("inf")', 'b = float("nan")']


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        (["rate"], "must be a dictionary"),
        ({"two words": 1}, "'two words' is no name"),
        ({"class": 1}, "'class' is no name"),
        ({"a; import os": 1}, "is no name"),
        ({1: 1}, "1 is no name"),
        ({"rate": object()}, "rate holds a object"),
        ({"rate": [1, {2: 3}]}, "keys are not all text"),
        ({"rate": b"x"}, "rate holds a bytes"),
        ({"speed": 1, "rate": 2}, "none called speed; its parameters cell assigns rate, steps, seed, a, b"),
    ],
)
def test_what_cannot_be_a_parameter_is_refused_by_name(parameters: object, words: str) -> None:
    """The sentence names the parameter, and those that the notebook has."""
    cell = "rate = 0.1\nsteps: int = 5  # how many\nseed = None\n(a, b) = 1, 2\nprint(rate)"
    notebook = notebook_of("import os", cell, tags={1: ["parameters"]})
    with pytest.raises(BadWish, match="parameters: ") as refusal:
        check(parameters, notebook)
    assert words in str(refusal.value)


def test_any_name_is_taken_where_no_cell_says_which_there_are() -> None:
    """Without a parameters cell, or with one that cannot be read, nothing is refused for its name."""
    assert check({"anything": 1}, notebook_of("x = 1")) == {"anything": 1}
    assert check({"anything": 1}, notebook_of("%%bash\necho", tags={0: ["parameters"]})) == {"anything": 1}
    assert check(None, notebook_of("x = 1")) == {}


def test_other_languages_take_no_parameters() -> None:
    """A notebook for R is told apart in words."""
    notebook = notebook_of("x <- 1")
    notebook.metadata.kernelspec.language = "R"
    with pytest.raises(BadWish, match="for Python only, and this one is for R"):
        check({"x": 1}, notebook)


def test_an_earlier_injected_cell_is_replaced() -> None:
    """Sending a result off again with other values leaves one cell with values."""
    notebook = notebook_of("x = 1", "print(x)", tags={0: ["parameters"]})
    inject(notebook, {"x": 2})
    assert inject(notebook, {"x": 3}) == 1
    assert [cell.source for cell in notebook.cells] == ["x = 1", "# Parameters\nx = 3", "print(x)"]


def test_assigned_names_are_found_in_their_order() -> None:
    """Only what is assigned at the top counts, each name once."""
    assert assigned("b = a = 1\nb = 2\nif b:\n    c = 3\n[d, (e, f)] = x\ng: int\nobject.h = 1") == [
        *("b", "a", "d", "e", "f", "g"),
    ]
    assert assigned("not python") == []


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.sampled_from(["code", "text", "empty", "parameters"]), min_size=1, max_size=8),
    st.integers(0, 8),
    st.booleans(),
)
def test_start_at_means_the_same_cells_with_and_without_parameters(
    kinds: list[str], start_at: int, with_parameters: bool
) -> None:
    """Exactly the code cells from that index on are run, and the injected one, wherever that was put."""
    texts = {"code": "run({})", "text": "#md {}", "empty": " ", "parameters": "x = {}"}
    cells = [texts[kind].format(number) for number, kind in enumerate(kinds)]
    tags = {number: ["parameters"] for number, kind in enumerate(kinds) if kind == "parameters"}
    wanted = [
        cell
        for number, cell in enumerate(cells)
        if number >= start_at and kinds[number] in {"code", "parameters"}
    ]
    done = _planned(notebook_of(*cells, tags=tags), {"x": 5} if with_parameters else {}, start_at)
    assert [text for text in done if not text.startswith("# Parameters")] == wanted
    assert sum(text.startswith("# Parameters") for text in done) == with_parameters


def _planned(notebook: Any, parameters: Mapping[str, Any], start_at: int) -> list[str]:
    import tempfile

    spec = Spec(
        id="261122-abcdefgh", name="", kind="notebook", created=0, slice="cpu", hours=1, cwd="/",
        parameters=parameters, start_at=start_at,
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as place:
        nbformat.write(notebook, Path(place) / "input.ipynb")
        found = plan(RunDir(Path(place)), spec)
    return [found.notebook.cells[index].source for index in found.cells]


@pytest.mark.parametrize(
    "content", ["", "{}", "[]", '{"cells": 1}', '{"nbformat": 4, "cells": [{}]}', b"\xff\xfe"]
)
def test_what_is_no_notebook_is_told_in_words(content: str | bytes) -> None:
    """Any text or bytes give a notebook or one sentence."""
    with pytest.raises(NoNotebook, match="no notebook that can be read"):
        readable(content)


_odd = st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.lists(st.text(max_size=3))
_cell = st.fixed_dictionaries(
    {"cell_type": st.sampled_from(["code", "markdown"]), "source": st.text(max_size=5)},
    optional=dict.fromkeys(("metadata", "outputs", "execution_count", "id"), _odd),
)
_whole = st.fixed_dictionaries(
    {"nbformat": st.just(4), "nbformat_minor": st.sampled_from([4, 5]), "cells": st.lists(_cell, max_size=3)},
    optional={"metadata": st.just({}) | _odd},
)


@settings(deadline=None)
@given(st.text() | st.binary() | _whole.map(json.dumps))
def test_reading_never_breaks(content: str | bytes) -> None:
    """Whatever is given as a notebook, there is a notebook whose cells can be run, or a sentence."""
    try:
        notebook = readable(content)
    except NoNotebook as refusal:
        assert "\n" not in str(refusal)  # noqa: PT017 - one or the other
    else:
        for cell in notebook.cells:
            assert isinstance(cell.source.strip(), str)
            assert cell.cell_type != "code" or {"outputs", "execution_count", "metadata"} <= cell.keys()
