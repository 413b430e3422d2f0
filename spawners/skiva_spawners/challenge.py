"""Proves that the server at an address is the one that the hub started.

The hub sends a fresh random nonce, the server answers with its HMAC under a key that only
the hub and the owner's private file hold. The server's half is `skiva.session.challenge`.
"""

import hashlib
import hmac
import secrets

from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest

from skiva_spawners.errors import NotOurServer


def expected(key: str, nonce: str) -> str:
    """What the right server answers: HMAC-SHA256 in hexadecimal."""
    return hmac.new(bytes.fromhex(key), b"skiva-challenge:" + nonce.encode(), hashlib.sha256).hexdigest()


async def verify(url: str, key: str, timeout: float) -> None:
    """Challenge the server at `url` (its base address, with a slash at the end).

    Raises:
        NotOurServer: something answered, but not with the right proof.
        OSError, TimeoutError, HTTPClientError: nothing answered, which proves nothing.
    """
    nonce = secrets.token_hex(16)
    request = HTTPRequest(
        f"{url}skiva/challenge?nonce={nonce}",
        request_timeout=timeout,
        connect_timeout=timeout,
        follow_redirects=False,
    )
    client = AsyncHTTPClient(force_instance=True, max_body_size=4096)
    try:
        answer = (await client.fetch(request)).body.decode(errors="replace")
    except HTTPClientError as error:
        if error.code == 599:
            raise
        answer = ""
    finally:
        client.close()
    if not hmac.compare_digest(answer, expected(key, nonce)):
        raise NotOurServer("Something else answers where your session should be, so it was not opened.")
