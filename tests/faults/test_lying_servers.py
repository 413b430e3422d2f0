"""What answers, or does not, where a session's server should be."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from tests.support.faults import LIGHT, Faults
from tests.support.invariants import check, live_jobs
from tests.support.waiting import wait_until

_WORDS = {
    "impostor": "Something else answers where your session should be",
    "mute": "cannot reach your session",
    "silent": "its server did not report to the hub",
    "crash": "its server stopped before it answered",
}


def test_a_server_that_does_not_prove_itself_is_never_opened(faults: Faults) -> None:
    """One without the key, one that does not listen, one that never reports, one that dies: told in words."""
    for kind in _WORDS:
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


@contextmanager
def _somebody_else_on(port: int) -> Iterator[None]:
    """Another account's web server on a port that somebody's session has had."""
    code = (
        "import http.server as h\n"
        "class H(h.BaseHTTPRequestHandler):\n"
        "    def do_GET(self):\n"
        "        self.send_response(200); self.end_headers(); self.wfile.write(b'stolen')\n"
        f"h.ThreadingHTTPServer(('127.0.0.1', {port}), H).serve_forever()\n"
    )
    thief = subprocess.Popen(["/usr/bin/python3", "-c", code], user="researcher2", stderr=subprocess.DEVNULL)
    try:
        yield
    finally:
        thief.kill()
        thief.wait()


@pytest.mark.parametrize("slurm", ["answers", "is silent"])
def test_a_port_that_somebody_took_while_the_hub_was_dead_gets_no_route(faults: Faults, slurm: str) -> None:
    """A hub that comes back challenges the server before its address leads there again."""
    faults.start_all({("researcher1", ""): LIGHT})
    row = faults.owner("researcher1")
    assert row is not None
    faults.hub.kill()
    faults.slurm("scancel", str(row.session["job_id"]))
    port = row.session["heard"]["port"]
    wait_until(lambda: _page(f"http://127.0.0.1:{port}/").startswith("nothing"), 20, "the port is free")
    with _somebody_else_on(port):
        wait_until(lambda: _page(f"http://127.0.0.1:{port}/") == "stolen", 10, "the thief listens")
        shown = f"{faults.cluster.url}/user/researcher1/x"
        # As long as no hub looks the old route leads to the thief.
        wait_until(lambda: _page(shown) == "stolen", 10, "the thief is shown")
        with faults.spoiled(*(["squeue", "scontrol"] if slurm == "is silent" else []), how="fail"):
            faults.hub.start()
            wait_until(lambda: _page(shown) != "stolen", 10, "no route")
            assert "/user/researcher1/" not in faults.client.get("proxy")
        faults.client.wait_stopped("researcher1", 40)
        assert _page(shown) != "stolen"
        assert _page(f"http://127.0.0.1:{port}/") == "stolen", "it is still there"
    check(faults.cluster, faults.client)


def _page(url: str) -> str:
    try:
        return httpx.get(url, timeout=10, trust_env=False).text
    except httpx.HTTPError as problem:
        return f"nothing: {problem}"
