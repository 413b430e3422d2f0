"""The hub's own routes for the pages: live numbers, the pages' files, a form that a link only fills in."""

import json
import time
from typing import Any, Protocol, cast

from jupyterhub import apihandlers, handlers
from jupyterhub.apihandlers.base import APIHandler
from jupyterhub.handlers.pages import SpawnHandler
from jupyterhub.handlers.static import CacheControlStaticFilesHandler
from tornado import web

from skiva_hub.pages.cards import board
from skiva_hub.pages.environments import Records
from skiva_hub.pages.render import STATIC
from skiva_hub.permitted import Permitted
from skiva_slurm.jobs import Snapshot


class Reading(Protocol):
    """What the pages need of the watcher."""

    @property
    def snapshot(self) -> Snapshot | None:
        """The last good reading."""

    def look(self) -> None:
        """Have it read more often, as somebody looks."""


class Skiva(Protocol):
    """What the pages need of the hub's state, found in the hub's settings as `skiva`."""

    def allowed(self, user: str) -> Permitted:
        """What of the site somebody may have."""

    @property
    def watcher(self) -> Reading:
        """The reader of the queue."""

    @property
    def records(self) -> Records:
        """What is in the environments."""


class SlicesHandler(APIHandler):
    """`GET /hub/api/skiva/slices`: what the signed-in user may pick, with its numbers."""

    def get(self) -> None:
        """Answer JSON; an unchanged answer is a 304."""
        user = self.current_user
        if user is None or not hasattr(user, "groups"):
            raise web.HTTPError(403, "Please sign in: these numbers are for people who may start a session.")
        skiva = cast(Skiva, self.settings["skiva"])
        groups = frozenset(group.name for group in user.groups)
        skiva.watcher.look()
        allowed, snapshot = skiva.allowed(user.name), skiva.watcher.snapshot
        answer = board(allowed, user.name, groups, snapshot, time.time(), skiva.records)
        self.set_header("Cache-Control", "private, no-cache")
        self.finish(json.dumps(answer))


class FormOnlySpawnHandler(SpawnHandler):
    """JupyterHub's spawn page, except that what a link carries only fills in the form."""

    def _get_user_options(self, _query: dict[str, list[str]]) -> dict[str, Any]:
        """No query is ever an order to start; the form reads it from the request."""
        return {}


def register() -> None:
    """Add the routes to JupyterHub's; before the hub builds its application. Idempotent."""
    spawn: list[tuple[Any, ...]] = [
        (route[0], FormOnlySpawnHandler) for route in handlers.default_handlers if route[1] is SpawnHandler
    ]
    spawn.append((r"/skiva/static/(.*)", CacheControlStaticFilesHandler, {"path": str(STATIC)}))
    known = {route[1] for route in handlers.default_handlers}
    if FormOnlySpawnHandler not in known:
        handlers.default_handlers[:0] = spawn
    if SlicesHandler not in {route[1] for route in apihandlers.default_handlers}:
        apihandlers.default_handlers.append((r"/api/skiva/slices", SlicesHandler))
