"""The hub's way to the proxy: with less waiting for a new route, and to sessions by their certificates."""

import asyncio
from typing import Any

from jupyterhub_traefik_proxy.fileprovider import TraefikFileProviderProxy
from jupyterhub_traefik_proxy.traefik_utils import generate_alias

from skiva_spawners.certificate import NAME

_PAUSES = (0.005, 0.01, 0.02, 0.04, 0.08)
"""Seconds between the first looks."""


class FileProxy(TraefikFileProviderProxy):
    """Lets traefik talk to a session with the holder of its certificate's key alone, whoever has its port.

    It also sees sooner that traefik has taken up a route, which it mostly has within some milliseconds.
    """

    def _dynamic_config_for_route(
        self, routespec: str, target: str, data: dict[str, Any]
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        traefik, hub = super()._dynamic_config_for_route(routespec, target, data)
        if certificate := self._certificate(data):
            transport = generate_alias(routespec, "transport")
            traefik["http"]["serversTransports"] = {transport: {"serverName": NAME, "rootCAs": [certificate]}}
            for service in traefik["http"]["services"].values():
                service["loadBalancer"]["serversTransport"] = transport
        return traefik, hub

    def _certificate(self, data: dict[str, Any]) -> str:
        """Of the session that a route leads to; empty where it leads to none."""
        if "user" not in data:
            return ""
        session = self.app.users[data["user"]].spawners[data["server_name"]].session
        return session.record.certificate if session else ""

    def _keys_for_route(self, routespec: str) -> tuple[tuple[list[str], ...], tuple[list[str], ...]]:
        traefik, hub = super()._keys_for_route(routespec)
        transport = generate_alias(routespec, "transport")
        if transport in self.dynamic_config["http"].get("serversTransports", {}):
            traefik += (["http", "serversTransports", transport],)
        return traefik, hub

    def _persist_dynamic_config(self) -> None:
        # Traefik takes no empty table, and this one is not among those that its class leaves out.
        if not self.dynamic_config["http"].get("serversTransports", True):
            del self.dynamic_config["http"]["serversTransports"]
        super()._persist_dynamic_config()

    async def _wait_for_route(self, routespec: str) -> None:
        for pause in _PAUSES:
            await asyncio.sleep(pause)
            if await self._has(routespec):
                return
        await super()._wait_for_route(routespec)

    async def _has(self, routespec: str) -> bool:
        for kind in ("service", "router"):
            if not await self._check_for_traefik_service(routespec, kind):
                return False
        return True
