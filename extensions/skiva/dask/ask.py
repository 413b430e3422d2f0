"""Asks a cluster's scheduler, wherever it lives, over HTTPS on which both show the cluster's own key."""

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from skiva.dask.place import ClusterDir

__all__ = ["NoAnswer", "NotDone", "Way", "ask", "ask_by", "http_address", "tls_context", "way_to"]

_PATIENCE = 10.0


class NoAnswer(Exception):
    """The scheduler could not be reached, or is not there any more; the text says which."""


class NotDone(ValueError):
    """The cluster does not do what it was asked for; one sentence says why."""


def tls_context(place: ClusterDir) -> ssl.SSLContext:
    """What a client of this cluster connects with: it shows the cluster's key and trusts no other.

    Raises:
        NoAnswer: the keys are gone, as they are when a cluster has ended.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # The certificate is the cluster's own and names no host; nobody else has its key.
    context.check_hostname = False
    try:
        context.load_verify_locations(place.certificate)
        context.load_cert_chain(place.certificate, place.key)
    except OSError:
        raise NoAnswer("The cluster has ended: its keys are gone.") from None
    return context


def http_address(place: ClusterDir) -> str:
    """`https://host:port` of the scheduler's pages. Raises NoAnswer where it has not started yet."""
    address = (place.read(place.scheduler) or {}).get("http")
    if not isinstance(address, str) or not address.startswith("https://"):
        raise NoAnswer("The cluster's scheduler has not started yet.")
    return address


@dataclass(frozen=True, slots=True)
class Way:
    """How a cluster's scheduler is reached: what is on the disk of that, read once."""

    address: str
    """`https://host:port`"""
    tls: ssl.SSLContext


def way_to(place: ClusterDir) -> Way:
    """The way to a cluster's scheduler. Reads files. Raises NoAnswer where there is none yet, or any more."""
    return Way(http_address(place), tls_context(place))


async def ask(
    place: ClusterDir,
    method: str,
    path: str,
    body: Mapping[str, Any] | None = None,
    *,
    patience: float = _PATIENCE,
) -> dict[str, Any]:
    """The scheduler's answer to one request below `/skiva/`.

    Raises:
        NoAnswer: it cannot be reached.
        NotDone: it refuses; the sentence is for the person.
    """
    return await ask_by(way_to(place), method, path, body, patience=patience)


async def ask_by(
    way: Way, method: str, path: str, body: Mapping[str, Any] | None = None, *, patience: float = _PATIENCE
) -> dict[str, Any]:
    """The same by a way that is known; touches no disk. Raises NoAnswer and NotDone."""
    from tornado.httpclient import AsyncHTTPClient, HTTPClientError

    try:
        answer = await AsyncHTTPClient().fetch(
            f"{way.address}/skiva/{path}",
            method=method,
            body=None if body is None else json.dumps(body),
            headers={"Content-Type": "application/json"},
            ssl_options=way.tls,
            # Elsewhere nobody need have the cluster's key.
            follow_redirects=False,
            request_timeout=patience,
            connect_timeout=patience,
        )
        return dict(json.loads(answer.body))
    except HTTPClientError as refusal:
        raise _refused(refusal) from None
    except (OSError, TypeError, ValueError):
        raise NoAnswer("The cluster's scheduler does not answer.") from None


def _refused(refusal: Any) -> Exception:
    try:
        sentence = json.loads(refusal.response.body)["message"]
    except (AttributeError, KeyError, TypeError, ValueError):
        return NoAnswer(f"The cluster's scheduler does not answer ({refusal.code}).")
    return NotDone(str(sentence))
