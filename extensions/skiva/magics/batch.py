"""`%%batch`: sends a cell off, or finds the run that it was sent off as."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from IPython.core.error import UsageError

from skiva.magics import earlier
from skiva.magics.follow import follow, show
from skiva.magics.gather import Gathered, gather
from skiva.magics.options import CellOptions, parse
from skiva.runs.bind import Baseline
from skiva.runs.cell import CellCall
from skiva.runs.listing import here
from skiva.runs.needs import Needs, needs
from skiva.runs.offer import NoOffer
from skiva.runs.run import Run
from skiva.runs.submit import Luggage, NotSubmitted, send
from skiva.runs.together import sorted_out
from skiva.runs.wish import BadWish

__all__ = ["batch"]

_NOTHING = "Nothing was submitted."


class Hindrance(Exception):
    """Why a cell cannot be sent off as it is."""


@dataclass(frozen=True, slots=True)
class _Cell:
    """A cell that is to be sent off, with all that was found out about it."""

    code: str
    options: CellOptions
    source: dict[str, Any]
    needs: Needs
    gathered: Gathered
    digests: dict[str, str | None]

    @property
    def key(self) -> str:
        return earlier.key(self.source, self.options, self.digests, self.gathered.sources)

    def baseline(self, namespace: dict[str, Any]) -> Baseline:
        return Baseline.of(self.needs.bound | set(self.gathered.values), namespace, self.digests)


def batch(shell: Any, line: str, code: str) -> None:
    """Send `code` off, or show the run that it was sent off as before.

    Raises:
        UsageError: it was not submitted; says why, and what to do.
    """
    try:
        options = parse(line)
        cell = _understand(shell, options, code)
        run = None if options.again else _found(cell)
        new = run is None
        if run is None:
            run = _send(cell, shell.user_ns)
        handle = show(run)
        print(_told(run, cell, new=new))
        follow(run, handle, shell, cell.baseline(shell.user_ns), at_once=not new)
    except (BadWish, Hindrance, NoOffer, NotSubmitted, OSError) as problem:
        raise UsageError(_words(problem)) from None


def _words(problem: Exception) -> str:
    words = str(problem).rstrip()
    if isinstance(problem, NotSubmitted) or words.endswith(_NOTHING):
        return words
    return f"{words}{'' if words.endswith(('.', '!', '?')) else '.'} {_NOTHING}"


def _understand(shell: Any, options: CellOptions, code: str) -> _Cell:
    if not code.strip():
        raise Hindrance("There is nothing below %%batch.")
    try:
        wanted = needs(shell.transform_cell(code))
    except SyntaxError as error:
        raise Hindrance(f"Line {error.lineno} of the cell is not Python: {error.msg}.") from None
    gathered = gather(wanted, shell.user_ns, shell.user_ns_hidden)
    source = {
        "notebook": os.environ.get("JPY_SESSION_NAME", ""),
        "cell_id": _cell_id(shell),
        "code": code,
        "options": dict(options.given),
    }
    return _Cell(code, options, source, wanted, gathered, gathered.digests())


def _cell_id(shell: Any) -> str:
    try:
        return str(shell.get_parent()["metadata"].get("cellId") or "")
    except (AttributeError, KeyError, TypeError):
        return ""


def _found(cell: _Cell) -> Run | None:
    """The run of this unchanged cell that is live or has completed."""
    if cell.gathered.missing:
        return earlier.of_this_cell(here(), cell.source)
    return earlier.with_key(cell.key)


def _send(cell: _Cell, namespace: dict[str, Any]) -> Run:
    values = cell.gathered.values
    content, names, sentences = sorted_out(values, namespace)
    hindrances = [_absence(name) for name in cell.gathered.missing]
    hindrances += [s for s in sentences if s.partition(" ")[0] not in cell.gathered.optional]
    if hindrances:
        advice = (
            "Make what the cell needs inside the cell, or pass on what it can be made from, such as a path."
        )
        raise Hindrance("\n".join([*hindrances, *([advice] if sentences else []), _NOTHING]))
    for sentence in sentences:
        print(f"{sentence} The cell may make it itself, so it stays here.")
    digests = {name: cell.digests[name] for name in names}
    call = CellCall(cell.code, cell.gathered.modules, digests)
    luggage = Luggage(
        kind="cell",
        name=_title(cell.source),
        files={"call.pkl": call.to_bytes(), "variables.pkl": content},
        source=cell.source,
    )
    return Run(send(luggage, cell.options.wish(earlier.free_key(cell.key)), cell.options.env or None))


def _absence(name: str) -> str:
    return f"{name}: there is no such variable here; run the cell that makes it first."


def _title(source: dict[str, Any]) -> str:
    notebook = Path(source["notebook"]).stem if source["notebook"] else ""
    printable = "".join(letter for letter in notebook if letter.isprintable())
    return f"{printable[:50]} cell".strip()


def _told(run: Run, cell: _Cell, *, new: bool) -> str:
    if new:
        names = ", ".join(sorted(cell.gathered.values)) or "no variables"
        return f"Submitted as run {run.id} on {run.spec.slice}, with {names}."
    state = "has completed" if run.status.over else "is not over yet"
    if cell.gathered.missing:
        lacking = ", ".join(cell.gathered.missing)
        return (
            f"Run {run.id} is what this cell was sent off as before; it {state}. Whether its variables are "
            f"still the same cannot be told, since {lacking} is not here. Nothing was submitted."
        )
    return (
        f"This cell is unchanged since it was sent off as run {run.id}, which {state}, so nothing was "
        "submitted; %%batch again submits it anew."
    )
