"""The pages of a cluster's dashboard, asked for by way of a Jupyter server."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from tests.support.runs_lab import TOKEN, Lab
from tornado.httpclient import AsyncHTTPClient, HTTPRequest, HTTPResponse
from tornado.websocket import WebSocketClientConnection, websocket_connect

from skiva.dask.place import ClusterDir

__all__ = ["OWNER", "address_of", "get", "socket"]

OWNER = {"Authorization": f"token {TOKEN}"}


def address_of(lab: Lab, place: ClusterDir, page: str) -> str:
    """Where a page is."""
    return f"{lab.url}skiva/clusters/{place.id}/dashboard/{page}"


async def get(
    lab: Lab, place: ClusterDir, page: str, headers: Mapping[str, str] = OWNER, method: str = "GET"
) -> HTTPResponse:
    """One page, unchanged by the client."""
    request = HTTPRequest(
        address_of(lab, place, page),
        method=method,
        headers=dict(headers),
        follow_redirects=False,
        body=b"" if method in {"POST", "PUT", "PATCH"} else None,
    )
    return await AsyncHTTPClient(force_instance=True).fetch(request, raise_error=False)


@asynccontextmanager
async def socket(
    lab: Lab, place: ClusterDir, page: str = "status/ws", headers: Mapping[str, str] = OWNER, **options: Any
) -> AsyncIterator[WebSocketClientConnection]:
    """A page's websocket."""
    address = address_of(lab, place, page).replace("http:", "ws:", 1)
    opened = await websocket_connect(HTTPRequest(address, headers=dict(headers)), **options)
    try:
        yield opened
    finally:
        opened.close()
