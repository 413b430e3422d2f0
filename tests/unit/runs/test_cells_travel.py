"""A cell's variables go to another Python and come back as if the cell had run in the notebook."""

import json
import os
import pickle
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from skiva.runs.bind import Baseline, bring_back
from skiva.runs.cell import CellCall
from skiva.runs.digest import digest
from skiva.runs.together import sorted_out, unpack_into

_JOB = """
import functools, sys
from pathlib import Path
from skiva.runs.cell import keep_variables, run_cell
from skiva.runs.paths import RunDir
from skiva.runs.user_code import _guarded
run = RunDir(Path(sys.argv[1]))
sys.exit(_guarded(run, functools.partial(run_cell, run), keep_variables))
"""


_SHOWING = r"""
from IPython.display import HTML, Image, clear_output, display, update_display
clear_output()
!echo shell {x}
%time y = x
display(HTML('<b>one</b>'), display_id='d')
update_display(HTML('<b>two</b>'), display_id='d')
display(Image(b'\x89PNG\r\n\x1a\n0000', format='png'))
import asyncio
await asyncio.sleep(0)
x + 1
"""


def notebook(code: str) -> dict[str, Any]:
    """The namespace after this code."""
    namespace: dict[str, Any] = {"__name__": "__main__"}
    exec(code, namespace)  # noqa: S102
    return namespace


def in_a_job(
    place: Path, code: str, namespace: dict[str, Any], *names: str, modules: tuple[str, ...] = ()
) -> "subprocess.CompletedProcess[str]":
    """Run a cell in another Python with these variables, as a job does."""
    values = {name: namespace[name] for name in names}
    content, packed, sentences = sorted_out(values, namespace)
    assert (sentences, packed) == ([], list(names))
    call = CellCall(code, modules, {name: digest(value) for name, value in values.items()})
    (place / "call.pkl").write_bytes(call.to_bytes())
    (place / "variables.pkl").write_bytes(content)
    env = {**os.environ, "PYTHONPATH": ":".join(filter(None, sys.path))}
    argv = [sys.executable, "-c", _JOB, str(place)]
    return subprocess.run(argv, env=env, capture_output=True, text=True, check=False, cwd=place)


def test_a_cell_computes_as_it_would_have_here(tmp_path: Path) -> None:
    """Functions, classes and instances go along; what is assigned comes back and works here."""
    namespace = notebook(
        "scale = 2\ndef f(v): return v * scale\n"
        "class P:\n def __init__(self): self.n = 0\np = P()\nkept = [1]"
    )
    cell = (
        "import json as j\ny = f(4)\np.n += 1\n"
        "def g(v): return f(v) + 1\nclass Q(P): pass\nq = Q()\nlen(kept)"
    )
    done = in_a_job(tmp_path, cell, namespace, "f", "p", "kept", "P")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "1\n"
    brought = bring_back(tmp_path, namespace)
    assert set(brought.names) == {"j", "y", "p", "g", "Q", "q"}  # `kept` is as it was
    assert (namespace["y"], namespace["p"].n, namespace["g"](5), namespace["q"].n) == (8, 1, 11, 0)
    assert namespace["j"] is json
    namespace["scale"] = 10
    assert namespace["g"](5) == 51  # a function that came back reads the notebook


def test_functions_read_what_the_cell_assigns(tmp_path: Path) -> None:
    """A function of the notebook sees a global that the cell gives another value, as in the notebook."""
    namespace = notebook("k = 1\ndef f(): return k")
    assert in_a_job(tmp_path, "k = 5\nr = f()", namespace, "f").returncode == 0
    bring_back(tmp_path, namespace)
    assert namespace["r"] == 5


def test_what_is_here_already_is_not_replaced_by_what_a_function_brings() -> None:
    """A function brings the globals that it needs and the other side lacks; what is there goes before."""
    namespace = notebook("scale, other = 2, 3\ndef f(v): return v * scale + other")
    content, names, _ = sorted_out({"f": namespace["f"]}, namespace)
    there: dict[str, Any] = {"scale": 10}
    found = unpack_into(content, there)
    assert (names, found["f"](1)) == (["f"], 13)
    assert {name: there[name] for name in ("scale", "other")} == {"scale": 10, "other": 3}


def test_what_variables_share_stays_shared(tmp_path: Path) -> None:
    """An optimizer that holds a model's weights holds the same ones in the job, and afterwards here."""
    namespace = notebook("w = [0]\nclass O: pass\no = O()\no.weights = w")
    assert in_a_job(tmp_path, "o.weights[0] = 7\nsame = o.weights is w", namespace, "w", "o").returncode == 0
    bring_back(tmp_path, namespace)
    assert namespace["same"] is True
    assert namespace["w"] == [7]
    assert namespace["o"].weights is namespace["w"]


def test_magics_shell_lines_and_pictures_work(tmp_path: Path) -> None:
    """Text goes to the log; what is shown is kept as a notebook keeps it, updated where it was."""
    done = in_a_job(tmp_path, _SHOWING, {"x": 41}, "x")
    assert done.returncode == 0, done.stderr
    assert "shell 41" in done.stdout
    assert "Wall time" in done.stdout
    assert done.stdout.endswith("42\n")
    shown = json.loads((tmp_path / "outputs.json").read_text())["outputs"]
    assert [one["data"].get("text/html") for one in shown] == ["<b>two</b>", None, None]
    assert shown[1]["data"]["image/png"].startswith("iVBORw0KGgo")
    assert (shown[2]["output_type"], shown[2]["data"]) == ("execute_result", {"text/plain": "42"})


def test_an_error_shows_the_cell_and_nothing_of_ours(tmp_path: Path) -> None:
    """The traceback has the lines of the cell, and none of what ran it."""
    assert in_a_job(tmp_path, "def f():\n    1 / 0\nf()", {}).returncode == 1
    told = json.loads((tmp_path / "error.json").read_text())["traceback"]
    assert told.count("File ") == told.count("<batch cell>") == 2
    assert "    f()\n" in told
    assert "    1 / 0\n" in told


def test_all_that_cannot_travel_is_named_at_once(tmp_path: Path) -> None:
    """Each has its reason; the rest could go."""
    with (tmp_path / "f").open("w") as file:
        values = {"lock": threading.Lock(), "file": file, "fine": 1, "steps": (i for i in [1])}
        content, names, sentences = sorted_out(values, values)
    assert names == ["fine"]
    assert unpack_into(content, {}) == {"fine": 1}
    assert [sentence.partition(" ")[0] for sentence in sentences] == ["lock", "file", "steps"]
    assert "open it inside" in sentences[1]


def test_what_cannot_come_back_is_named_and_the_rest_comes(tmp_path: Path) -> None:
    """A lock that the cell made stays in the job, and that is said; a missing file of results is said too."""
    done = in_a_job(tmp_path, "import threading\nlock = threading.Lock()\nfine = 1", {})
    assert "lock cannot travel back from the job" in done.stdout
    namespace: dict[str, Any] = {}
    brought = bring_back(tmp_path, namespace)
    assert namespace["fine"] == 1
    assert "lock" not in namespace
    assert [sentence.partition(" ")[0] for sentence in brought.sentences] == ["lock"]
    (tmp_path / "result.pkl").unlink()
    assert "cannot be read here" in bring_back(tmp_path, {}).sentences[-1]


def test_what_was_changed_here_is_left_alone() -> None:
    """A new value, a change inside a value, a removed and a new name count; the rest does not."""
    namespace: dict[str, Any] = {"a": [1], "b": [2], "c": 3, "d": 4}
    was = Baseline.of({"a", "b", "c", "d", "new"}, namespace, {"a": digest([1])})
    assert all(was.is_as_it_was(name, namespace) for name in ("a", "b", "c", "d", "new"))
    namespace["a"].append(2)
    namespace["b"] = [3]
    del namespace["d"]
    namespace["new"] = 1
    assert [name for name in "abcd" if was.is_as_it_was(name, namespace)] == ["c"]
    assert not was.is_as_it_was("new", namespace)


def test_reading_a_result_changes_no_notebook(tmp_path: Path) -> None:
    """Loading a cell's result by itself gives its variables and touches nothing else."""
    namespace = notebook("k = 1\ndef f(): return k")
    assert in_a_job(tmp_path, "k = 2\ndef h(): return f() + k", namespace, "f").returncode == 0
    found = pickle.loads((tmp_path / "result.pkl").read_bytes())  # noqa: S301
    assert found["h"]() == 4
    assert "k" not in vars(sys.modules["__main__"])


@pytest.mark.parametrize("ending", ["exit", "exit()", "import sys; sys.exit(0)"])
def test_a_cell_may_end_itself(tmp_path: Path, ending: str) -> None:
    """What it assigned until then comes back."""
    done = in_a_job(tmp_path, f"x = 1\n{ending}", {})
    assert done.returncode == 0, done.stderr
    namespace: dict[str, Any] = {}
    bring_back(tmp_path, namespace)
    assert namespace["x"] == 1
