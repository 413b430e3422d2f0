"""What a notebook server asks of its hub: the address, the token, one more hour."""

import json
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest, HTTPResponse

_UNANSWERED = "The hub did not answer, so the session was not extended. Try again in a minute."


class HubRefusedError(Exception):
    """The hub did not extend the session; the text is one sentence for the user."""


@dataclass(frozen=True, slots=True)
class Hub:
    """The hub that started this server."""

    api_url: str
    token: str = field(repr=False)
    stream_url: str = ""
    keyfile: str = ""
    certfile: str = ""
    cafile: str = ""

    @classmethod
    def of(cls, serverapp: Any, environ: Mapping[str, str] = os.environ) -> Self | None:
        """The hub of a single-user server, or None for a server that no hub started."""
        auth = getattr(serverapp.identity_provider, "hub_auth", None)

        def told(name: str, variable: str) -> str:
            return getattr(auth, name, "") or environ.get(variable, "")

        api_url = told("api_url", "JUPYTERHUB_API_URL").rstrip("/")
        token = told("api_token", "JUPYTERHUB_API_TOKEN")
        if not api_url or not token:
            return None
        return cls(
            api_url,
            token,
            environ.get("SKIVA_STREAM_URL", ""),
            told("keyfile", "JUPYTERHUB_SSL_KEYFILE"),
            told("certfile", "JUPYTERHUB_SSL_CERTFILE"),
            told("client_ca", "JUPYTERHUB_SSL_CLIENT_CA"),
        )

    @property
    def authorization(self) -> dict[str, str]:
        """The header that says which server asks."""
        return {"Authorization": f"token {self.token}"}

    def tls(self) -> ssl.SSLContext:
        """How to check the hub's certificate, and to show this server's where the hub gave it one."""
        context = ssl.create_default_context(cafile=self.cafile or None)
        if self.keyfile and self.certfile:
            context.load_cert_chain(self.certfile, self.keyfile)
        return context

    async def extend(self) -> float:
        """Ask for a later end of this session and return it, in seconds since 1970.

        Raises HubRefusedError with the hub's sentence, or with ours where it did not answer.
        """
        url = f"{self.api_url}/skiva/extend"
        request = HTTPRequest(
            url,
            method="POST",
            headers={**self.authorization, "Content-Type": "application/json"},
            body="{}",
            follow_redirects=False,
            request_timeout=30,
            ssl_options=self.tls() if url.startswith("https:") else None,
        )
        try:
            answer = await AsyncHTTPClient().fetch(request)
            return float(json.loads(answer.body)["ends"])
        except HTTPClientError as error:
            raise HubRefusedError(refusal(error.response)) from error
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise HubRefusedError(_UNANSWERED) from error


def refusal(response: HTTPResponse | None) -> str:
    """The sentence in a hub's error answer, else one of ours."""
    if response is None:
        return _UNANSWERED
    try:
        message = json.loads(response.body)["message"]
    except (ValueError, KeyError, TypeError):
        message = ""
    if isinstance(message, str) and message.strip():
        return message.strip()[:500]
    if response.code >= 500:
        return _UNANSWERED
    return f"The hub refused to extend the session (HTTP {response.code}). Ask the operator why."
