"""A cluster's scheduler in this process: who gets in with which key, and what it answers."""

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from distributed import Client
from distributed.security import Security
from tests.support.clusters_on_disk import lay_cluster

from skiva.dask.ask import NoAnswer, NotDone, ask, tls_context
from skiva.dask.ending import forget_keys
from skiva.dask.place import ClusterDir
from skiva.dask.scheduler import SliceScheduler
from skiva.dask.security import load
from skiva.runs.files import write_json
from skiva.runs.wish import BadWish

_HOST = "127.0.0.1"


def _scale(body: Mapping[str, Any]) -> dict[str, Any]:
    if not isinstance(body.get("workers"), int):
        raise BadWish("workers: must be a whole number from 0")
    return {"wanted": body["workers"]}


async def _later(body: Mapping[str, Any]) -> dict[str, Any]:
    await asyncio.sleep(0)
    return {"later": dict(body)}


_ANSWERS = {
    ("GET", "status"): lambda _: {"state": "running"},
    ("POST", "scale"): _scale,
    ("POST", "later"): _later,
}


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[ClusterDir]:
    """A cluster whose scheduler listens."""
    made = lay_cluster(tmp_path / "clusters")
    options = {"host": _HOST, "dashboard_address": f"{_HOST}:0", "dashboard": False, "port": 0}
    async with SliceScheduler(
        place=made, answers=_ANSWERS, security=load(made), protocol="tls://", **options
    ) as scheduler:
        port = scheduler.http_server.port
        write_json(made.scheduler, {"address": scheduler.address, "http": f"https://{_HOST}:{port}"})
        yield made


def _told(place: ClusterDir) -> dict[str, str]:
    told: dict[str, str] = json.loads(place.scheduler.read_text())
    return told


def _ports(place: ClusterDir) -> list[int]:
    return [int(address.rpartition(":")[2]) for address in _told(place).values()]


async def test_the_owner_is_answered(place: ClusterDir) -> None:
    """With the cluster's own key: what only tells, what changes something, what takes its time."""
    assert await ask(place, "GET", "status") == {"state": "running"}
    assert await ask(place, "POST", "scale", {"workers": 3}) == {"wanted": 3}
    assert await ask(place, "POST", "later", {"a": 1}) == {"later": {"a": 1}}


@pytest.mark.parametrize(
    ("method", "path", "body", "words"),
    [
        ("POST", "scale", {"workers": "many"}, "^workers: must be a whole number"),
        ("POST", "status", {}, "^status: there is no such request"),
        ("GET", "scale", None, "^scale: there is no such request"),
        ("POST", "scale", {"workers": 1, "x": "y" * 20_000}, "^body: is too long"),
    ],
)
async def test_what_cannot_be_is_refused_in_words(
    place: ClusterDir, method: str, path: str, body: dict[str, Any] | None, words: str
) -> None:
    """A wrong value, another method, a body without end: one sentence that names the field."""
    with pytest.raises(NotDone, match=words):
        await ask(place, method, path, body)


async def _post(place: ClusterDir, body: bytes) -> bytes:
    port = _told(place)["http"].rpartition(":")[2]
    reader, writer = await asyncio.open_connection(_HOST, int(port), ssl=tls_context(place))
    head = f"POST /skiva/scale HTTP/1.0\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    answer = await reader.read()
    writer.close()
    return answer


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b"null", b'"x"'])
async def test_a_body_that_is_no_object_is_refused_in_words(place: ClusterDir, body: bytes) -> None:
    """Half an object, a list, no text: 400 with a sentence, and no traceback."""
    answer = await _post(place, body)
    assert answer.split(b" ", 2)[1] == b"400"
    assert b'"message": "body: must be' in answer
    assert b"Traceback" not in answer


def _strange() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


async def _hears(port: int, context: ssl.SSLContext | None) -> bytes:
    """What whoever connects so gets for a request."""
    try:
        reader, writer = await asyncio.open_connection(_HOST, port, ssl=context)
        writer.write(b"GET /skiva/status HTTP/1.0\r\nHost: x\r\n\r\n")
        await writer.drain()
        answer = await asyncio.wait_for(reader.read(), 5)
        writer.close()
    except OSError:
        return b""
    return answer


@pytest.mark.parametrize("how", ["plain", "no key", "another key"])
async def test_without_the_clusters_key_nothing_is_said(place: ClusterDir, tmp_path: Path, how: str) -> None:
    """Plain HTTP, TLS without a certificate, with another cluster's: not one byte of an answer."""
    context: ssl.SSLContext | None = None if how == "plain" else _strange()
    if how == "another key":
        context = tls_context(lay_cluster(tmp_path / "other", 2))
        context.verify_mode = ssl.CERT_NONE
    web = int(_told(place)["http"].rpartition(":")[2])
    assert b'"running"' in await _hears(web, tls_context(place)), "with the key it is said"
    for port in _ports(place):
        answer = await _hears(port, context)
        assert b"HTTP" not in answer
        assert b"running" not in answer


async def test_dask_itself_lets_nobody_in_without_the_key(place: ClusterDir) -> None:
    """Neither in clear text nor with a key of one's own; with the cluster's it does."""
    address = _told(place)["address"]
    assert address.startswith("tls://")
    async with Client(address, security=load(place), asynchronous=True) as client:
        assert (await client.scheduler.identity())["address"] == address
    for where, security in (
        (address, Security.temporary()),
        (address.replace("tls", "tcp"), None),
        (address.replace("tls", "tcp"), load(place)),
    ):
        refused = Client(where, security=security, asynchronous=True, timeout=2)
        with pytest.raises((OSError, RuntimeError)):
            await refused
        await refused.close()


async def test_without_its_keys_nobody_asks_a_cluster(place: ClusterDir) -> None:
    """They go when it ends; that is told in words, as is a scheduler that does not listen."""
    with socket.socket() as free:
        free.bind((_HOST, 0))
        write_json(place.scheduler, {"http": f"https://{_HOST}:{free.getsockname()[1]}"})
        with pytest.raises(NoAnswer, match="does not answer"):
            await ask(place, "GET", "status", patience=2)
    forget_keys(place)
    with pytest.raises(NoAnswer, match="keys are gone"):
        await ask(place, "GET", "status")
