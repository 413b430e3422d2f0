"""How a notebook server knows its hub: from JupyterHub's own settings, else from its start's variables."""

import ssl
from io import BytesIO
from types import SimpleNamespace
from typing import Any

import pytest
from tornado.httpclient import HTTPRequest, HTTPResponse

from skiva.server import hub as hub_module
from skiva.server.hub import Hub, HubRefusedError

_ENVIRON = {
    "JUPYTERHUB_API_URL": "http://hub/api/",
    "JUPYTERHUB_API_TOKEN": "of-the-environment",
    "SKIVA_STREAM_URL": "http://hub/stream",
    "JUPYTERHUB_SSL_KEYFILE": "/key",
    "JUPYTERHUB_SSL_CERTFILE": "/cert",
    "JUPYTERHUB_SSL_CLIENT_CA": "/ca",
}


def _app(**known: str) -> Any:
    return SimpleNamespace(identity_provider=SimpleNamespace(hub_auth=SimpleNamespace(**known)))


_PLAIN: Any = SimpleNamespace(identity_provider=SimpleNamespace())


def test_the_variables_of_its_start_tell_the_hub() -> None:
    """Where the server is no single-user server of JupyterHub's own."""
    known = Hub.of(_PLAIN, _ENVIRON)
    assert known == Hub("http://hub/api", "of-the-environment", "http://hub/stream", "/key", "/cert", "/ca")
    assert "of-the-environment" not in repr(known), "no log has the token"


def test_jupyterhubs_own_settings_go_first() -> None:
    """Each of them where it is set; the rest is still in the variables."""
    own = {
        "api_url": "https://own/api",
        "api_token": "own",
        "keyfile": "/k",
        "certfile": "",
        "client_ca": "/c",
    }
    assert Hub.of(_app(**own), _ENVIRON) == Hub(
        "https://own/api", "own", "http://hub/stream", "/k", "/cert", "/c"
    )


@pytest.mark.parametrize("missing", ["JUPYTERHUB_API_URL", "JUPYTERHUB_API_TOKEN"])
def test_without_an_address_or_a_token_there_is_no_hub(missing: str) -> None:
    """A plain Jupyter server asks nobody; without a stream it has a hub all the same."""
    assert Hub.of(_PLAIN, {name: value for name, value in _ENVIRON.items() if name != missing}) is None
    assert Hub.of(_PLAIN, {}) is None
    no_stream = {name: value for name, value in _ENVIRON.items() if name != "SKIVA_STREAM_URL"}
    assert (known := Hub.of(_PLAIN, no_stream)) is not None
    assert known.stream_url == ""


@pytest.mark.parametrize(
    ("files", "asked"),
    [
        ({}, [("ca", None)]),
        ({"cafile": "/ca"}, [("ca", "/ca")]),
        ({"keyfile": "/k", "certfile": "/c", "cafile": "/ca"}, [("ca", "/ca"), ("own", "/c", "/k")]),
        ({"keyfile": "/k"}, [("ca", None)]),
        ({"certfile": "/c"}, [("ca", None)]),
    ],
)
def test_the_hubs_certificate_is_checked_and_the_servers_own_shown(
    monkeypatch: pytest.MonkeyPatch, files: dict[str, str], asked: list[tuple[str | None, ...]]
) -> None:
    """By the authority that the hub told; its own where it has both a certificate and a key."""
    done: list[tuple[str | None, ...]] = []
    context: Any = SimpleNamespace(load_cert_chain=lambda cert, key: done.append(("own", cert, key)))

    def create(*, cafile: str | None) -> Any:
        done.append(("ca", cafile))
        return context

    monkeypatch.setattr(ssl, "create_default_context", create)
    assert Hub("https://hub", "t", **files).tls() is context
    assert done == asked


@pytest.mark.parametrize("url", ["http://hub/api", "https://hub/api"])
async def test_an_extension_is_one_post_with_the_token(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """Encrypted where the hub is; it is not waited for without end, and nobody is followed elsewhere."""
    asked: list[HTTPRequest] = []

    class Client:
        """Answers as the hub."""

        async def fetch(self, request: HTTPRequest) -> Any:
            """Note the request."""
            asked.append(request)
            return SimpleNamespace(body=b'{"ends": 7200}')

    monkeypatch.setattr(hub_module, "AsyncHTTPClient", Client)
    monkeypatch.setattr(Hub, "tls", lambda _: "how the hub is checked")
    assert await Hub(url, "t").extend() == 7200.0
    [request] = asked
    tls: Any = request.ssl_options
    assert (request.url, request.method, request.body) == (f"{url}/skiva/extend", "POST", b"{}")
    assert request.headers["Authorization"] == "token t"
    assert request.headers["Content-Type"] == "application/json"
    assert (request.follow_redirects, request.request_timeout) == (False, 30)
    assert tls == ("how the hub is checked" if url.startswith("https") else None)


@pytest.mark.parametrize("body", [b"", b"7", b"[]", b"{}", b'{"ends": null}', b'{"ends": "soon"}'])
async def test_an_answer_that_tells_no_end_is_none(monkeypatch: pytest.MonkeyPatch, body: bytes) -> None:
    """The session's end stays as it was known."""

    class Client:
        """Answers what no hub says."""

        async def fetch(self, request: HTTPRequest) -> Any:
            """200, with this body."""
            return HTTPResponse(request, 200, buffer=BytesIO(body))

    monkeypatch.setattr(hub_module, "AsyncHTTPClient", Client)
    with pytest.raises(HubRefusedError, match=r"^The hub did not answer"):
        await Hub("http://hub", "t").extend()
