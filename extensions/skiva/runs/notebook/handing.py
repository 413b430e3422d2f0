"""Sending notebooks off: whole, with parameters, or the rest of one with its kernel's variables."""

import json
import math
import os
import re
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from skiva.runs.notebook import keeper
from skiva.runs.notebook.delivery import checked_output
from skiva.runs.notebook.document import code_cells
from skiva.runs.notebook.drafts import read_draft
from skiva.runs.notebook.parameters import check
from skiva.runs.notebook.plan import SKIP, NoNotebook, readable
from skiva.runs.notebook.reads import names_read
from skiva.runs.offer import find_offer
from skiva.runs.paths import runs_dir
from skiva.runs.run import Run
from skiva.runs.submit import Luggage, send
from skiva.runs.travel import Stays
from skiva.runs.wish import BadWish, Wish, wish

__all__ = ["send_notebook", "submit_notebook", "submit_rest"]

_RESTARTS = 10
"""How often a notebook that goes on by itself may do so, where nothing is said."""


def submit_notebook(
    path: str | os.PathLike[str],
    parameters: Mapping[str, Any] | None = None,
    *,
    slice: str | None = None,  # noqa: A002 - the field's word
    hours: float | None = None,
    name: str | None = None,
    resume: bool = False,
    restarts: int | None = None,
    output: str | os.PathLike[str] | None = None,
    env: Mapping[str, str] | Iterable[str] | None = None,
    key: str | None = None,
) -> Run:
    """Run a notebook, as its file is now, in a job of its own, and come back at once.

    It runs in its own directory with the kernel that it names. Its outputs are in the run's `out.ipynb` as
    they come.

    Args:
        path: of the notebook.
        parameters: values for names that the cell tagged `parameters` assigns; without such a cell they
            are set before the first one.
        slice: the id of a slice, such as `1g.10gb`; without it, cores alone.
        hours: the time limit of one job.
        name: what lists and the queue show; the file's name by default.
        resume: at the time limit, save the variables and go on at the unfinished cell in another job.
            Finished cells are not run again, but for those tagged `setup`, which come first each time.
        restarts: how often it may begin again; 10 with `resume`, else 0.
        output: where a copy of the finished notebook is wanted; never written over anything.
        env: further variables for it: names of those that are set here, or names with values.
        key: a second submission with the same key gives the first one's run.

    Raises:
        BadWish: the file, a parameter or an option is not possible; names it.
        NotSubmitted: Slurm refused, or did not answer.
    """
    file = _file(path)
    try:
        content = file.read_bytes()
    except OSError as problem:
        raise BadWish(f"path: {file} cannot be read: {problem.strerror}") from None
    options: dict[str, Any] = {"slice": slice, "hours": hours, "name": name, "restarts": restarts, "key": key}
    return send_notebook(content, file, parameters, resume=resume, output=output, env=env, **options)


def send_notebook(
    content: str | bytes | Mapping[str, Any],
    path: Path,
    parameters: Mapping[str, Any] | None = None,
    *,
    resume: bool = False,
    restarts: int | None = None,
    start_at: int = 0,
    output: str | os.PathLike[str] | None = None,
    env: Mapping[str, str] | Iterable[str] | None = None,
    **options: Any,
) -> Run:
    """The same for a notebook's content, edits that are not saved and all; `path` says where it belongs.

    Args:
        content: its text, or what JSON makes of that.
        path: absolute; the run works in its directory.
        start_at: the index, among all cells, of the first one to run.
        options: `slice`, `hours`, `name` and `key`.

    Raises:
        BadWish: names what is not possible.
        NotSubmitted: Slurm refused, or did not answer.
    """
    notebook = _notebook(content)
    wanted = _wish(notebook, resume=resume, restarts=restarts, **options)
    given = check(parameters, notebook)
    _check_start(start_at, notebook)
    luggage = Luggage(
        kind="notebook",
        name=_title(path),
        files={"input.ipynb": _text(notebook)},
        parameters=given,
        source={"notebook": str(path), "output": checked_output(output)},
        start_at=start_at,
        cwd=str(path.parent),
        sys_path=(),
    )
    return Run(send(luggage, wanted, env))


def submit_rest(
    draft: str,
    start_at: int,
    *,
    slice: str | None = None,  # noqa: A002
    hours: float | None = None,
    name: str | None = None,
    resume: bool = False,
    restarts: int | None = None,
    env: Mapping[str, str] | Iterable[str] | None = None,
    key: str | None = None,
) -> Run:
    """Run the rest of the notebook that this kernel belongs to in a job, with the variables that it reads.

    JupyterLab's command "Run the rest in batch" calls this, having kept the notebook as `draft`.

    Args:
        draft: the name of the kept notebook.
        start_at: the index, among all cells, of the first one to run.

    Raises:
        BadWish: an option is not possible; names it.
        Stays: a variable that the rest reads cannot travel to the job; names each, with the reason.
        NotSubmitted: Slurm refused, or did not answer.
    """
    root = runs_dir(site=find_offer().runs)
    kept = read_draft(root, draft)
    notebook = _notebook(kept["content"])
    # One command of a person's is one run, however often the kernel is told of it.
    key = key or f"draft {draft}"
    options: dict[str, Any] = {"slice": slice, "hours": hours, "name": name, "restarts": restarts, "key": key}
    wanted = _wish(notebook, resume=resume, **options)
    _check_start(start_at, notebook)
    path = Path(str(kept["path"]))
    luggage = Luggage(
        kind="notebook",
        name=_title(path),
        files={"input.ipynb": _text(notebook), "variables.pkl": _variables(notebook, start_at, root)},
        source={"notebook": str(path), "cell_id": str(notebook.cells[start_at].get("id", ""))},
        start_at=start_at,
        sys_path=(),
    )
    return Run(send(luggage, wanted, env))


def _variables(notebook: NotebookNode, start_at: int, root: Path) -> bytes:
    namespace = sys.modules["__main__"].__dict__
    rest = [notebook.cells[index] for index in code_cells(notebook) if index >= start_at]
    texts = [cell.source for cell in rest if SKIP not in cell.metadata.get("tags", ())]
    names = names_read(texts, keeper.names_of(namespace), _transform(namespace))
    with tempfile.TemporaryDirectory(prefix=".new-", dir=root) as place:
        path = Path(place) / "variables.pkl"
        lost = keeper.keep(path, namespace, names, math.inf, {})["lost"]
        if lost:
            told = "\n".join(f"  {entry['name']}: {entry['reason']}" for entry in lost)
            raise Stays(f"The rest of the notebook reads variables that cannot travel to the job:\n{told}")
        return path.read_bytes()


def _transform(namespace: Mapping[str, Any]) -> Callable[[str], str] | None:
    """How the kernel turns magics into Python."""
    ask = namespace.get("get_ipython")
    shell = ask() if callable(ask) else None
    return None if shell is None else shell.transform_cell


def _wish(notebook: NotebookNode, *, resume: bool, restarts: int | None, **options: Any) -> Wish:
    if resume is True and restarts is None:
        restarts = _RESTARTS
    wanted = wish(resume=resume, restarts=restarts, **options)
    language = str(notebook.metadata.get("kernelspec", {}).get("language", "python"))
    if wanted.resume and language.lower() != "python":
        raise BadWish(f"resume: can save variables of Python only, and this notebook is for {language:.40}")
    return wanted


def _file(path: object) -> Path:
    if not isinstance(path, str | os.PathLike) or not str(path):
        raise BadWish("path: must be the path of a notebook")
    file = Path(os.path.abspath(Path(path).expanduser()))  # noqa: PTH100 - its directory is as it is named
    if not file.is_file():
        raise BadWish(f"path: there is no notebook {file}")
    return file


def _notebook(content: str | bytes | Mapping[str, Any]) -> NotebookNode:
    try:
        text = content if isinstance(content, str | bytes) else json.dumps(content)
        return readable(text)
    except (NoNotebook, TypeError, ValueError) as problem:
        raise BadWish(f"path: {problem}") from None


def _check_start(start_at: object, notebook: NotebookNode) -> None:
    if not isinstance(start_at, int) or isinstance(start_at, bool) or start_at < 0:
        raise BadWish("start_at: must be the index of a cell, from 0")
    if not any(index >= start_at for index in code_cells(notebook)):
        raise BadWish("start_at: there is no code from that cell on" if start_at else "path: it has no code")


def _text(notebook: NotebookNode) -> bytes:
    return str(nbformat.writes(notebook)).encode("utf-8", "backslashreplace")


def _title(path: Path) -> str:
    return re.sub(r"[^\x20-\x7e\xa1-\u2027\u202a-\U0010ffff]+", " ", path.stem).strip()[:60] or "notebook"
