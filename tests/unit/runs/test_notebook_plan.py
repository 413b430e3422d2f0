"""What each job of a notebook's run does, how its ends are told, and what can be sent off at all."""

import json
import math
import os
import signal
from pathlib import Path
from typing import Any

import nbformat
import pytest
from tests.support.fake_runs import FakePerson
from tests.support.notebook_runs import notebook_of
from tests.support.runs_on_disk import lay, run_id

from skiva.runs.look import read_spec
from skiva.runs.notebook import keeper
from skiva.runs.notebook.drafts import read_draft, write_draft
from skiva.runs.notebook.ends import death_in_words
from skiva.runs.notebook.handing import send_notebook, submit_notebook
from skiva.runs.notebook.parameters import check
from skiva.runs.notebook.plan import NoNotebook, Plan, plan
from skiva.runs.paths import RunDir
from skiva.runs.wish import BadWish

_CELLS = ("setup = 1", "#md Text", "first", "second", "third")


def _planned(tmp_path: Path, at: int | None, state: str = "stopped", **spec: Any) -> Plan:
    """What a further job does, after one that ended at cell `at`."""
    run = RunDir(lay(tmp_path, run_id(1), end=None, kind="notebook", **{"resume": True, **spec}))
    nbformat.write(notebook_of(*_CELLS, tags={0: ["setup"]}), run.notebook)
    if at is not None:
        out = notebook_of(*_CELLS, tags={0: ["setup"]})
        for index in (0, 2, 3, 4):
            out.cells[index].execution_count = 7
            out.cells[index].metadata["skiva"] = {"state": state if index == at else "done"}
        nbformat.write(out, run.output)
        run.saved.mkdir()
        keeper.keep(run.saved / "variables.pkl", {"x": 1}, ["x"], math.inf, {"cell": at})
    return plan(run, read_spec(run))


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("stopped", "continued after the time limit"),
        ("running", "begun again after its job was lost"),
    ],
)
def test_a_further_job_goes_on_at_the_unfinished_cell(tmp_path: Path, state: str, words: str) -> None:
    """With the saved variables; cells that prepare come first, finished ones stay as they are."""
    found = _planned(tmp_path, 3, state)
    assert (found.cells, found.first, found.goes_on) == ((0, 3, 4), 3, words)
    assert found.variables == tmp_path / run_id(1) / "saved" / "variables.pkl"
    assert [cell.get("execution_count") for cell in found.notebook.cells] == [7, None, 7, 7, None]
    assert (found.number(3), found.after(0), found.after(3)) == ("3/4", 3, 4)


@pytest.mark.parametrize(("at", "resume"), [(None, True), (3, False)])
def test_a_job_that_nothing_was_saved_for_begins_anew(
    tmp_path: Path, at: int | None, *, resume: bool
) -> None:
    """From the notebook as it was sent, all of it."""
    found = _planned(tmp_path, at, resume=resume)
    assert (found.cells, found.first, found.goes_on, found.variables) == ((0, 2, 3, 4), 0, "", None)


def test_a_result_that_was_changed_meanwhile_is_not_gone_on_with(tmp_path: Path) -> None:
    """The cell that comes next is no code any more."""
    with pytest.raises(NoNotebook, match="was changed after the job"):
        _planned(tmp_path, 1)


@pytest.mark.parametrize(
    ("status", "out_of_memory", "told"),
    [
        (
            -signal.SIGKILL,
            True,
            ("out_of_memory", "The kernel needed more memory than the slice has, and was ended,"),
        ),
        (-signal.SIGKILL, False, ("killed", "The kernel was ended by the signal SIGKILL")),
        (-signal.SIGSEGV, True, ("failed", "The kernel was ended by the signal SIGSEGV")),
        (-99, False, ("failed", "The kernel was ended by the signal 99")),
        (None, False, ("failed", "The kernel ended")),
        (0, True, ("failed", "The kernel ended")),
        (3, False, ("failed", "The kernel ended with exit status 3")),
    ],
)
def test_the_death_of_a_kernel_has_words(
    status: int | None, told: tuple[str, str], *, out_of_memory: bool
) -> None:
    """Only a kill can be want of memory."""
    assert death_in_words(status, out_of_memory=out_of_memory) == told


def test_a_draft_is_there_for_a_day(tmp_path: Path) -> None:
    """By the name that only its writer knows; no other name reads anything."""
    old, new = (write_draft(tmp_path, "a.ipynb", {"cells": []}) for _ in range(2))
    assert read_draft(tmp_path, new) == {"path": "a.ipynb", "content": {"cells": []}}
    (tmp_path / ".drafts" / "x.json").write_text("{}")
    for name in ("x", f"../.drafts/{new}", "", None, "a" * 24):
        with pytest.raises(BadWish, match="draft: there is no such notebook any more"):
            read_draft(tmp_path, name)
    os.utime(tmp_path / ".drafts" / f"{old}.json", (1, 1))
    third = write_draft(tmp_path, "a.ipynb", {})
    assert {path.stem for path in (tmp_path / ".drafts").iterdir()} == {new, third, "x"}


def test_what_cannot_be_sent_is_refused_by_name(person: FakePerson, tmp_path: Path) -> None:
    """A path, a cell, a language; and nothing is written."""
    path, text = tmp_path / "a.ipynb", nbformat.writes(notebook_of("#md Text", "1"))
    other = notebook_of("1")
    other.metadata.kernelspec.language = "R"
    refusals: list[tuple[Any, str]] = [
        (lambda: submit_notebook(""), "path: must be the path of a notebook"),
        (lambda: submit_notebook(path), f"path: there is no notebook {path}"),
        (lambda: send_notebook("{}", path), "path: it is no notebook that can be read"),
        (lambda: send_notebook(text, path, start_at=2), "start_at: there is no code from that cell on"),
        (lambda: send_notebook(text, path, start_at=-1), "start_at: must be the index of a cell"),
        (lambda: send_notebook(text, path, start_at=True), "start_at: must be the index of a cell"),
        (lambda: send_notebook(nbformat.writes(notebook_of("#md")), path), "path: it has no code"),
        (
            lambda: send_notebook(nbformat.writes(other), path, resume=True),
            "resume: can save variables of Python",
        ),
        (lambda: send_notebook(text, path, output="/no/such/a.ipynb"), "output: there is no directory"),
    ]
    for refused, words in refusals:
        with pytest.raises(BadWish, match=f"^{words}"):
            refused()
    assert person.runs == []
    path.write_text(text)
    sent = submit_notebook(path, {"x": 1}, output=tmp_path / "b.ipynb", resume=True, key="k")
    spec = sent.spec
    assert (spec.kind, spec.name, spec.parameters, spec.restarts) == ("notebook", "a", {"x": 1}, 10)
    assert spec.source == {"notebook": str(path), "output": str(tmp_path / "b.ipynb")}
    assert json.loads((sent.directory / "input.ipynb").read_text())["cells"][1]["source"] == ["1"]
    assert send_notebook(text, path, start_at=1, restarts=3, resume=True).spec.restarts == 3
    assert submit_notebook(path, key="k") == sent


def test_parameters_have_bounds() -> None:
    """What no notebook could bear to read, or Python to write, is refused before."""
    deep: Any = 1
    for _ in range(51):
        deep = [deep]
    with pytest.raises(BadWish, match="rate holds lists within lists, too deep"):
        check({"rate": deep}, notebook_of("1"))
    assert check({"rate": deep[0]}, notebook_of("1")) == {"rate": deep[0]}
    with pytest.raises(BadWish, match="rate holds a number that is too long"):
        check({"rate": -(10**4000)}, notebook_of("1"))
    assert check({"rate": 10**4000 - 1}, notebook_of("1"))
