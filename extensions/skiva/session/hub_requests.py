"""Takes the place of `jupyterhub.httpclient` in a session: its requests, without the import of aiohttp.

That import takes a sixth of the processor time of a start. The few requests that a single-user
server makes go through tornado's client, which is there anyway; any other goes the usual way.
"""

import importlib.util
import json
import sys
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from tornado.httpclient import AsyncHTTPClient, HTTPRequest, HTTPResponse

_TIMEOUT = 60.0
_SIMPLE = {"method", "raise_for_status", "headers", "data"}


class Answer:
    """As much of aiohttp's answer as JupyterHub's single-user server looks at."""

    def __init__(self, answer: HTTPResponse) -> None:
        self.status = answer.code
        self.reason = answer.reason
        self.headers: Mapping[str, str] = answer.headers
        self._body = answer.body or b""

    @property
    def ok(self) -> bool:
        """Whether the status is no error."""
        return self.status < 400

    async def text(self) -> str:
        """The body as text."""
        return self._body.decode("utf-8", "replace")

    async def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self._body)


async def fetch(url: str, **options: Any) -> Any:
    """Make a request of the hub.

    Raises:
        HTTPClientError: the answer is an error, unless `raise_for_status` is False.
        OSError, HTTPClientError: there is no answer.
    """
    if not _is_simple(url, options):
        return await _original().fetch(url, **options)
    request = HTTPRequest(
        url,
        method=options.get("method", "GET"),
        headers=options.get("headers"),
        body=options.get("data"),
        allow_nonstandard_methods=True,
        connect_timeout=_TIMEOUT,
        request_timeout=_TIMEOUT,
    )
    raises = options.get("raise_for_status", True)
    return Answer(await AsyncHTTPClient().fetch(request, raise_error=raises))


def _is_simple(url: str, options: Mapping[str, Any]) -> bool:
    is_text = isinstance(options.get("data"), str | bytes | None)
    return url.startswith(("http://", "https://")) and options.keys() <= _SIMPLE and is_text


def _original() -> ModuleType:
    name = "skiva.session._jupyterhub_httpclient"
    if name not in sys.modules:
        # Not by its own name, under which this module is found.
        import jupyterhub

        (folder,) = jupyterhub.__path__
        spec = importlib.util.spec_from_file_location(name, f"{folder}/httpclient.py")
        if spec is None or spec.loader is None:
            raise ImportError("jupyterhub.httpclient is missing")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        sys.modules[name] = module
    return sys.modules[name]


def __getattr__(name: str) -> Any:
    """Whatever else that module has."""
    if name.startswith("__"):
        raise AttributeError(name)
    return getattr(_original(), name)
