"""A provider of identities on loopback: OpenID Connect's code flow with PKCE, as far as a hub uses it."""

import base64
import hashlib
import json
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

__all__ = ["IdentityProvider", "identity_provider"]


@dataclass
class IdentityProvider:
    """It knows one client, and refuses whatever a strict provider would.

    Attributes:
        url: below which `/auth`, `/token` and `/userinfo` are.
        claims: of whoever is signed in there.
    """

    url: str
    client: str
    secret: str
    redirect: str
    claims: dict[str, Any] = field(default_factory=dict)
    _codes: dict[str, tuple[str, dict[str, Any]]] = field(default_factory=dict)
    _tokens: dict[str, dict[str, Any]] = field(default_factory=dict)

    def code_for(self, asked: dict[str, str]) -> str:
        """The code for a hub that asks who somebody is."""
        wanted = {"client_id": self.client, "redirect_uri": self.redirect, "response_type": "code"}
        assert wanted.items() <= asked.items(), asked
        assert asked["code_challenge_method"] == "S256"
        assert {"openid", "profile"} <= set(asked["scope"].split())
        code = secrets.token_urlsafe()
        self._codes[code] = (asked["code_challenge"], self.claims)
        return code

    def token_for(self, asked: dict[str, str]) -> str:
        """The token for a code, once, and for who has asked for the code."""
        wanted = {"client_id": self.client, "client_secret": self.secret, "redirect_uri": self.redirect}
        assert wanted.items() <= asked.items(), asked
        challenge, told = self._codes.pop(asked["code"])
        digest = hashlib.sha256(asked["code_verifier"].encode()).digest()
        assert base64.urlsafe_b64encode(digest).decode().rstrip("=") == challenge
        token = secrets.token_urlsafe()
        self._tokens[token] = told
        return token

    def told_to(self, authorization: str) -> dict[str, Any]:
        """The claims behind a token."""
        return self._tokens[authorization.removeprefix("Bearer ")]


@contextmanager
def identity_provider(port: int, client: str, secret: str, redirect: str) -> Iterator[IdentityProvider]:
    """Serve a provider that sends people back to `redirect` alone."""
    provider = IdentityProvider(f"http://127.0.0.1:{port}", client, secret, redirect)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            query = dict(parse_qsl(asked.query))
            if asked.path == "/auth":
                back = urlencode({"code": provider.code_for(query), "state": query["state"]})
                self.send_response(HTTPStatus.FOUND)
                self.send_header("Location", f"{provider.redirect}?{back}")
                self.end_headers()
            elif asked.path == "/userinfo":
                self._tell(provider.told_to(self.headers["Authorization"]))

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"])).decode()
            if self.path == "/token":
                self._tell(
                    {"access_token": provider.token_for(dict(parse_qsl(body))), "token_type": "Bearer"}
                )

        def log_message(self, *_: object) -> None:
            """Say nothing: the test tells what went wrong."""

        def _tell(self, answer: dict[str, Any]) -> None:
            text = json.dumps(answer).encode()
            self.send_response(HTTPStatus.OK)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield provider
        finally:
            server.shutdown()
