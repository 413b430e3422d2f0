"""How the hub knows a session's server: by its certificate, on real sockets."""

import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import pytest
from tornado.httpclient import HTTPClientError
from tornado.httpserver import HTTPServer
from tornado.iostream import IOStream
from tornado.tcpserver import TCPServer
from tornado.web import Application, RequestHandler

from skiva.session.listen import listen
from skiva.session.tls import server_context
from skiva_spawners.certificate import Pair, verify
from skiva_spawners.errors import NotOurServer


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A port of this machine."""
    with listen("127.0.0.1", (24700, 24799)) as found:
        yield found


@asynccontextmanager
async def _server(listener: socket.socket, tls: ssl.SSLContext | None) -> AsyncIterator[str]:
    """A server of somebody's, in TLS or not; its base address."""
    server = HTTPServer(Application([("/user/u/", RequestHandler)]), ssl_options=tls)
    server.add_socket(listener)
    yield f"https://127.0.0.1:{listener.getsockname()[1]}/user/u/"
    server.stop()


async def test_the_holder_of_the_key_is_the_session(listener: socket.socket) -> None:
    """Any answer will do, if it comes by the session's certificate; silence proves nothing."""
    own = Pair.new()
    async with _server(listener, server_context(own.certificate, own.private_key)) as url:
        await verify(url, own.certificate, timeout=5)
        with pytest.raises(NotOurServer):
            await verify(url, Pair.new().certificate, timeout=5)
    with pytest.raises(ConnectionRefusedError):
        await verify(url, own.certificate, timeout=5)


class _Says(TCPServer):
    """Says one thing to everybody, and hangs up."""

    def __init__(self, listener: socket.socket, what: bytes) -> None:
        super().__init__()
        self._what = what
        self.add_socket(listener)

    async def handle_stream(self, stream: IOStream, address: object) -> None:  # noqa: ARG002
        if self._what:
            await stream.read_bytes(1, partial=True)
            await stream.write(self._what)
        stream.close()


async def test_a_stranger_on_the_port_is_not_the_session(listener: socket.socket) -> None:
    """Whoever has taken the port answers in vain: by a certificate for the same name, or without TLS."""
    stranger = Pair.new()
    async with _server(listener, server_context(stranger.certificate, stranger.private_key)) as url:
        with pytest.raises(NotOurServer):
            await verify(url, Pair.new().certificate, timeout=5)
    with listen("127.0.0.1", (24700, 24799)) as another:
        plain = _Says(another, b"HTTP/1.0 200 OK\r\n\r\nwelcome")
        with pytest.raises(NotOurServer):
            await verify(f"https://127.0.0.1:{another.getsockname()[1]}/", Pair.new().certificate, timeout=5)
        plain.stop()


async def test_who_hangs_up_has_proved_nothing(listener: socket.socket) -> None:
    """A server that is just ending is not taken for somebody else's."""
    server = _Says(listener, b"")
    with pytest.raises((OSError, HTTPClientError)):
        await verify(f"https://127.0.0.1:{listener.getsockname()[1]}/", Pair.new().certificate, timeout=5)
    server.stop()


def test_a_certificate_without_its_key_starts_no_server() -> None:
    """It is in the hub's database and in the proxy's routes, and helps nobody there."""
    with pytest.raises(ssl.SSLError, match="KEY_VALUES_MISMATCH"):
        server_context(Pair.new().certificate, Pair.new().private_key)


def test_no_two_sessions_have_one_key_and_none_is_shown() -> None:
    """A pair that is printed or logged shows its certificate alone."""
    pairs = [Pair.new() for _ in range(20)]
    assert len({pair.private_key for pair in pairs}) == len({pair.certificate for pair in pairs}) == 20
    assert not [pair for pair in pairs if "PRIVATE" in repr(pair)]
