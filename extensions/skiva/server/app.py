"""How the Jupyter server loads this extension."""

import asyncio
import os
from pathlib import Path
from typing import Any

from jupyter_server.utils import url_path_join

from skiva.dask import tls_errors
from skiva.kernels.manager import start_kernels_with_ours
from skiva.kernels.watch import start_watching

from .clusters.handlers import ROUTES as CLUSTERS
from .clusters.service import ClustersService
from .handlers import ExtendHandler, Session, StatusHandler
from .hub import Hub
from .runs.handlers import ROUTES as RUNS
from .runs.queue import QueueFacts
from .runs.service import RunsService
from .session_facts import facts_file
from .state import SessionState
from .stream import follow

WARNING_EVENT: dict[str, Any] = {
    "$id": "urn:skiva:session-warning",
    "version": "1",
    "title": "Warning",
    "description": "Slurm sent its warning signal: the session ends soon.",
    "type": "object",
    "properties": {},
}
"""Tells open pages to ask for the status at once, hidden ones too, which otherwise do not ask."""


def _jupyter_server_extension_points() -> list[dict[str, Any]]:
    return [{"module": "skiva.server"}]


def _load_jupyter_server_extension(serverapp: Any) -> None:
    tls_errors.install()
    state = SessionState(facts_file(os.environ))
    hub = Hub.of(serverapp)
    state.can_ask_hub = hub is not None
    settings = serverapp.web_app.settings
    settings["skiva"] = Session(state, hub)
    queue = QueueFacts()
    settings["skiva_runs"] = RunsService(queue, _served(serverapp))
    settings["skiva_clusters"] = ClustersService(queue)
    routes = [("status", StatusHandler), ("extend", ExtendHandler), *RUNS, *CLUSTERS]
    serverapp.web_app.add_handlers(
        ".*$", [(url_path_join(settings["base_url"], "skiva", name), handler) for name, handler in routes]
    )
    serverapp.event_logger.register_event_schema(WARNING_EVENT)
    start_kernels_with_ours(serverapp)
    start_watching(serverapp)
    if hub is not None and hub.stream_url and state.facts is not None:
        serverapp.io_loop.add_callback(_start_following, serverapp, hub, state, queue)


def _served(serverapp: Any) -> Path | None:
    """The directory that the file browser shows, where it is one on a disk."""
    root = getattr(serverapp.contents_manager, "root_dir", None) or ""
    return Path(root) if isinstance(root, str) and root.startswith("/") else None


def _start_following(serverapp: Any, hub: Hub, state: SessionState, queue: QueueFacts) -> None:
    # The loop keeps only weak references to tasks, so the settings hold this one.
    task = asyncio.ensure_future(follow(hub, state, serverapp.log, queue))
    serverapp.web_app.settings["skiva_following"] = task


def warn(serverapp: Any, seconds: float | None = None) -> bool:
    """Note Slurm's warning signal. May be called from a signal handler.

    It announces the end in `seconds`; by default, in as many as session.json says were asked of Slurm.
    False where this extension is not loaded.
    """
    session = serverapp.web_app.settings.get("skiva")
    if not isinstance(session, Session):
        return False
    session.state.warned(seconds)
    # In a signal handler only this one wakes the loop.
    serverapp.io_loop.asyncio_loop.call_soon_threadsafe(_tell_pages, serverapp)
    return True


def _tell_pages(serverapp: Any) -> None:
    serverapp.event_logger.emit(schema_id=WARNING_EVENT["$id"], data={})
