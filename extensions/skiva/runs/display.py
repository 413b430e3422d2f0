"""How runs look in a notebook: a live card in JupyterLab, plain text and a small table elsewhere."""

import html
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from skiva.runs.run import Run

__all__ = ["MIMETYPE", "bundle", "html_table", "table"]

MIMETYPE = "application/vnd.skiva.run+json"


def bundle(run: "Run") -> dict[str, Any]:
    """What a notebook keeps of one run: JupyterLab follows it live by its id, whatever has been restarted."""
    spec, status = run.spec, run.status
    data = {"id": spec.id, "name": spec.name, "kind": spec.kind, "created": spec.created}
    return {
        MIMETYPE: data,
        "text/plain": repr(run),
        "text/html": html_table(_HEADINGS, [_row(run)]) + f"<p>{html.escape(status.action)}</p>",
    }


def table(runs: Sequence["Run"]) -> dict[str, Any]:
    """Several runs as a table."""
    if not runs:
        return {"text/plain": "No runs yet. skiva.submit(function, …) makes one."}
    return {
        "text/plain": "\n".join(_line(_row(run)) for run in runs),
        "text/html": html_table(_HEADINGS, [_row(run) for run in runs]),
    }


_HEADINGS = ("Run", "Name", "Slice", "Submitted", "State")


def _row(run: "Run") -> tuple[str, ...]:
    spec, status = run.spec, run.status
    when = time.strftime("%b %d %H:%M", time.localtime(spec.created))
    piece = f"{spec.slice} (simulated)" if spec.simulated else spec.slice
    return spec.id, spec.name, piece, when, status.sentence or status.state


def _line(row: tuple[str, ...]) -> str:
    return f"{row[0]:16} {row[1][:20]:20} {row[2][:20]:20} {row[3]:13} {row[4]}"


def html_table(headings: Sequence[str], rows: Sequence[tuple[str, ...]]) -> str:
    """A small table for a notebook."""
    head = "".join(f"<th scope='col' style='text-align:left'>{word}</th>" for word in headings)
    body = "".join(
        "<tr>" + "".join(f"<td style='text-align:left'>{html.escape(cell)}</td>" for cell in row) + "</tr>"
        for row in rows
    )
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
