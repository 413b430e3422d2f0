"""The proxy's routes to sessions: each with the certificate of the session that it leads to."""

import tomllib
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jupyterhub_traefik_proxy.traefik_utils import TraefikConfigFileHandler

from skiva_hub.routes import FileProxy


@pytest.fixture
def routes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file that traefik watches."""

    async def nothing(*_: Any) -> None:
        """Traefik itself is not here."""

    monkeypatch.setattr(FileProxy, "_start_external", nothing)
    monkeypatch.setattr(FileProxy, "_wait_for_route", nothing)
    return tmp_path / "routes.toml"


def _proxy(routes: Path, **certificates: str) -> FileProxy:
    """As the hub has it, with a session for each person."""
    users = {
        user: SimpleNamespace(
            spawners={"": SimpleNamespace(session=SimpleNamespace(record=SimpleNamespace(certificate=one)))}
        )
        for user, one in certificates.items()
    }
    users["nobody"] = SimpleNamespace(spawners={"": SimpleNamespace(session=None)})
    proxy = FileProxy(should_start=False, app=SimpleNamespace(users=users))
    proxy.dynamic_config_file = str(routes)
    proxy.dynamic_config_handler = TraefikConfigFileHandler(str(routes))
    return proxy


def _http(routes: Path) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads(routes.read_text())["http"]
    return found


async def test_each_session_is_reached_by_its_own_certificate(routes: Path) -> None:
    """Two people's routes trust one certificate each; the hub's own needs none."""
    proxy = _proxy(routes, ann="ann's\npem", bob="bob's\npem")
    await proxy.add_route("/", "http://127.0.0.1:1", {"hub": True})
    for user in ("ann", "bob"):
        await proxy.add_route(f"/user/{user}/", "https://n1:2", {"user": user, "server_name": ""})
    http = _http(routes)
    hub = http["services"]["service__2F"]["loadBalancer"]
    assert hub["servers"] == [{"url": "http://127.0.0.1:1"}]
    assert "serversTransport" not in hub
    for user in ("ann", "bob"):
        transport = http["services"][f"service__2Fuser_2F{user}_2F"]["loadBalancer"]["serversTransport"]
        assert http["serversTransports"][transport] == {
            "serverName": "skiva-session",
            "rootCAs": [f"{user}'s\npem"],
        }


async def test_a_route_that_goes_takes_its_certificate_along(routes: Path) -> None:
    """Also the last one, after which traefik must not be given an empty table, which it refuses whole."""
    proxy = _proxy(routes, ann="a", bob="b")
    await proxy.add_route("/", "http://127.0.0.1:1", {"hub": True})
    for user in ("ann", "bob"):
        await proxy.add_route(f"/user/{user}/", "https://n1:2", {"user": user, "server_name": ""})
    await proxy.delete_route("/user/ann/")
    left = _http(routes)["serversTransports"]
    assert [one["rootCAs"] for one in left.values()] == [["b"]]
    await proxy.delete_route("/user/bob/")
    assert "serversTransports" not in _http(routes)
    await proxy.add_route("/user/ann/", "https://n1:3", {"user": "ann", "server_name": ""})
    assert len(_http(routes)["serversTransports"]) == 1


async def test_the_next_session_of_an_address_has_its_own_certificate(routes: Path) -> None:
    """A route that is written over trusts nobody of before."""
    proxy = _proxy(routes, ann="first")
    for certificate in ("first", "second"):
        proxy.app.users["ann"].spawners[""].session.record.certificate = certificate
        await proxy.add_route("/user/ann/", "https://n1:2", {"user": "ann", "server_name": ""})
    transports = _http(routes)["serversTransports"]
    assert [one["rootCAs"] for one in transports.values()] == [["second"]]


async def test_a_route_without_a_session_trusts_nobody(routes: Path) -> None:
    """It stays https, for which traefik wants an authority of this machine: no session has one."""
    proxy = _proxy(routes)
    await proxy.add_route("/user/nobody/", "https://n1:2", {"user": "nobody", "server_name": ""})
    http = _http(routes)
    assert "serversTransports" not in http
