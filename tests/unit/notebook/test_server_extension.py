"""The addresses below skiva/ in a real Jupyter server: who may ask, what they answer, what they cost."""

import json
import os
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

import pytest

from skiva.server import SessionFacts, write_facts

TOKEN = "of-the-person"
HUB_TOKEN = "of-the-server"
ROOT = Path(__file__).parents[3]


class Hub(ThreadingHTTPServer):
    """Answers what `answer` says, and remembers what it was asked."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Asked)
        self.answer: tuple[int, Any] = (200, {})
        self.asked: list[tuple[str, str, bytes]] = []
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05})

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.thread.join()
        self.server_close()


class _Asked(BaseHTTPRequestHandler):
    server: Hub

    def do_POST(self) -> None:
        """Take one question."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.asked.append((self.path, self.headers["Authorization"], body))
        status, answer = self.server.answer
        content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class Server:
    """A running Jupyter server."""

    def __init__(self, run_dir: Path, hub: Hub, process: "subprocess.Popen[bytes]", url: str) -> None:
        self.run_dir = run_dir
        self.hub = hub
        self.process = process
        self.url = url

    def facts(self, **values: Any) -> None:
        """Let the session be described by these values."""
        known: dict[str, Any] = {"slice": "cpu", "title": "CPU", "job_id": 7, "ends": time.time() + 3600}
        write_facts(self.run_dir / "session.json", SessionFacts(**(known | values)))

    def ask(self, path: str, *, method: str = "GET", token: str | None = TOKEN) -> tuple[int, Any]:
        """The status and the JSON of one answer."""
        headers = {"Authorization": f"token {token}"} if token else {}
        data = b"{}" if method == "POST" else None
        request = urllib.request.Request(f"{self.url}{path}", data=data, headers=headers, method=method)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
                return answer.status, json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, json.loads(error.read() or b"null")

    def wait(self) -> None:
        """Return when it answers."""
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                self.ask("api", token=None)
            except OSError:
                time.sleep(0.05)
            else:
                return
        pytest.fail("the Jupyter server did not start")


@pytest.fixture(scope="session")
def server_port() -> int:
    """A port that nobody listened on a moment ago."""
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        return int(server.server_address[1])


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory, server_port: int) -> Iterator[Server]:
    """One Jupyter server for all tests of the extension; each describes its own session."""
    home = tmp_path_factory.mktemp("server")
    (home / "run").mkdir()
    write_facts(home / "run" / "session.json", SessionFacts(slice="cpu", title="CPU"))
    with Hub() as hub:
        env = {
            **os.environ,
            "HOME": str(home),
            "JUPYTER_CONFIG_PATH": str(ROOT / "extensions" / "skiva" / "etc"),
            "JUPYTER_PREFER_ENV_PATH": "0",
            "SKIVA_RUN_DIR": str(home / "run"),
            "JUPYTERHUB_API_URL": f"http://127.0.0.1:{hub.server_address[1]}/hub/api",
            "JUPYTERHUB_API_TOKEN": HUB_TOKEN,
        }
        options = [f"--port={server_port}", "--ServerApp.port_retries=0", f"--IdentityProvider.token={TOKEN}"]
        argv = [sys.executable, "-m", "jupyter_server", "--allow-root", "--no-browser", *options]
        with (
            (home / "log").open("wb") as log,
            subprocess.Popen(argv, env=env, stdout=log, stderr=log) as process,
        ):
            found = Server(home / "run", hub, process, f"http://127.0.0.1:{server_port}/")
            try:
                found.wait()
                yield found
            finally:
                process.terminate()


def test_nobody_asks_without_login(server: Server) -> None:
    """Neither address answers a stranger, and a wrong token is no login."""
    for token in (None, "wrong"):
        assert server.ask("skiva/status", token=token)[0] == 403
        assert server.ask("skiva/extend", method="POST", token=token)[0] == 403
    assert server.hub.asked == []


def test_the_status_tells_the_session(server: Server) -> None:
    """Slice, time and memory of this server's own processes reach the page, and no secret does."""
    server.facts(slice="1g.10gb", title="MIG 1g.10gb", isolation="exclusive", memory_mb=512, simulated=True)
    code, status = server.ask("skiva/status")
    assert code == 200
    assert (status["slice"], status["isolation"], status["simulated"]) == ("1g.10gb", "exclusive", True)
    assert 3500 < status["seconds_left"] <= 3600
    assert 10 << 20 < status["memory"]["used"] < status["memory"]["limit"] == 512 << 20
    assert status["gpus"] is None
    assert HUB_TOKEN not in str(status)


def test_asking_for_the_time_is_no_activity(server: Server) -> None:
    """An open page that only counts down must not keep an idle server from being culled."""
    assert server.ask("api/contents")[0] == 200
    before = server.ask("api/status?no_track_activity=1")[1]["last_activity"]
    for _ in range(3):
        server.ask("skiva/status")
    assert server.ask("api/status?no_track_activity=1")[1]["last_activity"] == before


def test_an_extension_asks_the_hub_as_this_server(server: Server) -> None:
    """The hub hears the server's token and nothing that a page could choose; the new end shows at once."""
    server.facts(extend_hours=1.0)
    server.ask("skiva/status")
    server.hub.answer = (200, {"ends": time.time() + 7200})
    code, status = server.ask("skiva/extend", method="POST")
    assert code == 200
    assert 7100 < status["seconds_left"] <= 7200
    assert server.hub.asked.pop() == ("/hub/api/skiva/extend", f"token {HUB_TOKEN}", b"{}")


@pytest.mark.parametrize(
    ("answer", "sentence"),
    [
        ((409, {"message": "A session may last 8 hours at most."}), "A session may last 8 hours at most."),
        ((403, b"<html>"), "The hub refused to extend the session (HTTP 403). Ask the operator why."),
        ((502, b""), "The hub did not answer, so the session was not extended. Try again in a minute."),
        ((200, b"{}"), "The hub did not answer, so the session was not extended. Try again in a minute."),
        ((302, b""), "The hub refused to extend the session (HTTP 302). Ask the operator why."),
    ],
)
def test_a_refused_extension_is_one_sentence(server: Server, answer: tuple[int, Any], sentence: str) -> None:
    """The person reads the hub's own words where it has some, and the end stays as it was."""
    server.facts(extend_hours=1.0)
    server.hub.answer = answer
    assert server.ask("skiva/extend", method="POST") == (409, {"message": sentence})
    assert server.ask("skiva/status")[1]["seconds_left"] > 3500


def test_the_start_of_a_server_is_not_slowed_down() -> None:
    """The extension brings none of the libraries that cost a start tenths of a second."""
    slow = {"httpx", "aiohttp", "requests", "pandas", "numpy", "pynvml", "psutil", "pydantic", "jupyterhub"}
    script = f"import sys, skiva.server; print(sorted({slow!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
