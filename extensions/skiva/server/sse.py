"""Server-sent events over one HTTP connection, with tornado alone: it is already loaded in every server."""

import asyncio
import ssl
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping
from urllib.parse import urlsplit

from tornado.http1connection import HTTP1Connection, HTTP1ConnectionParameters
from tornado.httputil import (
    HTTPHeaders,
    HTTPInputError,
    HTTPMessageDelegate,
    RequestStartLine,
    ResponseStartLine,
)
from tornado.iostream import IOStream, StreamClosedError
from tornado.tcpclient import TCPClient

_LONGEST_LINE = 4 * 1024 * 1024
_CONNECT = 10.0


class StreamBrokenError(Exception):
    """The stream could not be opened, was refused, or ended; the text says which."""


class EventText:
    """Takes a stream's bytes as they arrive and gives the data of each whole event."""

    def __init__(self, comment: Callable[[str], None] | None = None) -> None:
        self._rest = b""
        self._data: list[str] = []
        self._comment = comment

    def feed(self, chunk: bytes) -> Iterator[str]:
        """The data of every event that ends within `chunk`. An endless line raises StreamBrokenError."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        if len(self._rest) > _LONGEST_LINE:
            raise StreamBrokenError("it sent a line without an end")
        for line in lines:
            text = line.removesuffix(b"\r").decode("utf-8", "replace")
            if text.startswith("data:"):
                self._data.append(text[5:].removeprefix(" "))
            elif not text and self._data:
                whole, self._data = "\n".join(self._data), []
                yield whole
            elif text.startswith(":") and self._comment:
                self._comment(text[1:].strip())


class _Incoming(HTTPMessageDelegate):
    """Puts what arrives into a queue; an exception in it is the end."""

    def __init__(self) -> None:
        self.arrived: asyncio.Queue[bytes | StreamBrokenError] = asyncio.Queue()

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> None:
        code = start_line.code if isinstance(start_line, ResponseStartLine) else 0
        kind = headers.get("Content-Type", "")
        if code != 200 or not kind.startswith("text/event-stream"):
            self.arrived.put_nowait(StreamBrokenError(f"it answered {code} {kind}"))

    def data_received(self, chunk: bytes) -> None:
        self.arrived.put_nowait(chunk)

    def finish(self) -> None:
        self.arrived.put_nowait(StreamBrokenError("it ended"))

    def on_connection_close(self) -> None:
        self.arrived.put_nowait(StreamBrokenError("the connection was closed"))


async def events(
    url: str,
    headers: Mapping[str, str],
    tls: ssl.SSLContext | None,
    *,
    silence: float,
    comment: Callable[[str], None] | None = None,
) -> AsyncGenerator[str, None]:
    """The data of each event of the stream at `url`, until it ends; `comment` takes what is no event.

    Raises StreamBrokenError when it ends, is refused, or sends nothing for `silence` seconds.
    The connection is closed in every case, also when the reader stops reading.
    """
    connection = await _connect(url, tls)
    incoming, text = _Incoming(), EventText(comment)
    try:
        reply = asyncio.ensure_future(_ask(connection, url, headers, incoming))
        try:
            while True:
                chunk = await asyncio.wait_for(incoming.arrived.get(), silence)
                if isinstance(chunk, StreamBrokenError):
                    raise chunk
                for data in text.feed(chunk):
                    yield data
        finally:
            reply.cancel()
    except TimeoutError as error:
        raise StreamBrokenError(f"it sent nothing for {silence:.0f} s") from error
    finally:
        connection.close()


async def _connect(url: str, tls: ssl.SSLContext | None) -> IOStream:
    parts = urlsplit(url)
    secure = parts.scheme == "https"
    if not parts.hostname:
        raise StreamBrokenError(f"{url!r} names no host")
    client = TCPClient()
    try:
        return await client.connect(
            parts.hostname,
            parts.port or (443 if secure else 80),
            ssl_options=tls if secure else None,
            timeout=_CONNECT,
        )
    except (OSError, StreamClosedError, TimeoutError) as error:
        raise StreamBrokenError(f"no connection: {error}") from error
    finally:
        client.close()


async def _ask(stream: IOStream, url: str, headers: Mapping[str, str], incoming: _Incoming) -> None:
    parts = urlsplit(url)
    options = HTTP1ConnectionParameters(no_keep_alive=True, max_body_size=1 << 50)
    connection = HTTP1Connection(stream, True, options)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    host = parts.netloc.rpartition("@")[2]
    all_headers = HTTPHeaders({"Host": host, "Accept": "text/event-stream", **headers})
    try:
        await connection.write_headers(RequestStartLine("GET", path, "HTTP/1.1"), all_headers)
        connection.finish()
        await connection.read_response(incoming)
    except (StreamClosedError, HTTPInputError, OSError):
        incoming.on_connection_close()
