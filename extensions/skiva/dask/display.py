"""How clusters look in a notebook: a live card in JupyterLab, plain text and a small table elsewhere."""

import html
import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

from skiva.dask.place import ClusterDir
from skiva.dask.status import Status, read_status
from skiva.runs.display import html_table
from skiva.runs.files import read_tail

__all__ = ["MIMETYPE", "ShownCluster", "bundle", "dashboard_link", "job_logs", "sentence", "table"]

MIMETYPE = "application/vnd.skiva.cluster+json"
_LOG_BYTES = 64 * 1024
_HEADINGS = ("Cluster", "Name", "Slice", "Made", "Workers", "State")


def bundle(status: Status) -> dict[str, Any]:
    """What a notebook keeps of one cluster: JupyterLab follows it live by its id."""
    row = _row(status)
    text = f"<Cluster {status.id} {status.name!r} on {status.slice}: {sentence(status)}>"
    return {
        MIMETYPE: {"id": status.id, "name": status.name, "created": status.created},
        "text/plain": text,
        "text/html": html_table(_HEADINGS, [row])
        + (f"<p>{html.escape(status.action)}</p>" if status.action else ""),
    }


def table(clusters: Sequence[Status]) -> dict[str, Any]:
    """Several clusters as a table."""
    if not clusters:
        return {"text/plain": "No clusters yet. skiva.cluster(workers=…) makes one."}
    rows = [_row(one) for one in clusters]
    return {
        "text/plain": "\n".join(_line(row) for row in rows),
        "text/html": html_table(_HEADINGS, rows),
    }


def sentence(status: Status) -> str:
    """How it is, in a few words."""
    return status.sentence or {"running": "It runs.", "starting": "It starts."}.get(
        status.state, status.state
    )


def job_logs(place: ClusterDir) -> dict[str, str]:
    """The ends of the logs of a cluster's jobs by their names; `scheduler` is a detached scheduler's."""
    folder, found = place.logs(0).parent, {}
    if place.scheduler_log.exists():
        found["scheduler"] = read_tail(place.scheduler_log, _LOG_BYTES)[0]
    logs = [path for path in folder.glob("*/*.log") if path.stem.isdecimal() and path.parent.name.isdecimal()]
    for path in sorted(logs, key=lambda one: (int(one.parent.name), int(one.stem))):
        found[f"{place.id}-{path.parent.name}-{path.stem}"] = read_tail(path, _LOG_BYTES)[0]
    return found


def _row(status: Status) -> tuple[str, ...]:
    when = time.strftime("%b %d %H:%M", time.localtime(status.created))
    piece = f"{status.slice} (simulated)" if status.simulated else status.slice
    ready = f"{status.workers.ready} of {status.workers.wanted}" if status.living else ""
    name = f"{status.name} (detached)" if status.detached else status.name
    return status.id, name, piece, when, ready, sentence(status)


def _line(row: tuple[str, ...]) -> str:
    return f"{row[0]:16} {row[1][:24]:24} {row[2][:20]:20} {row[3]:13} {row[4]:9} {row[5]}"


def dashboard_link(cluster: str, page: str = "status", environ: Mapping[str, str] | None = None) -> str:
    """Where a page of a cluster is seen through the session's own server; empty outside a session."""
    known = os.environ if environ is None else environ
    base = known.get("JUPYTERHUB_SERVICE_PREFIX", "")
    return f"{base.rstrip('/')}/skiva/clusters/{cluster}/dashboard/{page}" if base else ""


class ShownCluster:
    """What a cluster in a notebook shows of itself, and where its pages and logs are."""

    place: ClusterDir
    # Dask's own shows a widget, and comes first where it is there.
    _ipython_display_ = None

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        return bundle(read_status(self.place))

    @property
    def dashboard_link(self) -> str:
        """Where Dask's own pages are seen, by their owner alone; empty outside a session."""
        return dashboard_link(self.place.id)

    def logs(self, worker: str | None = None) -> dict[str, str]:
        """The last lines of each worker job's log by its name, of those that have ended too.

        Args:
            worker: only of the job with this name.
        """
        return {name: text for name, text in job_logs(self.place).items() if worker in {None, name}}
