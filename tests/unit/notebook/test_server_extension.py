"""The addresses below skiva/ in a real Jupyter server: who may ask, what they answer, what they cost."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jupyter_server.extension.config import ExtensionConfigManager
from jupyter_server.extension.manager import ExtensionPackage
from tests.support.runs_lab import TOKEN, Lab
from tests.unit.notebook.answering_hub import AnsweringHub
from tornado.httpclient import AsyncHTTPClient

from skiva.server import SessionFacts, write_facts

HUB_TOKEN = "of-the-server"
ROOT = Path(__file__).parents[3]


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[AnsweringHub]:
    """The hub of the server that a test starts."""
    with AnsweringHub() as found:
        monkeypatch.setenv("JUPYTERHUB_API_URL", f"{found.url}/hub/api")
        monkeypatch.setenv("JUPYTERHUB_API_TOKEN", HUB_TOKEN)
        yield found


@pytest.fixture
def server(hub: AnsweringHub, lab: Lab) -> Lab:
    """A server that this hub started; `hub` goes first."""
    Path(os.environ["SKIVA_RUN_DIR"]).mkdir()
    describe()
    return lab


def describe(**values: Any) -> None:
    """Let the session be described by these values."""
    known: dict[str, Any] = {"slice": "cpu", "title": "CPU", "job_id": 7, "ends": time.time() + 3600}
    write_facts(Path(os.environ["SKIVA_RUN_DIR"]) / "session.json", SessionFacts(**(known | values)))


async def extend(server: Lab, **options: Any) -> tuple[int, Any]:
    """Press the button."""
    return await server.ask("extend", method="POST", body={}, **options)


async def test_nobody_asks_without_login(server: Lab, hub: AnsweringHub) -> None:
    """Neither address answers a stranger, a wrong token is no login, and the owner's is one."""
    for headers in ({}, {"Authorization": "token wrong"}):
        assert (await server.ask("status", headers=headers))[0] == 403
        assert (await extend(server, headers=headers))[0] == 403
    assert hub.asked == []
    assert (await server.ask("status"))[0] == 200
    await extend(server)
    assert len(hub.asked) == 1


async def test_the_status_tells_the_session(server: Lab) -> None:
    """Slice, time and memory of this server's own processes reach the page, and no secret does."""
    describe(slice="1g.10gb", title="MIG 1g.10gb", isolation="exclusive", memory_mb=512, simulated=True)
    code, status = await server.ask("status")
    assert code == 200
    assert (status["slice"], status["isolation"], status["simulated"]) == ("1g.10gb", "exclusive", True)
    assert 3500 < status["seconds_left"] <= 3600
    assert status["memory"]["used"] > 10 << 20
    assert status["memory"]["limit"] == 512 << 20
    assert status["gpus"] is None
    assert HUB_TOKEN not in str(status)


async def test_a_reading_serves_all_tabs_but_no_other_session(
    server: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within two seconds memory is read once, unless the launcher corrects what it wrote."""
    from skiva.server import handlers

    read: list[int | None] = []
    monkeypatch.setattr(handlers, "read_memory", lambda _, memory_mb: read.append(memory_mb))
    monkeypatch.setattr(handlers, "_FRESH", 1e9)
    for _ in range(3):
        await server.ask("status")
    assert read == [None]
    describe(memory_mb=512)
    for _ in range(3):
        await server.ask("status")
    assert read == [None, 512]
    monkeypatch.setattr(handlers, "_FRESH", -1.0)
    await server.ask("status")
    assert read == [None, 512, 512]


async def test_asking_for_the_time_is_no_activity(server: Lab) -> None:
    """An open page that only counts down must not keep an idle server from being culled; work does."""
    settings = server.app.web_app.settings
    for _ in range(3):
        assert (await server.ask("status"))[0] == 200
    assert "api_last_activity" not in settings
    answer = await AsyncHTTPClient().fetch(f"{server.url}api/contents?token={TOKEN}")
    assert answer.code == 200
    assert "api_last_activity" in settings


async def test_an_extension_asks_the_hub_as_this_server(server: Lab, hub: AnsweringHub) -> None:
    """The hub hears the server's token and nothing that a page could choose; the new end shows at once."""
    describe(extend_hours=1.0)
    await server.ask("status")
    hub.answer = (200, {"ends": time.time() + 7200})
    code, status = await server.ask("extend", method="POST", body={"hours": 99})
    assert code == 200
    assert 7100 < status["seconds_left"] <= 7200
    assert hub.asked == [("/hub/api/skiva/extend", f"token {HUB_TOKEN}", b"{}")]


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ((409, {"message": "A session may last 8 hours at most."}), "A session may last 8 hours at most."),
        ((409, {"message": "Why? " * 200}), "Why? " * 100),
        ((409, {"message": " "}), "The hub refused to extend the session (HTTP 409). Ask the operator why."),
        ((409, {"message": 7}), "The hub refused to extend the session (HTTP 409). Ask the operator why."),
        ((403, b"<html>"), "The hub refused to extend the session (HTTP 403). Ask the operator why."),
        ((502, b""), "The hub did not answer, so the session was not extended. Try again in a minute."),
        ((500, b"[]"), "The hub did not answer, so the session was not extended. Try again in a minute."),
        ((200, b"{}"), "The hub did not answer, so the session was not extended. Try again in a minute."),
        ((302, b""), "The hub refused to extend the session (HTTP 302). Ask the operator why."),
    ],
)
async def test_a_refused_extension_is_one_sentence(
    server: Lab, hub: AnsweringHub, answer: tuple[int, Any], sentence: str
) -> None:
    """The person reads the hub's own words where it has some, and the end stays as it was."""
    describe(extend_hours=1.0)
    hub.answer = answer
    assert await extend(server) == (409, {"message": sentence})
    assert 3500 < (await server.ask("status"))[1]["seconds_left"] <= 3600


async def test_without_a_hub_there_is_nothing_to_extend(lab: Lab) -> None:
    """A plain JupyterLab says so, and that it lives in no session."""
    code, answer = await extend(lab)
    assert (code, answer["message"].split(",")[0]) == (409, "This server was not started by a hub")
    assert await lab.ask("status") == (200, {"slice": None})


def test_what_is_installed_loads_the_extension() -> None:
    """The settings that come with the package name a module that a Jupyter server can load."""
    found = ExtensionConfigManager(read_config_path=[str(ROOT / "extensions/skiva/etc")])
    enabled = found.get_jpserver_extensions()
    assert enabled == {"skiva.server": True}
    assert all(ExtensionPackage(name=name, enabled=True).validate() for name in enabled)


def test_the_start_of_a_server_is_not_slowed_down() -> None:
    """The extension brings none of the libraries that cost a start tenths of a second."""
    slow = ["httpx", "aiohttp", "requests", "pandas", "numpy", "pynvml", "psutil", "pydantic", "jupyterhub"]
    script = (
        "import importlib.util, json, sys, skiva.server.app\n"
        f"slow = {slow!r}\n"
        "print(json.dumps([[name for name in slow if name in sys.modules],"
        " [name for name in slow if importlib.util.find_spec(name)]]))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    loaded, there = json.loads(done.stdout)
    assert loaded == []
    assert {"httpx", "pydantic", "jupyterhub"} <= set(there), "what is not installed is loaded by nobody"
