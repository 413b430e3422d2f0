"""Every route and every verb of a session's server, knocked at by somebody whose server it is not."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import product
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from tests.support.routes import Route, routes_of
from tests.support.sessions import Session
from tests.support.visitor import sign_in

_VERBS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_UPGRADE = {
    "Connection": "Upgrade",
    "Upgrade": "websocket",
    "Sec-WebSocket-Version": "13",
    "Sec-WebSocket-Key": "c2tpdmEtdGVzdC1rZXktMA==",
}
_FOR_EVERYBODY = (
    # Its version, files that come with packages.
    "/api",
    "/static/(.*)",
    "/static/lab/(.*)",
    "/lab/extensions/(.*)",
    "/lab/api/themes/(.*)",
    # Nobody is signed in yet, or any more.
    "/oauth_callback",
    "/logout",
    # The same address without its last slash, where JupyterLab is, where notebooks have moved to.
    "/.*/",
    "/?",
    "/api/notebooks/?(.*)",
    # Browsers report breaches of the page's policy here, without credentials; they are logged.
    "/api/security/csp-report",
)
_NO_ANSWER = (
    # Their own errors keep them from answering anybody who is not signed in, or anybody at all.
    "/lab/api/licenses/(.*)",
    r"/(robots\.txt|favicon\.ico)",
)


@pytest.fixture(scope="module")
def routes(cluster: Any, victim: Session) -> dict[str, Route]:
    """Those of the victim's server, by their patterns below its prefix."""
    python = cluster.dir / "venv/base/bin/python"
    found = routes_of(
        python, victim.user, lambda argv, stdin: cluster.run_as("researcher3", argv, stdin=stdin, timeout=120)
    )
    prefix = victim.prefix.removesuffix("/")
    below = {
        r.pattern.removeprefix(prefix).removesuffix("$"): r for r in found if r.pattern.startswith(prefix)
    }
    assert len(below) > 60
    assert below.keys() > set(_FOR_EVERYBODY) | set(_NO_ANSWER)
    return below


@pytest.fixture(scope="module")
def closed(routes: dict[str, Route]) -> list[Route]:
    """The routes that are for the owner alone."""
    return [route for path, route in routes.items() if path not in _FOR_EVERYBODY + _NO_ANSWER]


@pytest.fixture(scope="module")
def samples(victim: Session) -> tuple[str, ...]:
    """What stands for the parts of addresses that vary: things that there are."""
    return (
        *("/secret.ipynb", "", victim.terminal, "lab", "restart", "localhost", "8888", victim.kernel),
        *("secret.ipynb", "python3", "html", "robots.txt", "x", "/x", "status/ws"),
    )


@pytest.fixture(scope="module")
def disguises(cluster: Any, intruder: Session, victim: Session) -> dict[str, Mapping[str, Any]]:
    """All that an intruder can bring along: nothing, tokens, and the cookies of a browser, also renamed."""
    with sign_in(cluster.url, intruder.user, cluster.password) as client:
        assert client.get(f"{intruder.prefix}lab").status_code == 200
        cookies = {cookie.name: cookie.value or "" for cookie in client.cookies.jar}
    cookies[f"jupyterhub-user-{victim.user}"] = cookies[f"jupyterhub-user-{intruder.user}"]
    header = "; ".join(f"{name}={value}" for name, value in cookies.items())
    return {
        "nothing": {},
        "a token": {"headers": {"Authorization": f"token {intruder.token}"}},
        "a job's token": {"headers": {"Authorization": f"token {intruder.job_token}"}},
        "a token in the address": {"params": {"token": intruder.token}},
        "cookies": {"headers": {"Cookie": header, "X-XSRFToken": cookies["_xsrf"]}},
    }


def _refused(answer: httpx.Response, verb: str, route: Route) -> bool:
    """Whether it is a no to the person: of what is not there everybody hears the same."""
    if answer.status_code in {401, 403} or (answer.status_code == 405 and verb not in route.verbs):
        return True
    if answer.status_code in {301, 302}:
        return urlsplit(answer.headers["Location"]).path in {"/hub/login", "/hub/api/oauth2/authorize"}
    # What a browser asks before another site's page may send a request: nothing is allowed to it.
    told = answer.content or answer.headers.get("Access-Control-Allow-Origin")
    return verb == "OPTIONS" and answer.status_code in {200, 204} and not told


@contextmanager
def _client(victim: Session, way: str = "node") -> Iterator[httpx.Client]:
    url = victim.node_url if way == "node" else victim.url
    with httpx.Client(base_url=url, timeout=60, trust_env=False, verify=victim.tls) as client:
        yield client


@pytest.mark.parametrize("way", ["node", "proxy"])
def test_no_route_answers_an_intruder(
    closed: list[Route],
    samples: tuple[str, ...],
    disguises: dict[str, Mapping[str, Any]],
    victim: Session,
    way: str,
) -> None:
    """With no credentials or another's, every verb of every route is refused, on the node's port too."""
    answered = []
    with _client(victim, way) as client:
        for route, verb, name in product(closed, _VERBS, disguises):
            if name != "nothing" and verb not in route.verbs:
                continue
            path = route.path(samples)
            answer = client.request(verb, path, **disguises[name])
            if not _refused(answer, verb, route):
                answered.append(f"{verb} {path} with {name}: {answer}")
    assert answered == []


@pytest.mark.parametrize("way", ["node", "proxy"])
def test_no_websocket_opens_for_an_intruder(
    closed: list[Route],
    samples: tuple[str, ...],
    disguises: dict[str, Mapping[str, Any]],
    victim: Session,
    way: str,
) -> None:
    """Kernels, terminals, events, language servers and the port proxy refuse the handshake."""
    websockets = [route for route in closed if route.websocket]
    assert len(websockets) >= 8
    opened = []
    with _client(victim, way) as client:
        for route, (name, options) in product(websockets, disguises.items()):
            headers = {**_UPGRADE, **options.get("headers", {})}
            with client.stream(
                "GET", route.path(samples), headers=headers, params=options.get("params")
            ) as answer:
                if answer.status_code == 101 or not _refused(_read(answer), "GET", route):
                    opened.append(f"{route.path(samples)} with {name}: {answer}")
        assert opened == []
        # The owner's handshakes succeed, but for a cluster that there is not: the request was not wrong.
        owner = {**_UPGRADE, "Authorization": f"token {victim.token}"}
        for route in websockets:
            with client.stream("GET", route.path(samples), headers=owner) as answer:
                expected = 404 if "/clusters/" in route.pattern else 101
                assert answer.status_code == expected, route.path(samples)


def _read(answer: httpx.Response) -> httpx.Response:
    answer.read()
    return answer


def test_what_everybody_may_see_tells_nothing(
    routes: dict[str, Route], samples: tuple[str, ...], victim: Session
) -> None:
    """The few open routes answer with files of packages, versions and proofs: nothing of the session."""
    private = [victim.job_token, victim.token, victim.kernel, victim.nonce, "secret.ipynb"]
    theme = "@jupyterlab/theme-light-extension/index.css"
    answered = set()
    with _client(victim) as client:
        for path, verb in product(_FOR_EVERYBODY, _VERBS):
            # What an address repeats is no secret of the session's.
            answer = client.request(verb, routes[path].path((theme, *samples[1:])))
            assert not any(word in answer.text for word in private), (verb, path)
            if answer.status_code == 200:
                answered.add(path)
    assert {"/api", "/lab/api/themes/(.*)"} <= answered


@pytest.mark.parametrize("path", _NO_ANSWER)
def test_some_routes_answer_nobody(
    routes: dict[str, Route], samples: tuple[str, ...], victim: Session, path: str
) -> None:
    """They let the connection hang or break it, and send nothing while another answers five times."""
    with _client(victim) as client:
        told = client.get(routes["/api"].path(samples))
        assert told.status_code == 200
        patience = max(1.0, 5 * told.elapsed.total_seconds())
        with pytest.raises((httpx.ReadTimeout, httpx.RemoteProtocolError)):
            client.get(routes[path].path(samples), timeout=patience)


def test_the_owner_is_answered(closed: list[Route], samples: tuple[str, ...], victim: Session) -> None:
    """No address that others are refused refuses the owner: it is about the person."""
    with _client(victim, "proxy") as client:
        client.headers["Authorization"] = f"token {victim.token}"
        paths = [route.path(samples) for route in closed if "GET" in route.verbs and not route.websocket]
        answers = {path: client.get(path).status_code for path in paths}
    assert [path for path, status in answers.items() if status in {401, 403, 405}] == []
    assert sum(status == 200 for status in answers.values()) > 25, answers


def test_a_signed_in_stranger_sees_a_refusal(cluster: Any, intruder: Session, victim: Session) -> None:
    """A browser that is signed in as somebody else ends at a page that says no, not at the server."""
    for person, statuses in ((victim, {200}), (intruder, {403, 404})):
        with sign_in(cluster.url, person.user, cluster.password) as client:
            for path in ("lab", "files/secret.ipynb", "api/contents", "api/kernels"):
                answer = client.get(f"{victim.prefix}{path}")
                assert answer.status_code in statuses, (person.user, path, answer)
                assert (victim.kernel in answer.text) == (path == "api/kernels" and person is victim)
