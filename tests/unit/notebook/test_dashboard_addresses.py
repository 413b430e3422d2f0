"""Which addresses of a scheduler are pages, and where a page leads that has moved."""

from urllib.parse import parse_qsl, quote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skiva.server.clusters.pages import PASSED_BACK, PASSED_ON, location, page_of, passed, query_of

_BASE = "/user/ann/skiva/clusters/261122-k3f9ta2x/dashboard/"
_PREFIX = "/skiva/clusters/x/dashboard/"
_SCHEDULER = "https://10.0.0.1:8787/status"


@pytest.mark.parametrize(
    "page",
    [
        "status",
        "individual-task-stream",
        "info/main/workers.html",
        "info/worker/tls%3A%2F%2F10.0.0.1%3A40.html",
        "info/task/('sum-1',%200).html",
        "statics/css/base.css",
        "x" * 2000,
        "apis",
        "status/skiva",
        "...",
    ],
)
def test_what_dask_shows_is_a_page(page: str) -> None:
    """Also of a worker or a task whose name has slashes, brackets or blanks, and as long as names are."""
    assert page_of(f"{_BASE}{page}") == page


@pytest.mark.parametrize(
    "page",
    [
        *("", "/", "/status", "status/", "a//b", "x" * 2001),
        *("skiva", "skiva/status", "SKIVA/x", "%73kiva", "proxy/1/h/x", "jupyter", "Api/v1/x", "api"),
        *(".", "..", "../x", "x/..", "x/%2e%2e/y", "x%2f..%2fy", "x/%2e", ".%2E/x"),
        *("a%00b", "a%0d%0ab", "a%7fb", "a\\b", "a b", "a?b", "a#b", "ä", '"', "<", "a%e2%80%a8b"),
    ],
)
def test_nothing_else_is_one(page: str) -> None:
    """What changes a cluster, leads to other hosts, leaves the dashboard, or no browser would send."""
    assert page_of(f"{_BASE}{page}") is None


def test_what_is_not_below_a_dashboard_is_no_page() -> None:
    """Neither another address of ours, nor one of somebody else's."""
    for path in ("/skiva/clusters/x/log", "/user/ann/lab", "", "/dashboard/status"):
        assert page_of(path) is None


@given(
    st.text(max_size=20),
    st.lists(st.sampled_from(["..", ".", "", "skiva", "%2e%2e", "a", "%2f"]), max_size=4),
)
def test_a_page_never_leaves_the_dashboard(text: str, parts: list[str]) -> None:
    """Whatever is asked for: its parts are whole names, however often a proxy decodes them once."""
    page = page_of(f"{_BASE}{quote(text)}{'/'.join(parts)}")
    if page is None:
        return
    assert urlsplit(f"https://host/{page}").netloc == "host"
    assert not {"", ".", ".."} & set(page.split("/"))
    assert page.partition("/")[0].lower() not in {"skiva", "proxy", "jupyter", "api"}


_VALUES = st.lists(st.tuples(st.sampled_from(["token", "_xsrf", "theme", "a", "Token"]), st.text(max_size=5)))


@given(_VALUES)
def test_a_query_goes_on_without_what_is_the_servers(values: list[tuple[str, str]]) -> None:
    """In its order, empty values too; the token and the mark against forgery stay here."""
    asked = "&".join(f"{quote(name)}={quote(value)}" for name, value in values)
    left = [(name, value) for name, value in values if name not in {"token", "_xsrf"}]
    told = query_of(asked)
    assert parse_qsl(told[1:], keep_blank_values=True) == left
    assert told[:1] == ("?" if left else "")


@pytest.mark.parametrize(
    ("told", "leads"),
    [
        ("/status", "status"),
        ("/", ""),
        ("//10.0.0.1:8787/workers", "workers"),
        ("https://10.0.0.1:8787/info?x=1&y=2", "info?x=1&y=2"),
        ("http://10.0.0.1:8787/info", "info"),
        ("/info#part", "info"),
        ("https://evil.example/x", "status"),
        ("//evil.example/x", "status"),
        ("https://10.0.0.1:8788/x", "status"),
        ("https://10.0.0.1:8787@evil.example/x", "status"),
        ("/\\evil.example", "\\evil.example"),
        ("///evil.example", "evil.example"),
    ],
)
def test_a_page_that_moved_is_below_the_dashboard(told: str, leads: str) -> None:
    """Another host's, or another port's, is the first page; and nothing ever begins at the browser's root."""
    assert location(told, _SCHEDULER, _PREFIX) == f"{_PREFIX}{leads}"


def test_a_page_beside_this_one_is_left_to_the_browser() -> None:
    """It knows from where."""
    for told in ("workers.html", "../status", "?x=1", ""):
        assert location(told, _SCHEDULER, _PREFIX) == told


def test_of_headers_only_the_named_ones_go_on() -> None:
    """A cookie, a token or where a page came from are not among them, in neither direction."""
    headers = {"Accept": "text/html", "Cookie": "x", "Authorization": "y", "Etag": "1", "Set-Cookie": "z"}
    assert passed(PASSED_ON, headers) == {"Accept": "text/html"}
    assert passed(PASSED_BACK, headers) == {"Etag": "1"}
    assert passed((), headers) == passed(PASSED_ON, {}) == {}
