"""A cell below %%batch becomes one run, is found again while nothing has changed, and comes back."""

import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.fake_runs import FakePerson
from tests.support.runs_on_disk import note, write

from skiva.runs.cell import CellCall
from skiva.runs.together import unpack_into


class Notebook:
    """One open notebook with a cell that can be run."""

    def __init__(self, shell: Any, person: FakePerson, capsys: pytest.CaptureFixture[str]) -> None:
        self.shell = shell
        self._person = person
        self._capsys = capsys

    def batch(self, cell: str, line: str = "", cell_id: str = "c1") -> str:
        """What is said below the cell when it is run."""
        self.shell.get_parent = lambda: {"metadata": {"cellId": cell_id}}  # as ipykernel has it
        self._capsys.readouterr()
        self.shell.run_cell_magic("batch", line, cell)
        return self._capsys.readouterr().out

    @property
    def sent(self) -> int:
        """How many jobs Slurm was given."""
        return len(self._person.slurm.calls("sbatch"))

    @property
    def newest(self) -> Path:
        """The directory of the run that was sent last."""
        return max(self._person.runs, key=lambda place: (place / "spec.json").stat().st_mtime_ns)


@pytest.fixture
def notebook(
    person: FakePerson, new_shell: Callable[[], Any], monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Notebook:  # fmt: skip
    """One of somebody who has a site."""
    monkeypatch.setenv("JPY_SESSION_NAME", "/home/ann/my fit.ipynb")
    return Notebook(new_shell(), person, capsys)


def _end(place: Path, how: str, **values: Any) -> None:
    (place / "result.pkl").write_bytes(pickle.dumps(values))
    write(place / "bound.json", {"names": list(values), "modules": {}, "stay": []})
    note(place, "ended", how=how, sentence=f"It {how}.")


def test_a_cell_is_sent_off_with_what_it_reads(notebook: Notebook) -> None:
    """Its code, those of the notebook's variables that it needs, and the options of its line."""
    notebook.shell.push({"x": 2, "unused": 3, "perhaps": 4})
    said = notebook.batch("if x: perhaps = 1\ny = x + perhaps", "hours=0.5 restarts=2")
    spec = json.loads((notebook.newest / "spec.json").read_text())
    assert said.splitlines()[-2:] == [
        f"Submitted as run {spec['id']} on cpu, with perhaps, x.",
        f"When it has ended, skiva.run({spec['id']!r}).bind() brings its variables here.",
    ]
    assert (spec["kind"], spec["name"], spec["hours"], spec["restarts"]) == ("cell", "my fit cell", 0.5, 2)
    assert (spec["source"]["notebook"], spec["source"]["cell_id"]) == ("/home/ann/my fit.ipynb", "c1")
    call = CellCall.from_bytes((notebook.newest / "call.pkl").read_bytes())
    assert call.code == "if x: perhaps = 1\ny = x + perhaps"
    assert set(call.digests or ()) == {"x", "perhaps"}
    assert unpack_into((notebook.newest / "variables.pkl").read_bytes(), {}) == {"x": 2, "perhaps": 4}
    assert notebook.sent == 1


def test_an_unchanged_cell_is_one_run(notebook: Notebook) -> None:
    """While it is live and when it has completed; another value, word, line or cell makes another one."""
    notebook.shell.push({"x": 2})
    notebook.batch("y = x")
    first = notebook.newest
    assert "which is not over yet, so nothing was submitted" in notebook.batch("y = x")
    _end(first, "completed", y=2)
    said = notebook.batch("y = x")
    assert f"{first.name}, which has completed, so nothing was submitted" in said
    assert "Bound here: y." in said
    assert notebook.shell.user_ns["y"] == 2
    assert notebook.sent == 1
    for number, (cell, line, cell_id) in enumerate(
        [
            ("y = x", "again", "c1"),
            ("y = x  # other", "", "c1"),
            ("y = x", "hours=0.5", "c1"),
            ("y = x", "", "c2"),
        ],
        2,
    ):
        assert notebook.batch(cell, line, cell_id).count("Submitted as run") == 1
        assert notebook.sent == number
    notebook.shell.push({"x": 3})
    notebook.batch("y = x")
    assert notebook.sent == 6
    assert len({place.name for place in first.parent.glob("[0-9]*")}) == 6


@pytest.mark.parametrize("how", ["failed", "cancelled", "time_limit"])
def test_a_cell_whose_run_came_to_nothing_is_sent_off_anew(notebook: Notebook, how: str) -> None:
    """Under the next number of its key, so that the second one is found again too."""
    notebook.batch("y = 1")
    first = notebook.newest
    _end(first, how)
    assert "Submitted as run" in notebook.batch("y = 1")
    assert notebook.newest != first
    assert "is not over yet" in notebook.batch("y = 1")
    assert notebook.sent == 2


def test_without_its_variables_a_cell_finds_what_it_was(notebook: Notebook) -> None:
    """In a new kernel, whose variables nobody has made yet: that they are the same cannot be told."""
    notebook.shell.push({"x": 2})
    notebook.batch("y = x")
    del notebook.shell.user_ns["x"]
    said = notebook.batch("y = x")
    assert (
        "it is not over yet. Whether its variables are still the same cannot be told, since x is not" in said
    )
    with pytest.raises(Exception, match="x: there is no such variable here"):
        notebook.batch("y = x", cell_id="c2")
    _end(notebook.newest, "failed")
    with pytest.raises(Exception, match="x: there is no such variable here"):
        notebook.batch("y = x")
    assert notebook.sent == 1


def test_the_shells_own_names_are_nobodys_variables(notebook: Notebook) -> None:
    """Unless somebody has given one a value, which then goes along."""
    assert "with no variables" in notebook.batch("display(1); exit; open; In")
    notebook.shell.user_ns["display"] = 5
    assert "with display" in notebook.batch("print(display)")
