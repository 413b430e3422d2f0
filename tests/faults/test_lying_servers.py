"""What answers, or does not, where a session's server should be."""

import errno
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from tests.support.faults import LIGHT, Faults
from tests.support.hub import HubRefused
from tests.support.invariants import check, live_jobs
from tests.support.waiting import wait_until

from skiva_spawners.certificate import Pair

_WORDS = {
    "impostor": "Something else answers where your session should be",
    "plain": "Something else answers where your session should be",
    "mute": "cannot reach your session",
    "silent": "its server did not report to the hub",
    "crash": "its server stopped before it answered",
}


def test_a_server_that_does_not_prove_itself_is_never_opened(faults: Faults) -> None:
    """Another key, no TLS, a port that is closed, no report, a crash: each is told in words."""
    for kind in _WORDS:
        with suppress(HubRefused):  # a quick end is told at once
            faults.client.start_server("researcher1", {**LIGHT, "environment": kind}, kind)
    told = {kind: faults.outcome("researcher1", 60, kind) for kind in _WORDS}
    for kind, words in _WORDS.items():
        assert words in told[kind], told
    crashed = faults.owner("researcher1", "crash")
    assert crashed is not None
    assert any("a library is missing" in line for line in crashed.failure["log_tail"])
    assert not any(route.startswith("/user/") for route in faults.client.get("proxy"))
    check(faults.cluster, faults.client)
    assert not live_jobs(faults.cluster)


_THIEF = """
import http.server, pathlib, ssl, sys, time
port, stolen, pair = int(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3:]
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with stolen.open("a") as file:
            file.write(self.path + str(self.headers))
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"stolen")
while True:  # the kernel may keep a port for a minute
    try:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
        break
    except OSError:
        time.sleep(0.2)
if pair:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
server.serve_forever()
"""


@pytest.fixture(params=["plain HTTP", "TLS"])
def thief(request: pytest.FixtureRequest) -> Iterator[Callable[[int], Path]]:
    """Starts another account's web server on a port that a session has had; the file of what it was told."""
    place = Path(tempfile.mkdtemp(prefix="skiva-thief-"))
    shutil.chown(place, "researcher2")
    started: list[subprocess.Popen[bytes]] = []

    def start(port: int) -> Path:
        argv = ["/usr/bin/python3", "-c", _THIEF, str(port), str(place / "stolen")]
        if request.param == "TLS":
            pair = Pair.new()
            for name in ("certificate", "private_key"):
                (place / name).write_text(getattr(pair, name))
                shutil.chown(place / name, "researcher2")
                argv.append(str(place / name))
        started.append(subprocess.Popen(argv, user="researcher2", stderr=subprocess.DEVNULL))
        scheme = "https" if request.param == "TLS" else "http"
        address = f"{scheme}://127.0.0.1:{port}/knock"
        wait_until(lambda: _page(address, cookie="none") == "stolen", 80, "the thief listens")
        return place / "stolen"

    yield start
    for one in started:
        one.kill()
        one.wait()
    shutil.rmtree(place)


def test_whoever_takes_the_port_of_a_session_that_ended_gets_nothing(
    faults: Faults, thief: Callable[[int], Path]
) -> None:
    """Though no hub is there to take the route away, the proxy sends the thief no request, and no cookie."""
    faults.start_all({("researcher1", ""): LIGHT})
    row = faults.owner("researcher1")
    assert row is not None
    shown = f"{faults.cluster.url}/user/researcher1/x"
    assert _page(shown).startswith("hello")
    faults.hub.kill()
    faults.slurm("scancel", str(row.session["job_id"]))
    port = row.session["heard"]["port"]
    wait_until(lambda: _is_free(port), 20, "the port is free")
    stolen = thief(port)
    for path in ("", "lab", "api/kernels"):
        assert "stolen" not in _page(f"{faults.cluster.url}/user/researcher1/{path}")
    with faults.spoiled("squeue", "scontrol", how="fail"):
        # Where Slurm is silent too the route may stay; it is as useless as before.
        faults.hub.start()
        assert "stolen" not in _page(shown)
    wait_until(lambda: "/user/researcher1/" not in faults.client.get("proxy"), 40, "the route is gone")
    wait_until(lambda: not _remembered(faults), 40, "the hub has looked for the session that it knew")
    faults.client.wait_stopped("researcher1", 40)
    told = stolen.read_text()
    assert "knock" in told, "it listens, and would have heard"
    assert "canary" not in told
    assert "researcher1" not in told
    check(faults.cluster, faults.client)


def _is_free(port: int) -> bool:
    with socket.socket() as knock:
        return knock.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED


def _remembered(faults: Faults) -> bool:
    row = faults.owner("researcher1")
    return bool(row and row.session)


def _page(url: str, cookie: str = "jupyterhub-user-researcher1=canary") -> str:
    try:
        # It is the proxy that must be careful.
        return httpx.get(url, headers={"Cookie": cookie}, timeout=10, trust_env=False, verify=False).text  # noqa: S501
    except httpx.HTTPError as problem:
        return f"nothing: {problem}"
