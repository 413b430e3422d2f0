"""The port proxy of a session reaches its owner's programs, and nobody else's."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from tests.support.sessions import Session
from websockets.exceptions import ConnectionClosedError
from websockets.sync.client import ClientConnection, connect

_PROGRAM = """\
import http.server, sys

class Answer(http.server.BaseHTTPRequestHandler):
    def answer(self):
        print(self.command, self.path, flush=True)
        self.send_response(200)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(b"hello")

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_OPTIONS = answer

    def log_message(self, *_):
        pass

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answer)
print(server.server_address[1], flush=True)
server.serve_forever()
"""


_VERBS = ("GET", "POST", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS")
_FORMS = (
    "proxy/{}/x",
    "proxy/localhost:{}/x",
    "proxy/127.0.0.1:{}/x",
    "proxy/absolute/{}/x",
    "proxy/absolute/127.0.0.1:{}/x",
)


@contextmanager
def _program_of(user: str) -> Iterator[tuple[int, "subprocess.Popen[str]"]]:
    """A web server of somebody's on the node: its port, and the process, which prints what it is asked."""
    argv = ["/usr/bin/python3", "-I", "-c", _PROGRAM]
    with subprocess.Popen(argv, user=user, stdout=subprocess.PIPE, text=True, cwd="/") as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline()), process
        finally:
            process.kill()


def test_ones_own_program_is_shown(victim: Session) -> None:
    """What the owner started on the node answers through the session, by any form of address and any verb."""
    with _program_of(victim.user) as (port, _):
        for form in _FORMS:
            for verb in _VERBS:
                # Of a PATCH without a body the proxy makes an error of its own.
                answer = victim.ask(verb, form.format(port), content=b"x" if verb == "PATCH" else None)
                told = "" if verb == "HEAD" else "hello"
                assert (answer.status_code, answer.text) == (200, told), (verb, form)


def test_somebody_elses_program_is_not_shown(victim: Session, intruder: Session) -> None:
    """Another account's port on the same node is refused in words, and never sees a request or a cookie."""
    with _program_of(intruder.user) as (port, process):
        for path in (form.format(port) for form in _FORMS):
            for verb in _VERBS:
                answer = victim.ask(verb, path, content=b"x" if verb == "PATCH" else None)
                assert answer.status_code == 403, (verb, path, answer)
            assert "somebody else" in victim.ask("GET", path).text
            with (
                pytest.raises(ConnectionClosedError, match="somebody else"),
                _websocket(victim, path) as opened,
            ):
                opened.recv(timeout=30)
        # It would have been seen: its owner's request, the first one that comes through, is.
        assert intruder.ask("PUT", f"proxy/{port}/own").text == "hello"
        process.kill()
        assert process.stdout is not None
        assert process.stdout.read().splitlines() == ["PUT /own"]


def _websocket(session: Session, path: str) -> ClientConnection:
    url = f"{session.url.replace('http', 'ws')}{session.prefix}{path}"
    return connect(url, additional_headers={"Authorization": f"token {session.token}"}, proxy=None)


@pytest.mark.parametrize(
    "host", ["example.org:80", "169.254.169.254:80", "10.0.0.1:6820", "localhost.evil:80"]
)
@pytest.mark.parametrize("form", ["proxy/{}/", "proxy/absolute/{}/"])
def test_other_hosts_are_refused(victim: Session, host: str, form: str) -> None:
    """It is no way out of the node: not to the internet, a cloud's metadata or Slurm's API."""
    answer = victim.ask("GET", form.format(host))
    assert answer.status_code == 403
    assert f"Host &#39;{host.partition(':')[0]}&#39; is not allowed." in answer.text


def test_a_port_without_a_program_is_told(victim: Session, free_port: int) -> None:
    """A page says that nothing listens there, instead of waiting."""
    answer: httpx.Response = victim.ask("GET", f"proxy/{free_port}/")
    assert answer.status_code == 503
    assert f"No program listens on port {free_port} of this node." in answer.text
