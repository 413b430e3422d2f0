"""What a job has to do with its notebook: which cells, from where, with which variables."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode
from nbformat.validator import normalize

from skiva.runs.notebook.document import code_cells
from skiva.runs.notebook.parameters import inject
from skiva.runs.notebook.saved import saved_cell
from skiva.runs.paths import RunDir
from skiva.runs.spec import Spec

__all__ = ["NoNotebook", "Plan", "plan", "read_notebook", "readable"]

SKIP, SETUP = "skip-execution", "setup"
"""Cells with the first tag are never run; those with the other are run again by every job."""


class NoNotebook(ValueError):
    """What was given is no notebook; says why."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One job's share of a notebook.

    Attributes:
        cells: indices of what to run, in order.
        first: the first of them but for those that only prepare.
        variables: what the kernel begins with; None for nothing.
        goes_on: what is to be said of the first cell, at which an earlier job of this run ended.
        code: indices of all code cells, by which people count.
    """

    notebook: NotebookNode
    cells: tuple[int, ...]
    first: int
    variables: Path | None
    goes_on: str
    code: tuple[int, ...]

    def after(self, index: int) -> int:
        """The cell that is run after this one."""
        return self.cells[self.cells.index(index) + 1]

    def number(self, index: int) -> str:
        """Which cell it is, for people: `7/12`."""
        return f"{self.code.index(index) + 1}/{len(self.code)}"


def readable(content: str | bytes) -> NotebookNode:
    """A notebook from its text. Raises NoNotebook."""
    try:
        text = content if isinstance(content, str) else content.decode()
        _, notebook = normalize(nbformat.reads(text, as_version=4))
        for cell in notebook.cells:
            cell.setdefault("metadata", NotebookNode())
            if cell.cell_type == "code":
                cell.setdefault("outputs", [])
                cell.setdefault("execution_count", None)
            cell.source.strip()
    except Exception as problem:  # noqa: BLE001 - JSON of any shape may be given
        words = f"{type(problem).__name__}: {problem}".splitlines()[0][:200]
        raise NoNotebook(f"it is no notebook that can be read ({words})") from None
    return NotebookNode(notebook)


def read_notebook(path: Path) -> NotebookNode:
    """A notebook from its file. Raises NoNotebook or OSError."""
    return readable(path.read_bytes())


def plan(run: RunDir, spec: Spec) -> Plan:
    """What this job has to do. Raises NoNotebook or OSError."""
    saved = run.saved / "variables.pkl"
    at = saved_cell(saved) if spec.resume else None
    if at is not None and run.output.exists():
        return _further(read_notebook(run.output), at, saved)
    notebook = read_notebook(run.notebook)
    variables = run.variables if run.variables.exists() else None
    return _anew(notebook, spec.parameters, spec.start_at, variables)


def _further(notebook: NotebookNode, at: int, saved: Path) -> Plan:
    code = code_cells(notebook)
    if at not in code:
        raise NoNotebook("its out.ipynb was changed after the job that wrote it")
    again = [index for index in code if index < at and SETUP in _tags(notebook, index)]
    stopped = notebook.cells[at].metadata.get("skiva", {}).get("state") == "stopped"
    words = "continued after the time limit" if stopped else "begun again after its job was lost"
    for index in code:
        if index > at:
            _clear(notebook, index)
    cells = (*again, *(index for index in code if index >= at))
    return Plan(notebook, cells, at, saved, words, tuple(code))


def _clear(notebook: NotebookNode, index: int) -> None:
    cell = notebook.cells[index]
    cell.outputs, cell.execution_count = [], None
    cell.metadata.pop("execution", None)


def _anew(
    notebook: NotebookNode, parameters: Mapping[str, Any], start_at: int, variables: Path | None
) -> Plan:
    before = len(notebook.cells)
    injected = inject(notebook, parameters)
    if injected is not None and start_at and injected <= start_at and len(notebook.cells) > before:
        start_at += 1
    code = code_cells(notebook)
    cells = [index for index in code if index >= start_at or index == injected]
    for index in code:
        cell = notebook.cells[index]
        cell.metadata.pop("skiva", None)
        if index in cells:
            _clear(notebook, index)
    return Plan(notebook, tuple(cells), start_at, variables, "", tuple(code))


def _tags(notebook: NotebookNode, index: int) -> list[str]:
    return list(notebook.cells[index].metadata.get("tags", ()))
