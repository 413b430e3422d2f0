"""The line behind %%batch, and what is said of a cell that cannot be sent."""

import asyncio
import re
import shlex
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from IPython.core.error import UsageError

from skiva.magics.earlier import key
from skiva.magics.options import parse
from skiva.runs.wish import BadWish


def test_a_line_is_understood() -> None:
    """Options in any order, quoted where they have spaces; the order makes no difference."""
    options = parse("slice=1g.10gb hours=0.5 name='my fit' restarts=2 env=A,B again")
    assert options.again
    assert options.env == ("A", "B")
    wanted = options.wish("k")
    assert (wanted.slice, wanted.hours, wanted.name, wanted.restarts, wanted.key) == (
        "1g.10gb",
        0.5,
        "my fit",
        2,
        "k",
    )
    assert parse("hours=4 slice=cpu").given == parse("slice=cpu   hours=4").given
    assert parse("") == parse("  ")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("--slice 1g.10gb", "--slice: options of %%batch are written without dashes"),
        ("slize=1", "slize: there is no such option; there are slice, hours, name, restarts, env"),
        ("1g.10gb", "1g.10gb: there is no such option"),
        ("hours=four", "hours: must be a number of hours above 0"),
        ("hours=nan", "hours: must be a number"),
        ("hours=-1", "hours: must be a number"),
        ("restarts=1.5", "restarts: must be a whole number from 0 to 1000"),
        ("name=", "name: needs a value"),
        ("hours", "hours: needs a value"),
        ("hours=1 hours=2", "hours: is there twice"),
        ("name='x", "the line cannot be understood"),
    ],
)
def test_a_mistake_is_one_clear_sentence(line: str, words: str) -> None:
    """It begins with the option that is meant and says how it is written."""
    with pytest.raises(BadWish, match=re.escape(words)) as told:
        parse(line)
    assert "\n" not in str(told.value)


_WORD = st.builds(
    "{}={}".format, st.sampled_from(["slice", "hours", "name", "restarts", "env", "x"]), st.text(max_size=4)
)


@given(st.text() | st.lists(_WORD | st.just("again"), max_size=4).map(" ".join))
def test_no_line_does_anything_else(line: str) -> None:
    """Any text is understood or refused in words."""
    try:
        options = parse(line)
    except BadWish as refusal:
        assert str(refusal)  # noqa: PT017 - one or the other
    else:
        assert options.again == ("again" in shlex.split(line))
        assert len(options.given) == len([word for word in shlex.split(line) if word != "again"])


def test_keys_tell_cells_apart() -> None:
    """Cell, notebook, code, options and variables count; what has no digest is never the same again."""
    source = {"notebook": "a.ipynb", "cell_id": "1", "code": "x"}
    one = key(source, parse(""), {"x": "1"}, {})
    assert one == key(dict(source), parse(""), {"x": "1"}, {})
    others = [
        key({**source, "cell_id": "2"}, parse(""), {"x": "1"}, {}),
        key({**source, "notebook": "b.ipynb"}, parse(""), {"x": "1"}, {}),
        key({**source, "code": "y"}, parse(""), {"x": "1"}, {}),
        key(source, parse(""), {"x": "2"}, {}),
        key(source, parse(""), {"x": "1"}, {"own": "1"}),
        key(source, parse(""), {"x": None}, {}),
        key(source, parse(""), {"x": None}, {}),
    ]
    assert len({one, *others}) == len(others) + 1
    assert all(len(found) < 190 for found in [one, *others])


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, new_shell: Callable[[], Any]) -> Any:
    """A notebook without a site: what gets as far as Slurm fails in words."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SKIVA_RUNS", str(tmp_path / "runs"))
    monkeypatch.delenv("SKIVA_RUN_DIR", raising=False)
    return new_shell()


def refused(shell: Any, cell: str, line: str = "") -> str:
    """What is said of a cell that is not sent off."""
    with pytest.raises(UsageError) as told:
        shell.run_cell_magic("batch", line, cell)
    assert not (Path.home() / "runs").exists()
    return str(told.value)


def test_everything_that_hinders_is_said_at_once(shell: Any) -> None:
    """What is missing and what cannot travel, with reasons and what to do; nothing is submitted."""
    shell.push({"lock": threading.Lock(), "x": 1})
    words = refused(shell, "with lock: y = x + nowhere + elsewhere()")
    assert words.splitlines() == [
        "elsewhere: there is no such variable here; run the cell that makes it first.",
        "nowhere: there is no such variable here; run the cell that makes it first.",
        "lock cannot travel to the job: a lock belongs to this process (_thread.lock).",
        "Make what the cell needs inside the cell, or pass on what it can be made from, such as a path.",
        "Nothing was submitted.",
    ]


def test_other_hindrances_are_said_too(shell: Any) -> None:
    """An empty cell, a mistake in its Python, an option, a variable of the environment, no site."""
    assert "nothing below %%batch" in refused(shell, "  \n")
    assert "Line 2 of the cell is not Python" in refused(shell, "x = 1\n1 +")
    assert "hours: must be" in refused(shell, "x = 1", "hours=x")
    assert "start a server on the hub once" in refused(shell, "x = 1")


def test_names_of_python_and_ipython_are_nobodys(shell: Any) -> None:
    """Builtins, display, get_ipython, open and the shell's own names are there in the job anyway."""
    cell = "display(len(open('/dev/null').read())); get_ipython(); __name__; exit"
    assert "start a server" in refused(shell, cell)  # that is: nothing else was wrong


async def test_kernels_need_not_load_what_they_do_not_use(tmp_path: Path) -> None:
    """The extension is in every kernel, so it loads nothing but itself until it is used."""
    program = (
        "import sys; import skiva.magics; "
        "print([m for m in sys.modules if m.startswith(('skiva.runs', 'pydantic', 'cloudpickle'))])"
    )
    run = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE, cwd=tmp_path
    )
    told: tuple[Any, Any] = await run.communicate()
    assert told[0] == b"[]\n"
