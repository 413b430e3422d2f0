"""A session starts without what it does not use, and has it all the same when it is used."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from tornado.httpclient import HTTPClientError

from skiva.session import hub_requests

_PROGRAM = """
import json, sys
from skiva.session.lean import lean_imports

with lean_imports():
    import jupyterlab.labapp
    from jupyterhub.singleuser.extension import JupyterHubSingleUser

heavy = ("aiohttp.client", "urllib3", "sqlalchemy.engine", "arrow", "IPython", "jupyterhub.user")
early = [name for name in heavy if name in sys.modules]

import importlib.util
import aiohttp, requests, sqlalchemy, isoduration
import aiohttp.client_exceptions, sqlalchemy.orm
import jupyterhub.httpclient

print(json.dumps({
    "early": early,
    "found": bool(importlib.util.find_spec("aiohttp")),
    "works": [
        issubclass(aiohttp.ClientConnectionError, Exception),
        requests.Request("GET", "http://127.0.0.1/").prepare().url,
        sqlalchemy.text("1").text,
        isoduration.parse_duration("PT1H").time.hours == 1,
    ],
    "client": jupyterhub.httpclient.fetch.__module__,
    "original": jupyterhub.httpclient.JupyterHubHTTPClient.__name__,
}))
"""


def test_what_was_left_out_of_a_start_is_there_when_it_is_used() -> None:
    """Nothing heavy is imported with the server; afterwards each of it can be imported and works."""
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["early"] == []
    assert told["found"]
    assert told["works"] == [True, "http://127.0.0.1/", "1", True]
    assert told["client"] == "skiva.session.hub_requests"
    assert told["original"] == "JupyterHubHTTPClient"


_ASKING = """
import json, sys
from importlib import metadata

def told(found):
    return [(e.name, e.value, e.group, e.dist.name) for e in found]

groups = sorted({e.group for d in metadata.distributions() for e in d.entry_points})
before = [told(metadata.entry_points(group=group)) for group in groups]
one = told(metadata.entry_points(group="console_scripts", name="jupyter"))

from skiva.session.entry_points import read_once
read_once()
metadata.entry_points(group="console_scripts")
opened = []
sys.addaudithook(lambda event, args: opened.append(args[0]) if event == "open" else None)
after = [told(metadata.entry_points(group=group)) for group in groups]
print(json.dumps({
    "groups": len(groups),
    "same": before == after,
    "one": one == told(metadata.entry_points(group="console_scripts", name="jupyter")) != [],
    "none": told(metadata.entry_points(group="no such group")),
    "opened": [str(path) for path in opened if str(path).endswith("entry_points.txt")],
    "later": (sys.path.append(sys.argv[1]), told(metadata.entry_points(group="made.up")))[1],
}))
"""


def test_entry_points_are_read_once_and_none_is_lost(tmp_path: Path) -> None:
    """Every group has what it had, in its order, without a list being opened; a longer path is read again."""
    made = tmp_path / "made_up-1.0.dist-info"
    made.mkdir()
    (made / "METADATA").write_text("Metadata-Version: 2.1\nName: made-up\nVersion: 1.0\n")
    (made / "entry_points.txt").write_text("[made.up]\nname = module:thing\n")
    command = [sys.executable, "-c", _ASKING, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["groups"] > 5
    assert told["same"]
    assert told["one"]
    assert told["none"] == told["opened"] == []
    assert told["later"] == [["name", "module:thing", "made.up", "made-up"]]


class _Hub(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._answer(404 if self.path == "/missing" else 200, {"path": self.path})

    def do_POST(self) -> None:
        sent = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self._answer(201, {"sent": sent, "authorization": self.headers["Authorization"]})

    def _answer(self, status: int, body: object) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("X-JupyterHub-Version", "6.1.1")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def hub() -> Iterator[str]:
    """Where a small hub answers."""
    server = HTTPServer(("127.0.0.1", 0), _Hub)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


async def test_requests_to_the_hub_are_answered_as_by_jupyterhubs_client(hub: str) -> None:
    """Status, headers, text and JSON of an answer are where the single-user server looks for them."""
    answer = await hub_requests.fetch(f"{hub}/hub/api")
    assert (answer.status, answer.ok, answer.headers["x-jupyterhub-version"]) == (200, True, "6.1.1")
    assert json.loads(await answer.text()) == await answer.json() == {"path": "/hub/api"}
    sent = await hub_requests.fetch(hub, method="POST", data="a=b", headers={"Authorization": "token x"})
    assert await sent.json() == {"sent": "a=b", "authorization": "token x"}


async def test_an_answer_that_is_an_error_is_raised_unless_it_is_wanted(hub: str) -> None:
    """`raise_for_status` means what it means to JupyterHub's client."""
    with pytest.raises(HTTPClientError, match="404"):
        await hub_requests.fetch(f"{hub}/missing")
    answer = await hub_requests.fetch(f"{hub}/missing", raise_for_status=False)
    assert (answer.status, answer.ok) == (404, False)


async def test_a_request_with_other_options_goes_through_jupyterhubs_own_client(hub: str) -> None:
    """What the small client does not know is not dropped."""
    answer = await hub_requests.fetch(f"{hub}/x", params={"a": "b"})
    assert type(answer).__module__.startswith("aiohttp")
    assert (await answer.json())["path"] == "/x?a=b"
    await hub_requests.JupyterHubHTTPClient.instance().close()


_LEAVING = """
import atexit, pathlib, sys, threading
from skiva.session.launch import leave

threading.Thread(target=threading.Event().wait).start()
atexit.register(lambda: pathlib.Path(sys.argv[1]).write_text("tidied up"))
print("last words")
leave()
"""


def test_a_session_ends_although_a_thread_of_it_waits_for_ever(tmp_path: Path) -> None:
    """What is to be tidied up is, what was said is in the log, and the job is over."""
    command = [sys.executable, "-c", _LEAVING, str(tmp_path / "note")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (0, "last words\n"), done.stderr
    assert (tmp_path / "note").read_text() == "tidied up"
