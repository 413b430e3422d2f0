"""Answers that lead elsewhere: only the hub ever hears a session's token, and nobody else is believed."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.clusters_on_disk import Scheduler, lay_cluster
from tests.support.runs_lab import TOKEN, Lab
from tests.unit.notebook.answering_hub import AnsweringHub
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, RedirectHandler

from skiva.dask.ask import NoAnswer, ask
from skiva.dask.place import ClusterDir
from skiva.dask.security import server_context
from skiva.runs.files import write_json
from skiva.server import sse
from skiva.server.hub import Hub, HubRefusedError
from skiva.session import hub_requests
from skiva.session.report import Unheard, report

_AUTHORIZATION = {"Authorization": "token secret"}
_CODES = pytest.mark.parametrize("code", [301, 302, 303, 307, 308])


@pytest.fixture
def elsewhere() -> Iterator[AnsweringHub]:
    """Somebody who would say yes to everything."""
    with AnsweringHub() as found:
        found.answer = (200, {"ends": 9e9})
        yield found


@pytest.fixture
def hub(elsewhere: AnsweringHub) -> Iterator[AnsweringHub]:
    """A hub whose answers lead elsewhere."""
    with AnsweringHub() as found:
        found.location = f"{elsewhere.url}/evil"
        yield found


@_CODES
async def test_an_extension_is_asked_of_the_hub_alone(
    hub: AnsweringHub, elsewhere: AnsweringHub, code: int
) -> None:
    """The hub hears the token; who stands where it points to is neither asked nor believed."""
    hub.answer = (code, b"")
    with pytest.raises(HubRefusedError, match=rf"^The hub refused to extend .*HTTP {code}"):
        await Hub(hub.url, "secret").extend()
    assert hub.asked == [("/skiva/extend", "token secret", b"{}")]
    assert elsewhere.asked == []


@_CODES
def test_a_report_is_heard_by_the_hub_alone(hub: AnsweringHub, elsewhere: AnsweringHub, code: int) -> None:
    """A session that was not heard by its hub does not take somebody else's yes for it."""
    hub.answer = (code, b"")
    with pytest.raises(Unheard, match=f"the hub answered {code}"):
        report(hub.url, "secret", {"port": 1}, patience=0.1)
    assert hub.asked == [("/skiva/report", "token secret", b'{"port": 1}')]
    assert elsewhere.asked == []


@_CODES
async def test_the_stream_is_the_hubs_alone(hub: AnsweringHub, elsewhere: AnsweringHub, code: int) -> None:
    """It counts as broken, and is asked for again where it was."""
    hub.answer = (code, b"")
    with pytest.raises(sse.StreamBrokenError, match=f"it answered {code}"):
        await anext(sse.events(f"{hub.url}/stream", _AUTHORIZATION, None, silence=10))
    assert [one[:2] for one in hub.asked] == [("/stream", "token secret")]
    assert elsewhere.asked == []


@_CODES
async def test_what_the_single_user_server_asks_carries_no_token_elsewhere(
    hub: AnsweringHub, elsewhere: AnsweringHub, code: int
) -> None:
    """JupyterHub's own client may be led on, as to another path of the hub, but never with the token."""
    hub.answer = (code, b"")
    answer = await hub_requests.fetch(f"{hub.url}/hub/api", headers=_AUTHORIZATION)
    assert answer.ok
    assert [one[:2] for one in hub.asked] == [("/hub/api", "token secret")]
    assert [one[:2] for one in elsewhere.asked] == [("/evil", None)]


async def test_a_cluster_is_asked_where_it_says_that_it_is(tmp_path: Path, elsewhere: AnsweringHub) -> None:
    """Who has its key speaks for it, and sends nobody to others who have not."""
    place = lay_cluster(tmp_path)
    listener, port = bind_unused_port()
    moved = Application([("/.*", RedirectHandler, {"url": f"{elsewhere.url}/evil", "permanent": False})])
    server = HTTPServer(moved, ssl_options=server_context(place))
    server.add_socket(listener)
    write_json(place.scheduler, {"http": f"https://127.0.0.1:{port}"})
    try:
        with pytest.raises(NoAnswer, match=r"does not answer \(302\)"):
            await ask(place, "GET", "status")
    finally:
        server.stop()
        await server.close_all_connections()
    assert elsewhere.asked == []


# -- pages ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("page", "leads"),
    [
        ("dashboard/", "status"),
        ("dashboard/moved", "{}dashboard/status?a=1"),
        ("statics/css/base.css", "{}dashboard/statics/css/base.css"),
    ],
)
async def test_a_page_that_leads_on_leaves_the_token_behind(
    lab: Lab, place: ClusterDir, scheduler: Scheduler, page: str, leads: str
) -> None:
    """Who came with the token in the address does not find it in the next one, nor does the scheduler."""
    below = f"/skiva/clusters/{place.id}/"
    request = HTTPRequest(
        f"{lab.url}{below[1:]}{page}?token={TOKEN}&to=/status%3Fa%3D1", follow_redirects=False
    )
    answer = await AsyncHTTPClient(force_instance=True).fetch(request, raise_error=False)
    assert (answer.code, answer.headers["Location"]) == (302, leads.format(below))
    assert TOKEN not in str([(uri, dict(headers)) for _, uri, headers, _ in scheduler.asked])
