"""Every address that a session's server answers, asked of the server's own code.

As a program (`python -I routes.py`) it starts a session's server in this process just as a job does,
prints its routes as JSON instead of serving, and ends.
"""

import json
import os
import re
import socket
import ssl
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_VERBS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")


@dataclass(frozen=True)
class Route:
    """One route.

    Attributes:
        pattern: the regular expression of its path.
        handler: the name of its class, with its module.
        verbs: those that the class has an answer for.
        websocket: whether it speaks over a websocket.
    """

    pattern: str
    handler: str
    verbs: tuple[str, ...]
    websocket: bool

    def path(self, samples: Sequence[str]) -> str:
        """A path that fits, with the first fitting one of `samples` for each part that varies."""
        filled = "".join(_fill(part, samples) for part in _parts(self.pattern.removesuffix("$")))
        assert re.fullmatch(self.pattern, filled), f"{self.pattern} does not fit {filled}"
        return filled


def _parts(pattern: str) -> Iterator[str]:
    """The pattern's outermost groups, each with what counts them, and what is between them."""
    depth, start, at = 0, 0, 0
    while at < len(pattern):
        if pattern[at] == "\\":
            at += 2
            continue
        if pattern[at] == "[":
            at = pattern.index("]", at + 2)
        if pattern[at] == "(":
            if depth == 0:
                yield pattern[start:at]
                start = at
            depth += 1
        elif pattern[at] == ")":
            depth -= 1
            if depth == 0:
                end = at + 1 + (pattern[at + 1 : at + 2] in {"?", "*", "+"})
                yield pattern[start:end]
                start = at = end
                continue
        at += 1
    yield pattern[start:]


def _fill(part: str, samples: Sequence[str]) -> str:
    if not part.startswith("("):
        return re.sub(r"\\(.)", r"\1", part.replace("/?", "").replace("/*", ""))
    fitting = (sample for sample in samples if re.fullmatch(part, sample))
    found = next(fitting, None)
    assert found is not None, f"no sample fits {part}"
    return found


def routes_of(python: Path, user: str, run: Any) -> list[Route]:
    """The routes of the server of `user`'s session.

    Args:
        python: of the environment that sessions run in.
        run: runs an argv as an account: `run(argv, stdin=…)`.
    """
    done: subprocess.CompletedProcess[str] = run(
        [str(python), "-I", "-", user], stdin=Path(__file__).read_text()
    )
    assert done.returncode == 0, done.stderr[-3000:]
    rows = json.loads(done.stdout.splitlines()[-1])
    return [Route(pattern, name, tuple(verbs), websocket) for pattern, name, verbs, websocket in rows]


# -- in the program of its own -----------------------------------------------------------------


def _rows(router: Any) -> Iterator[tuple[str, str, list[str], bool]]:
    from tornado.web import RequestHandler
    from tornado.websocket import WebSocketHandler

    for rule in router.rules:
        if hasattr(rule.target, "rules"):
            yield from _rows(rule.target)
        elif isinstance(rule.target, type) and issubclass(rule.target, RequestHandler):
            handler = rule.target
            answered = [
                v for v in _VERBS if getattr(handler, v.lower()) is not RequestHandler._unimplemented_method
            ]
            name = f"{handler.__module__}.{handler.__qualname__}"
            yield rule.matcher.regex.pattern, name, answered, issubclass(handler, WebSocketHandler)


def _environment(user: str, port: int) -> Mapping[str, str]:
    return {
        "JUPYTERHUB_API_TOKEN": "0" * 32,
        "JUPYTERHUB_API_URL": "http://127.0.0.1:9/hub/api",
        "JUPYTERHUB_BASE_URL": "/",
        "JUPYTERHUB_CLIENT_ID": f"jupyterhub-user-{user}",
        "JUPYTERHUB_OAUTH_CALLBACK_URL": f"/user/{user}/oauth_callback",
        "JUPYTERHUB_OAUTH_SCOPES": f'["access:servers!server={user}/"]',
        "JUPYTERHUB_SERVICE_PREFIX": f"/user/{user}/",
        "JUPYTERHUB_SERVICE_URL": f"http://127.0.0.1:{port}/user/{user}/",
        "JUPYTERHUB_USER": user,
        "JUPYTER_RUNTIME_DIR": tempfile.mkdtemp(),
    }


def _main() -> None:
    from jupyter_server.serverapp import ServerApp

    from skiva.session import serve

    def tell(server: Any) -> None:
        rows = list(_rows(server.web_app.default_router)) + list(_rows(server.web_app.wildcard_router))
        print(json.dumps(rows), flush=True)  # noqa: T201
        os._exit(0)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        os.environ.update(_environment(sys.argv[1], listener.getsockname()[1]))
        ServerApp.start = tell  # type: ignore[assignment,method-assign]
        serve.serve(listener, ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))


if __name__ == "__main__":
    _main()
