"""Parameters of a notebook: what may be given, and the cell that sets them. Papermill's conventions."""

import ast
import json
import keyword
import math
from collections.abc import Mapping
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell

__all__ = ["assigned", "check", "inject", "parameters_cell"]

_TAG, _INJECTED = "parameters", "injected-parameters"


def parameters_cell(notebook: NotebookNode) -> int | None:
    """The index of the cell that says which parameters there are; None without one."""
    return _tagged(notebook, _TAG)


def _tagged(notebook: NotebookNode, tag: str) -> int | None:
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type == "code" and tag in cell.metadata.get("tags", ()):
            return index
    return None


def assigned(code: str) -> list[str]:
    """The names that Python assigns at its top level, in their order; none where it is no Python."""
    try:
        body = ast.parse(code).body
    except (SyntaxError, ValueError):
        return []
    names: list[str] = []
    for statement in body:
        match statement:
            case ast.Assign(targets=targets):
                found = [name for target in targets for name in _names(target)]
            case ast.AnnAssign(target=ast.Name(id=name)):
                found = [name]
            case _:
                found = []
        names += [name for name in found if name not in names]
    return names


def _names(target: ast.expr) -> list[str]:
    if isinstance(target, ast.Name):
        return [target.id]
    if isinstance(target, ast.Tuple | ast.List):
        return [name for one in target.elts for name in _names(one)]
    return []


def check(parameters: object, notebook: NotebookNode) -> dict[str, Any]:
    """The parameters as they will be set.

    Raises:
        BadWish: names the one that cannot be, and those that the notebook has.
    """
    from skiva.runs.wish import BadWish

    if parameters is None:
        return {}
    if not isinstance(parameters, Mapping):
        raise BadWish("parameters: must be a dictionary of names and values, such as {'rate': 0.1}")
    language = notebook.metadata.get("kernelspec", {}).get("language", "python")
    if parameters and str(language).lower() != "python":
        raise BadWish(
            f"parameters: can be set in notebooks for Python only, and this one is for {language!s:.40}"
        )
    for name, value in parameters.items():
        if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name):
            raise BadWish(f"parameters: {name!r:.60} is no name that Python code can assign")
        if problem := _not_plain(value):
            raise BadWish(
                f"parameters: {name} holds {problem}; give plain values: text, numbers, True, lists, dicts"
            )
    _must_be_known(parameters, notebook)
    return dict(parameters)


def _must_be_known(parameters: Mapping[str, Any], notebook: NotebookNode) -> None:
    from skiva.runs.wish import BadWish

    index = parameters_cell(notebook)
    if index is None:
        return
    there = assigned(str(notebook.cells[index].source))
    if not there:  # nothing that could be read in it
        return
    unknown = [name for name in parameters if name not in there]
    if unknown:
        raise BadWish(
            f"parameters: the notebook has none called {', '.join(unknown)[:200]}; "
            f"its parameters cell assigns {', '.join(there)}"
        )


def _not_plain(value: object, depth: int = 0) -> str:
    """What in a value is no plain one; empty where all is."""
    if depth > 50:
        return "lists within lists, too deep"
    if value is None or isinstance(value, bool | int | float):
        return "" if not isinstance(value, int) or abs(value) < 10**4000 else "a number that is too long"
    if isinstance(value, str):
        return ""
    if isinstance(value, list | tuple):
        return next((found for one in value if (found := _not_plain(one, depth + 1))), "")
    if isinstance(value, dict):
        if any(not isinstance(key, str) for key in value):
            return "a dictionary whose keys are not all text"
        return next((found for one in value.values() if (found := _not_plain(one, depth + 1))), "")
    return f"a {type(value).__qualname__}"


def inject(notebook: NotebookNode, parameters: Mapping[str, Any]) -> int | None:
    """Put in the cell that sets the parameters, and take out an earlier one; its index, None without any."""
    if not parameters:
        return None
    cell = new_code_cell(_code(parameters), metadata={"tags": [_INJECTED]})
    earlier, after = _tagged(notebook, _INJECTED), parameters_cell(notebook)
    if earlier is not None:
        index = earlier
        cell["id"] = notebook.cells[index].get("id", cell["id"])
        notebook.cells[index] = cell
    else:
        index = 0 if after is None else after + 1
        notebook.cells.insert(index, cell)
    if (notebook.nbformat, notebook.nbformat_minor) < (4, 5):
        cell.pop("id", None)
    return index


def _code(parameters: Mapping[str, Any]) -> str:
    lines = [f"{name} = {_literal(value)}" for name, value in parameters.items()]
    return "\n".join(["# Parameters", *lines])


def _literal(value: object) -> str:
    """Python that says a plain value, on one line and in ASCII."""
    if isinstance(value, float) and not math.isfinite(value):
        return f'float("{value}")'
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{_literal(key)}: {_literal(one)}" for key, one in value.items()) + "}"
    if isinstance(value, str):
        return ascii(value)
    if isinstance(value, bool) or value is None:
        return str(value)
    return json.dumps(value)
