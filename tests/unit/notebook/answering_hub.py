"""A hub that answers as a test tells it, and remembers what it was asked."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

__all__ = ["AnsweringHub"]


class AnsweringHub(ThreadingHTTPServer):
    """Listens on loopback from the beginning of its `with` block to the end."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Asked)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.answer: tuple[int, Any] = (200, {})
        """A status, and bytes or what becomes JSON."""
        self.location = ""
        """Where its answers lead; nowhere by default."""
        self.asked: list[tuple[str, str | None, bytes]] = []
        """Path, authorization and body of each request."""
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class _Asked(BaseHTTPRequestHandler):
    server: AnsweringHub

    def do_GET(self) -> None:
        """Take one question."""
        self._take()

    def do_POST(self) -> None:
        """Take one question with a body."""
        self._take()

    def _take(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.asked.append((self.path, self.headers["Authorization"], body))
        status, answer = self.server.answer
        content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        if self.server.location:
            self.send_header("Location", self.server.location)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Say nothing."""
