"""The scheduler of a cluster: encrypted throughout, its pages too, and asked by people as well as by Dask."""

import json
import ssl
from collections.abc import Callable, Mapping
from inspect import isawaitable
from typing import Any

import dask
from distributed import Scheduler
from tornado.web import RequestHandler

from skiva.dask.place import ClusterDir
from skiva.dask.security import server_context
from skiva.runs.wish import BadWish

__all__ = ["Answer", "SliceScheduler"]

Answer = Callable[[Mapping[str, Any]], Any]
"""Does what a request's body says and gives the answer, at once or later; raises BadWish."""
_MOST_BYTES = 10_000


class _Ask(RequestHandler):
    """`/skiva/NAME`: GET for what only tells, POST for what changes something."""

    def initialize(self, answers: Mapping[tuple[str, str], Answer]) -> None:
        self.answers = answers

    async def get(self, name: str) -> None:
        await self._answer("GET", name)

    async def post(self, name: str) -> None:
        await self._answer("POST", name)

    async def _answer(self, method: str, name: str) -> None:
        found = self.answers.get((method, name))
        try:
            if found is None:
                raise BadWish(f"{name[:40]}: there is no such request")
            answer = found(self._body())
            self.write(dict(await answer if isawaitable(answer) else answer))
        except BadWish as problem:
            self.set_status(400)
            self.write({"message": str(problem)})

    def _body(self) -> dict[str, Any]:
        if len(self.request.body) > _MOST_BYTES:
            raise BadWish("body: is too long")
        try:
            body = json.loads(self.request.body or b"{}")
        except ValueError:
            raise BadWish("body: must be JSON") from None
        if not isinstance(body, dict):
            raise BadWish("body: must be a JSON object")
        return body


class SliceScheduler(Scheduler):
    """Dask's scheduler, whose pages want the cluster's own key from whoever connects."""

    def __init__(
        self, *, place: ClusterDir, answers: Mapping[tuple[str, str], Answer], **options: Any
    ) -> None:
        self._place = place
        self._answers = answers
        super().__init__(**options)

    def start_http_server(
        self,
        routes: list[Any],
        dashboard_address: str | None,
        default_port: int = 0,
        ssl_options: ssl.SSLContext | None = None,  # noqa: ARG002 - never another than ours
    ) -> None:
        """Serve the pages on the scheduler's own address, encrypted, to the cluster's owner alone."""
        routes = [(r"/skiva/([a-z]+)", _Ask, {"answers": self._answers}), *routes]
        # A person's own settings for pages of Dask's would take the place of ours, and ask nobody for a key.
        with dask.config.set({"distributed.scheduler.dashboard.tls.cert": None}):
            super().start_http_server(routes, dashboard_address, default_port, server_context(self._place))
