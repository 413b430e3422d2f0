"""The addresses below skiva/runs in a real Jupyter server, with runs laid out on the disk."""

import asyncio
import contextlib
import json
import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.support.runs_on_disk import lay, note, run_id, write
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from traitlets.config import Config

from skiva.server.runs_queue import QueueFacts
from skiva.server.runs_service import RunsService

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


@pytest.fixture
async def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Lab]:
    """A server of one person, without a hub and without Slurm."""
    home = tmp_path / "home"
    (home / "skiva-runs").mkdir(parents=True)
    for name, place in {
        "HOME": home,
        "SKIVA_RUN_DIR": tmp_path / "run",
        "SKIVA_RUNS": home / "skiva-runs",
    }.items():
        monkeypatch.setenv(name, str(place))
    for name in ("CONFIG", "DATA", "RUNTIME"):
        monkeypatch.setenv(f"JUPYTER_{name}_DIR", str(tmp_path / name.lower()))
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "0")
    async with _served(home) as (app, url):
        yield Lab(app, url, home / "skiva-runs")


@contextlib.asynccontextmanager
async def _served(home: Path) -> AsyncIterator[tuple[Any, str]]:
    from jupyter_server.serverapp import ServerApp

    config = Config(
        ServerApp={"root_dir": str(home), "allow_root": True, "jpserver_extensions": {"skiva.server": True}},
        IdentityProvider={"token": TOKEN},
    )
    ServerApp.clear_instance()
    app = ServerApp.instance(config=config, log_level="ERROR")
    app.init_signal = lambda: None
    app.initialize(argv=[], new_httpserver=False, find_extensions=False)
    listener, port = bind_unused_port()
    server = HTTPServer(app.web_app)
    server.add_socket(listener)
    try:
        yield app, f"http://127.0.0.1:{port}/"
    finally:
        server.stop()
        await server.close_all_connections()
        await app._cleanup()
        ServerApp.clear_instance()


async def test_runs_are_listed_newest_first(lab: Lab) -> None:
    """What the directories hold comes as rows, and nothing that is no run does."""
    for number in range(3):
        place = lay(lab.runs, run_id(number), name=f"run {number}")
        os.utime(place / "spec.json", (1000 + number, 1000 + number))
    (lab.runs / ".trash").mkdir()
    code, answer = await lab.ask("runs")
    assert code == 200
    assert [row["name"] for row in answer["runs"]] == ["run 2", "run 1", "run 0"]
    assert answer["runs"][0]["state"] == "completed"
    assert (answer["removed"], answer["more"], answer["whole"]) == ([], False, True)
    assert answer["runs"][0]["dir"] == f"skiva-runs/{run_id(2)}"
