"""Dask's pages of a cluster, for its owner: asked with the cluster's key and nothing of the session's."""

import asyncio
from contextlib import suppress
from typing import Any

from jupyter_server.auth.decorator import authorized
from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.base.websocket import WebSocketMixin
from jupyter_server.utils import url_path_join
from tornado import web
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest
from tornado.iostream import StreamClosedError
from tornado.websocket import (
    WebSocketClientConnection,
    WebSocketClosedError,
    WebSocketError,
    WebSocketHandler,
    websocket_connect,
)

from skiva.server.problems import Problem

from .pages import PASSED_BACK, PASSED_ON, location, page_of, passed, query_of
from .service import ClustersService

__all__ = ["DashboardHandler", "DashboardSocket", "StaticsHandler"]

_PATIENCE = 30.0
"""Seconds: pages of a busy scheduler take their time."""
_MOST_BYTES = 64 * 1024 * 1024
"""Of one page or of one message."""
_AT_ONCE = 32
_SILENT = "The cluster's scheduler does not answer."


class _ToScheduler(JupyterHandler):
    """What both kinds have in common."""

    auth_resource = "skiva"

    @property
    def content_security_policy(self) -> str:
        """Shown within JupyterLab, and nowhere else."""
        return "frame-ancestors 'self'"

    def get_login_url(self) -> str:
        """Nowhere: a stranger is refused, as by all addresses here."""
        raise web.HTTPError(403)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer with one sentence."""
        problem = kwargs.get("exc_info", (None, None))[1]
        known = problem.log_message if isinstance(problem, web.HTTPError) else None
        self.set_header("Content-Type", "text/plain; charset=UTF-8")
        self.finish(known or f"{status_code}: {self._reason}")

    async def aim(self, cluster: str, scheme: str) -> tuple[str, Any]:
        """The page's address at the scheduler, and what it is connected to with."""
        page = page_of(self.request.path)
        if page is None:
            raise web.HTTPError(404, "The dashboard has no such page.")
        clusters: ClustersService = self.settings["skiva_clusters"]
        try:
            way = await clusters.way(cluster)
        except Problem as problem:
            raise web.HTTPError(problem.status, str(problem)) from None
        host = way.address.removeprefix("https://")
        return f"{scheme}://{host}/{page}{query_of(self.request.query)}", way.tls


class DashboardHandler(_ToScheduler):
    """A page, or what belongs to one."""

    @web.authenticated
    @authorized
    async def get(self, cluster: str, page: str) -> None:
        """Answer as the scheduler does."""
        if not page:
            self.redirect("status")
            return
        address, tls = await self.aim(cluster, "https")
        answer = await self._fetched(address, tls)
        self.set_status(answer.code)
        for name, value in passed(PASSED_BACK, answer.headers).items():
            self.set_header(name, value)
        if "Location" in answer.headers:
            prefix = url_path_join(self.base_url, "skiva/clusters", cluster, "dashboard/")
            self.set_header("Location", location(answer.headers["Location"], address, prefix))
        await self.finish(answer.body or None)

    async def _fetched(self, address: str, tls: Any) -> Any:
        known = self.settings.get("skiva_dashboards")
        if known is None:
            known = AsyncHTTPClient(force_instance=True, max_clients=_AT_ONCE, max_body_size=_MOST_BYTES)
            self.settings["skiva_dashboards"] = known
        request = HTTPRequest(
            address,
            headers=passed(PASSED_ON, self.request.headers),
            ssl_options=tls,
            follow_redirects=False,
            connect_timeout=_PATIENCE,
            request_timeout=_PATIENCE,
        )
        try:
            answer = await known.fetch(request, raise_error=False)
        except (OSError, ValueError):
            raise web.HTTPError(503, _SILENT) from None
        if answer.code == 599:
            raise web.HTTPError(503, _SILENT)
        return answer


class StaticsHandler(_ToScheduler):
    """Where some of Dask's pages look for their styles and scripts: one directory too high."""

    @web.authenticated
    @authorized
    async def get(self, cluster: str, name: str) -> None:
        """Lead to where they are."""
        self.redirect(f"{self.base_url}skiva/clusters/{cluster}/dashboard/statics/{name}")


class DashboardSocket(WebSocketMixin, WebSocketHandler, _ToScheduler):
    """The websocket by which a page is kept up to date."""

    _scheduler: WebSocketClientConnection | None = None
    _passing: "asyncio.Task[None] | None" = None

    @web.authenticated
    @authorized
    async def get(self, cluster: str, *_: str) -> None:  # type: ignore[override]
        """Connect to the scheduler, and only then agree to what the page asks for."""
        if not self.check_origin():
            raise web.HTTPError(403)
        address, tls = await self.aim(cluster, "wss")
        offered = self.request.headers.get("Sec-WebSocket-Protocol", "")
        request = HTTPRequest(address, ssl_options=tls, connect_timeout=_PATIENCE, request_timeout=_PATIENCE)
        try:
            self._scheduler = await websocket_connect(
                request,
                subprotocols=[name.strip() for name in offered.split(",") if name.strip()],
                max_message_size=_MOST_BYTES,
            )
        except HTTPClientError as refused:
            raise web.HTTPError(404 if refused.code == 404 else 503, _SILENT) from None
        except (OSError, ValueError, WebSocketError):
            raise web.HTTPError(503, _SILENT) from None
        await super().get()
        if self.ws_connection is None:
            self._scheduler.close()

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        """The one that the scheduler has chosen."""
        chosen = self._scheduler.selected_subprotocol if self._scheduler else None
        return chosen if chosen in subprotocols else None

    def open(self, *args: str, **kwargs: str) -> None:
        """Begin to pass messages on."""
        super().open(*args, **kwargs)
        self.set_nodelay(True)
        if self._scheduler is not None:
            self._passing = asyncio.ensure_future(self._pass(self._scheduler))

    async def _pass(self, scheduler: WebSocketClientConnection) -> None:
        """One after the other, no faster than the browser takes them."""
        with suppress(WebSocketClosedError, StreamClosedError):
            while (message := await scheduler.read_message()) is not None:
                await self.write_message(message, binary=isinstance(message, bytes))
        self.close(scheduler.close_code, scheduler.close_reason)

    async def on_message(self, message: str | bytes) -> None:
        """Pass on what the page says."""
        if self._scheduler is None:
            return
        with suppress(WebSocketClosedError, StreamClosedError):
            await self._scheduler.write_message(message, binary=isinstance(message, bytes))

    def on_close(self) -> None:
        """Leave the scheduler too."""
        if self._scheduler is not None:
            self._scheduler.close()
        if self._passing is not None:
            self._passing.cancel()
