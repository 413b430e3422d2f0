"""What a browser does over HTTP: sign in, click, follow the progress, open the first page."""

import asyncio
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from html import unescape
from types import TracebackType
from typing import Self
from urllib.parse import urljoin

import aiohttp

_XSRF = re.compile(r'name="_xsrf"\s+value="([^"]+)"')
_ACTION = re.compile(r'<form[^>]*action="([^"]*/hub/spawn[^"]*)"')
_PROGRESS = re.compile(r'(?:data-progress-url=|new EventSource\()"([^"]+)"')
_NAVIGATE = {
    "Accept": "text/html,application/xhtml+xml",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Site": "same-origin",
    "Sec-Fetch-User": "?1",
}
_LAB = 'id="jupyter-config-data"'
_PATIENCE = 300.0


class ClickFailed(Exception):
    """A click that did not end in a usable page; its text says where it stopped."""


@dataclass(frozen=True)
class Click:
    """Seconds from the click to each moment that a person sees."""

    pending: float
    """The pending page is there."""
    ready: float
    """The progress says that the server is ready."""
    page: float
    """The lab page is there, signed in."""
    messages: tuple[tuple[float, str], ...] = field(default=(), compare=False)
    """What the progress said, and when."""


class Browser:
    """One person's browser, an asynchronous context manager.

    Args:
        url: where the hub is, with a slash at its end.
        name: the account.
    """

    def __init__(self, url: str, name: str) -> None:
        self._url = url
        self._name = name
        self._page = ""
        jar = aiohttp.CookieJar(unsafe=True)
        self._http = aiohttp.ClientSession(cookie_jar=jar, timeout=aiohttp.ClientTimeout(total=_PATIENCE))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._http.close()

    async def sign_in(self, password: str) -> None:
        """Sign in; the next page may be the spawn page, which is not waited for."""
        _, page = await self._get("hub/login")
        form = {"username": self._name, "password": password, "_xsrf": _found(_XSRF, page, "sign-in form")}
        url = urljoin(self._url, "hub/login")
        async with self._http.post(url, data=form, headers=_NAVIGATE, allow_redirects=False) as answer:
            if answer.status != 302:
                raise ClickFailed(f"{self._name} cannot sign in: {answer.status}")

    async def open_form(self) -> None:
        """Open the spawn page, as a person does before the click."""
        _, self._page = await self._get("hub/spawn")

    async def click(self, options: Mapping[str, str] | None) -> Click:
        """Start the server and follow it to its first usable page.

        `options` are the fields of the form that was opened; with None the start is a link, as it is where
        there is no form.

        Raises:
            ClickFailed: it ended somewhere else.
        """
        clicked = time.monotonic()
        if options is None:
            url, page = await self._get("hub/spawn")
        else:
            url, page = await self._send_form(options)
        pending = time.monotonic() - clicked
        messages: list[tuple[float, str]] = []
        if _LAB not in page:
            await self._follow(_found(_PROGRESS, page, "pending page"), url, clicked, messages)
        ready = time.monotonic() - clicked
        while _LAB not in page:
            url, page = await self._get(url)
            if time.monotonic() - clicked > _PATIENCE:
                raise ClickFailed(f"{self._name} ended at {url}")
        return Click(pending, ready, time.monotonic() - clicked, tuple(messages))

    async def _follow(self, path: str, page: str, clicked: float, messages: list[tuple[float, str]]) -> None:
        headers = {
            "Accept": "text/event-stream",
            "Sec-Fetch-Mode": "cors",
            "Sec-Fetch-Site": "same-origin",
            "Referer": page,
        }
        async with self._http.get(urljoin(self._url, unescape(path)), headers=headers) as stream:
            async for line in stream.content:
                if not line.startswith(b"data:"):
                    continue
                event = json.loads(line[5:])
                messages.append((time.monotonic() - clicked, str(event.get("message", ""))))
                if event.get("failed"):
                    raise ClickFailed(f"{self._name}: {event.get('message')}")
                if event.get("ready"):
                    return
        raise ClickFailed(f"{self._name}: the progress ended with status {stream.status}")

    async def _get(self, path: str) -> tuple[str, str]:
        async with self._http.get(urljoin(self._url, path), headers=_NAVIGATE) as answer:
            return await self._page_of(answer)

    async def _send_form(self, fields: Mapping[str, str]) -> tuple[str, str]:
        path = unescape(_found(_ACTION, self._page, "spawn form"))
        with aiohttp.MultipartWriter("form-data") as form:
            for name, value in {**fields, "_xsrf": _found(_XSRF, self._page, "spawn form")}.items():
                form.append(value).set_content_disposition("form-data", name=name)
        async with self._http.post(urljoin(self._url, path), data=form, headers=_NAVIGATE) as answer:
            return await self._page_of(answer)

    async def _page_of(self, answer: aiohttp.ClientResponse) -> tuple[str, str]:
        text = await answer.text()
        if answer.status != 200:
            raise ClickFailed(
                f"{self._name}: {answer.method} {answer.url} answered {answer.status}: {text[:200]}"
            )
        return str(answer.url), text


def _found(pattern: re.Pattern[str], page: str, what: str) -> str:
    found = pattern.search(page)
    if not found:
        raise ClickFailed(f"no {what} in a page that begins with {page[:200]!r}")
    return found.group(1)


async def _try(url: str, name: str, password: str) -> None:
    async with Browser(url, name) as browser:
        await browser.sign_in(password)
        await browser.open_form()
        print(await browser.click({"slice": "1g.10gb", "hours": "1"}))


if __name__ == "__main__":
    import sys

    asyncio.run(_try(*sys.argv[1:4]))
