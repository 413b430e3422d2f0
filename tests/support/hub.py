"""A small client of the hub's REST API, for tests that act as administrators and as people."""

import json
import time
from collections.abc import Iterator, Mapping
from typing import Any, Self
from urllib.parse import quote

import httpx
from tests.support.waiting import wait_until

__all__ = ["HubClient", "HubRefused"]


class HubRefused(AssertionError):
    """The hub answered with an error; `status` is the HTTP status and `message` the hub's sentence."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message


class HubClient:
    """Talks to the hub at `url` (the site's root) with an API token. Safe to share between threads."""

    def __init__(self, url: str, token: str, *, timeout: float = 30.0) -> None:
        self._url = url.rstrip("/")
        self._token = token
        self._http = httpx.Client(
            base_url=f"{self._url}/hub/api/",
            headers={"Authorization": f"token {token}"},
            timeout=timeout,
            trust_env=False,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def as_user(self, user: str) -> "HubClient":
        """A client with a token of `user`'s own."""
        return HubClient(self._url, self.user_token(user))

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send any request below `/hub/api/`; `options` are httpx's. Errors are returned, not raised."""
        return self._http.request(method, path.lstrip("/"), **options)

    def get(self, path: str) -> Any:
        """The JSON that the API answers.

        Raises:
            HubRefused: it answered with an error.
        """
        return _checked(self.ask("GET", path)).json()

    def is_up(self) -> bool:
        """Whether the hub answers."""
        try:
            return self.ask("GET", "", timeout=2).status_code == 200
        except httpx.HTTPError:
            return False

    # -- people ----------------------------------------------------------------------------

    def add_user(self, user: str) -> None:
        """Make a user known to the hub; one that it knows is no mistake."""
        answer = self.ask("POST", f"users/{quote(user)}")
        if answer.status_code != 409:
            _checked(answer)

    def user_token(self, user: str, seconds: int = 3600) -> str:
        """A new token of `user`, who is made known to the hub if need be."""
        self.add_user(user)
        made = _checked(self.ask("POST", f"users/{quote(user)}/tokens", json={"expires_in": seconds}))
        return str(made.json()["token"])

    # -- servers ---------------------------------------------------------------------------

    def start_server(self, user: str, options: Mapping[str, Any] | None = None, name: str = "") -> int:
        """Press Start: 201 when the server is ready already, 202 while it starts.

        Raises:
            HubRefused: with the hub's sentence.
        """
        self.add_user(user)
        return _checked(self.ask("POST", _server(user, name), json=dict(options or {}))).status_code

    def server(self, user: str, name: str = "") -> dict[str, Any] | None:
        """The server's model (`ready`, `pending`, `stopped`, `url`, …); None where there never was one."""
        answer = self.ask("GET", _server(user, name))
        if answer.status_code == 404:
            return None
        model: dict[str, Any] = _checked(answer).json()
        return model

    def stop_server(self, user: str, name: str = "", *, remove: bool = False) -> int:
        """Press Stop (or Cancel): 204 when it has stopped, 202 while it stops.

        Args:
            remove: forget a named server too, which else counts as one that the person has.

        Raises:
            HubRefused: with the hub's sentence.
        """
        options = {"json": {"remove": True}} if remove else {}
        return _checked(self.ask("DELETE", _server(user, name), **options)).status_code

    def wait_ready(self, user: str, seconds: float = 30.0, name: str = "") -> dict[str, Any]:
        """Wait until the server is ready, also across a restart of the hub; its model."""
        return self._wait(user, name, seconds, "ready", lambda model: bool(model["ready"]))

    def wait_stopped(self, user: str, seconds: float = 30.0, name: str = "") -> dict[str, Any]:
        """Wait until nothing of the server is left, and nothing is pending; its model."""
        return self._wait(
            user, name, seconds, "stopped", lambda model: model["stopped"] and not model["pending"]
        )

    def _wait(self, user: str, name: str, seconds: float, what: str, wanted: Any) -> dict[str, Any]:
        last: dict[str, Any] = {}

        def now() -> dict[str, Any] | None:
            try:
                model = self.server(user, name)
            except (httpx.HTTPError, HubRefused) as problem:  # the hub is being restarted
                last["problem"] = str(problem)
                return None
            last.clear()
            last.update(model or {})
            return last if model and wanted(model) else None

        return wait_until(now, seconds, lambda: f"{user}/{name} {what}; last seen: {last}", every=0.1)

    def progress(self, user: str, name: str = "", seconds: float = 30.0) -> Iterator[dict[str, Any]]:
        """The events of a start (`progress`, `message`, `ready`, `failed`, …) until it is over.

        Raises:
            TimeoutError: it was not over within `seconds`.
        """
        end = time.monotonic() + seconds
        with self._http.stream("GET", f"{_server(user, name)}/progress", timeout=30) as answer:
            if answer.is_error:
                answer.read()
                _checked(answer)
            for line in answer.iter_lines():  # empty ones come every 8 seconds
                if time.monotonic() > end:
                    raise TimeoutError(f"the start of {user}/{name} goes on")
                if line.startswith("data: "):
                    yield json.loads(line.removeprefix("data: "))


def _server(user: str, name: str) -> str:
    return f"users/{quote(user)}/servers/{quote(name)}" if name else f"users/{quote(user)}/server"


def _checked(answer: httpx.Response) -> httpx.Response:
    if answer.is_error:
        try:
            message = str(answer.json()["message"])
        except (ValueError, KeyError, TypeError):
            message = answer.text[:300]
        raise HubRefused(answer.status_code, message)
    return answer
