"""A Jupyter server in this process, and what is asked of it about runs."""

import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from traitlets.config import Config

TOKEN = "of-the-person"


@dataclass
class Lab:
    """A running Jupyter server with its runs."""

    app: Any
    url: str
    runs: Path

    async def ask(
        self, path: str, *, method: str = "GET", body: Any = None, headers: Mapping[str, str] | None = None
    ) -> tuple[int, Any]:
        """The status and the JSON of one answer."""
        known = {"Authorization": f"token {TOKEN}"} if headers is None else dict(headers)
        data = body if isinstance(body, bytes) else json.dumps(body).encode() if body is not None else b""
        request = HTTPRequest(
            f"{self.url}skiva/{path}",
            method=method,
            headers=known,
            body=data if method in {"POST", "PUT"} else None,
            request_timeout=60,
        )
        answer = await AsyncHTTPClient(force_instance=True).fetch(request, raise_error=False)
        return answer.code, json.loads(answer.body or b"null")


@contextlib.asynccontextmanager
async def served(home: Path) -> AsyncIterator[tuple[Any, str]]:
    """A server that shows `home` and loads this extension alone; it, and its address."""
    from jupyter_server.serverapp import ServerApp

    config = Config(
        ServerApp={"root_dir": str(home), "allow_root": True, "jpserver_extensions": {"skiva.server": True}},
        IdentityProvider={"token": TOKEN},
    )
    ServerApp.clear_instance()
    app = ServerApp.instance(config=config, log_level="ERROR")
    setattr(app, "init_signal", lambda: None)  # noqa: B010 - pytest's signals stay its own
    app.initialize(argv=[], new_httpserver=False, find_extensions=False)
    listener, port = bind_unused_port()
    server = HTTPServer(app.web_app, max_body_size=app.max_body_size, max_buffer_size=app.max_buffer_size)
    server.add_socket(listener)
    try:
        yield app, f"http://127.0.0.1:{port}/"
    finally:
        server.stop()
        await server.close_all_connections()
        await app._cleanup()
        ServerApp.clear_instance()
