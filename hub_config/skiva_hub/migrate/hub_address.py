"""How nodes reached the old hub, as the site file's table `[hub]`. Pure."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from skiva_hub.migrate.notes import Notes
from skiva_hub.migrate.settings import Configuration
from skiva_hub.site_types import HELPER

_THIS_MACHINE = {"127.0.0.1", "localhost", "::1"}
_NO_MACHINE = {"", "0.0.0.0", "::", "*", "none"}  # noqa: S104 - the ones that name no machine
_BY_WEB_SERVER = (
    "Skiva's hub listens on 127.0.0.1:8081 alone, so better write the address of the web server that forwards"
    " to it, https://NAME/hub/api"
)


def hub_table(config: Configuration, *, exec_prefix: object, notes: Notes) -> dict[str, Any]:
    """The fields of `[hub]`; what is doubtful about them is noted."""
    table = _address(config, notes)
    if exec_prefix == "":
        notes.add(
            "exec_prefix is empty, so hub.helper was left out: only the hub's own account is served then."
        )
        return table
    notes.add("hub.helper is what acts as a user: install skiva-act and its sudoers line as the manual says.")
    return {**table, "helper": HELPER}


def _address(config: Configuration, notes: Notes) -> dict[str, Any]:
    base = _plain_path(
        f"/{str(config.get('JupyterHub.base_url') or '').strip('/')}/hub/api".replace("//", "/")
    )
    for url, origins in _candidates(config):
        config.read(*origins)
        found = _origin(url)
        if found is None:
            notes.add(f"{' and '.join(origins)} names no machine, so nodes cannot reach the hub by it.")
            continue
        return _told({"api_url": found + base}, origins, notes)
    notes.add("No address was found by which nodes reach the hub: write it as hub.api_url.")
    return {"api_url": f"https://hub.example.org{base}"}


def _told(table: dict[str, Any], origins: tuple[str, ...], notes: Notes) -> dict[str, Any]:
    said = f"hub.api_url is from {' and '.join(origins)}"
    parts = urlsplit(table["api_url"])
    if parts.hostname in _THIS_MACHINE:
        notes.add(f"{said}, which each node takes for itself: right only where this machine is the one node.")
        return table
    notes.add(f"{said}: nodes must reach Skiva's hub by it. {_BY_WEB_SERVER}.")
    if parts.scheme == "https":
        return table
    notes.add("Nodes reach the hub by plain http: better give it a certificate and write https.")
    return {**table, "plain_http": True}


def _candidates(config: Configuration) -> Iterator[tuple[str, tuple[str, ...]]]:
    """The addresses that the configuration has for nodes, the surest first, and what they are made from."""
    for origin in ("JupyterHub.hub_connect_url", "Spawner.hub_connect_url"):
        if url := config.get(origin):
            yield str(url), (origin,)
    scheme = "https" if config.get("JupyterHub.internal_ssl") else "http"
    port = config.get("JupyterHub.hub_port")
    with_port = ("JupyterHub.hub_port",) if port else ()
    for origin in ("JupyterHub.hub_connect_ip", "JupyterHub.hub_ip"):
        if host := str(config.get(origin) or ""):
            shown = f"[{host}]" if ":" in host else host
            yield f"{scheme}://{shown}:{port or 8081}", (origin, *with_port)
    if url := config.get("JupyterHub.hub_bind_url"):
        yield str(url), ("JupyterHub.hub_bind_url",)


def _origin(url: str) -> str | None:
    """Scheme, machine and port of an address; None where it has no machine that others could reach."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or port == 0 or host.lower() in _NO_MACHINE:
        return None
    if not re.fullmatch(r"[A-Za-z0-9.:_-]+", host):
        return None
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}" + ("" if port is None else f":{port}")


def _plain_path(path: str) -> str:
    return path if re.fullmatch(r"[A-Za-z0-9/._~%+@-]+", path) else "/hub/api"
