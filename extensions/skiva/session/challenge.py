"""The server's half of the proof that it is the one that the hub started."""

import hashlib
import hmac
import re

from jupyter_server.auth.decorator import allow_unauthenticated
from jupyter_server.serverapp import ServerApp
from jupyter_server.utils import url_path_join
from tornado import web

_NONCE = re.compile(r"[0-9a-f]{32}")


class ChallengeHandler(web.RequestHandler):
    """`GET skiva/challenge?nonce=`: the nonce's HMAC under this session's key.

    It needs no login: it proves something to whoever asks, and tells nothing else.
    """

    def initialize(self, key: str) -> None:
        """Take the session's key, 32 bytes in hexadecimal."""
        self._key = bytes.fromhex(key)

    @allow_unauthenticated
    def get(self) -> None:
        """Answer the challenge."""
        nonce = self.get_query_argument("nonce", "")
        if not _NONCE.fullmatch(nonce):
            raise web.HTTPError(400, "nonce must be 32 hexadecimal digits")
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.set_header("Cache-Control", "no-store")
        self.finish(hmac.new(self._key, b"skiva-challenge:" + nonce.encode(), hashlib.sha256).hexdigest())


def add_to(server: ServerApp, key: str) -> None:
    """Let `server` answer challenges."""
    route = url_path_join(server.base_url, "skiva/challenge")
    server.web_app.add_handlers(".*$", [(route, ChallengeHandler, {"key": key})])
