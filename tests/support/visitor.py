"""Somebody at the hub's pages without a browser: cookies, forms, redirects."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx

__all__ = ["sign_in", "xsrf_of"]

_XSRF = re.compile(r'name="_xsrf"\s+value="([^"]+)"')


@contextmanager
def sign_in(url: str, name: str, password: str, **options: Any) -> Iterator[httpx.Client]:
    """A client with the cookies of an account that has just signed in at `url`; it follows redirects.

    `options` are httpx's, for a client that is a special one.
    """
    with httpx.Client(base_url=url, timeout=60, trust_env=False, follow_redirects=True, **options) as client:
        page = client.get("/hub/login")
        form = {"username": name, "password": password, "_xsrf": xsrf_of(page.text)}
        done = client.post("/hub/login?next=/hub/home", data=form)
        assert (done.status_code, done.url.path) == (200, "/hub/home"), done.text[:500]
        yield client


def xsrf_of(page: str) -> str:
    """The token in the form of a page of the hub."""
    found = _XSRF.search(page)
    assert found is not None, page[:1000]
    return found[1]
