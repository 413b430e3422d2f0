"""Tells the hub where this session listens and what it proved; patient, because hubs restart."""

import json
import random
import time
import urllib.error
import urllib.request
from contextlib import suppress
from typing import Any

_OBSOLETE = {400, 401, 403, 404, 409, 410}
_FORBIDDEN_PATIENCE = 60.0
"""Seconds for which a 403 is no last word: so answers a hub whose database is away for a moment, too."""

_LAST_WORD = 2.0
"""Seconds that an end may wait for the hub."""


class Obsolete(Exception):
    """The hub does not want this session (any more); its text is the hub's reason."""


class Unheard(Exception):
    """The hub did not answer until the deadline."""


def report(api_url: str, token: str, body: dict[str, object], patience: float) -> None:
    """Send the report until the hub has heard it, for at most `patience` seconds.

    Raises:
        Obsolete: the hub refused it.
        Unheard: nobody answered.
    """
    deadline = time.monotonic() + patience
    wait = 0.2
    forbidden_since: float | None = None
    while True:
        try:
            _post(f"{api_url}/skiva/report", token, body)
            return
        except urllib.error.HTTPError as answer:
            with answer:
                problem = _sentence(answer)
            now = time.monotonic()
            forbidden_since = (forbidden_since or now) if answer.code == 403 else None
            may_pass = forbidden_since is not None and now - forbidden_since < _FORBIDDEN_PATIENCE
            if answer.code in _OBSOLETE and not may_pass:
                raise Obsolete(problem) from None
        except OSError as error:
            problem = str(getattr(error, "reason", error))
        if time.monotonic() + wait > deadline:
            raise Unheard(f"the hub at {api_url} did not take the report for {patience:g} s: {problem}")
        time.sleep(wait * random.uniform(0.7, 1.3))  # noqa: S311 - spreads knocks, guards nothing
        wait = min(wait * 1.7, 8.0)


def tell_end(api_url: str, token: str) -> None:
    """Tell the hub that this session ends; it notices anyway, but later."""
    with suppress(OSError):
        _post(f"{api_url}/skiva/leaving", token, {}, timeout=_LAST_WORD)


class _Nowhere(urllib.request.HTTPRedirectHandler):
    """Follows no answer that leads elsewhere: whoever is there would get the token, and could say yes."""

    def redirect_request(self, *_: Any) -> None:
        """None: the answer is an error as it is."""


def _post(url: str, token: str, body: dict[str, object], *, timeout: float = 15.0) -> None:
    request = urllib.request.Request(  # noqa: S310 - the address is in the private file
        url,
        data=json.dumps(body).encode(),
        headers={"Authorization": f"token {token}", "Content-Type": "application/json"},
        method="POST",
    )
    # Proxies of the environment are for the internet, not for the hub of this cluster.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _Nowhere)
    with opener.open(request, timeout=timeout) as answer:
        answer.read(4096)


def _sentence(answer: urllib.error.HTTPError) -> str:
    try:
        return str(json.loads(answer.read(4096))["message"])
    except (ValueError, KeyError, TypeError, OSError):
        return f"the hub answered {answer.code}"
