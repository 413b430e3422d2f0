"""The line of every table and key of a TOML text."""

import tomllib
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from skiva_hub.site_lines import line_of, lines

names = st.sampled_from(["a", "b", '"c d"', "'e.f'", "g"])
scalars = st.sampled_from(
    [
        "1",
        '"x"',
        "[1,\n 2]",
        '"""\n[[a]]\nb = 1\n"""',
        "'''\n# no comment\n'''",
        "{ x = 1, y = { z = [2] } }",
        "1979-05-27",
    ]
)
noise = st.sampled_from(["", "\n", "# [[a]]\n", "   \n# b = 2\n\n"])


@st.composite
def documents(draw: st.DrawFn) -> list[tuple[int, str]]:
    """Statements of a valid text, each with the line that it is written on."""
    written: list[tuple[int, str]] = []
    text = ""
    for _ in range(draw(st.integers(0, 12))):
        space = draw(noise)
        key = ".".join(draw(st.lists(names, min_size=1, max_size=3)))
        kind = draw(st.integers(0, 3))
        statement = (
            f"[{key}]\n" if kind == 0 else f"[[ {key} ]] # x\n" if kind == 1 else f"{key} = {draw(scalars)}\n"
        )
        try:
            tomllib.loads(text + space + statement)
        except tomllib.TOMLDecodeError:
            continue
        written.append((text.count("\n") + space.count("\n") + 1, space + statement))
        text += space + statement
    return written


def paths(value: Any, path: tuple[str | int, ...] = ()) -> set[tuple[str | int, ...]]:
    """Every path into a parsed value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return {path}.union(*(paths(inner, (*path, key)) for key, inner in items))


@given(documents())
def test_every_path_of_a_text_has_the_line_that_first_brought_it(document: list[tuple[int, str]]) -> None:
    """A path's line is that of the first statement after which the parsed text has the path."""
    text = "".join(statement for _, statement in document)
    found = lines(text)
    expected: dict[tuple[str | int, ...], int] = {(): 1}
    so_far = ""
    for line, statement in document:
        so_far += statement
        for path in paths(tomllib.loads(so_far)):
            expected.setdefault(path, line)
    assert found == expected


def test_a_key_that_is_not_there_has_the_line_of_its_table() -> None:
    """What is missing is looked for where it belongs."""
    found = lines("[hub]\nid = 'x'\n\n[[slice]]\n[[slice]]\nid = 'y'\n")
    assert line_of(("slice", 1, "memory_mb"), found) == 5
    assert line_of(("hours", "max"), found) == 1
