"""Dask's pages by way of a Jupyter server: what comes through, what does not, and who is let through."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.support.clusters_on_disk import Scheduler
from tests.support.dashboards import OWNER, get, socket
from tests.support.runs_lab import TOKEN, Lab
from tornado.httpclient import HTTPClientError

from skiva.dask.place import ClusterDir
from skiva.runs.files import write_json


async def test_a_page_comes_through_and_nothing_of_the_session_goes_there(
    lab: Lab, place: ClusterDir, scheduler: Scheduler
) -> None:
    """No cookie and no token reach the scheduler, and none of its own cookies the browser."""
    scheduler.headers = {"Etag": '"1"', "X-Frame-Options": "DENY", "Content-Security-Policy": "default-src *"}
    brought = {**OWNER, "Cookie": "_xsrf=mine; session=mine", "X-XSRFToken": "mine", "If-None-Match": '"0"'}
    answer = await get(lab, place, f"info/main/workers.html?token={TOKEN}&theme=dark", brought)
    assert (answer.code, answer.headers["Etag"]) == (200, '"1"')
    assert answer.body == b"<p>/info/main/workers.html</p>"
    assert answer.headers["Content-Type"].startswith("text/html")
    assert answer.headers.get_list("Content-Security-Policy") == ["frame-ancestors 'self'"]
    assert "X-Frame-Options" not in answer.headers
    assert "of-the-scheduler" not in str(answer.headers.get_list("Set-Cookie"))
    method, uri, headers, _ = scheduler.asked[-1]
    assert (method, uri, headers["If-None-Match"]) == ("GET", "/info/main/workers.html?theme=dark", '"0"')
    assert "mine" not in str(dict(headers))
    assert TOKEN not in f"{uri} {dict(headers)}"


async def test_only_reading_is_passed_on(lab: Lab, place: ClusterDir, scheduler: Scheduler) -> None:
    """A cluster is scaled and closed by addresses of its own, which say what may be asked for."""
    for method in ("POST", "PUT", "DELETE", "PATCH", "HEAD"):
        assert (await get(lab, place, "status", method=method)).code in {403, 405}, method
    assert scheduler.asked == []
    assert (await get(lab, place, "status")).code == 200
    assert [method for method, *_ in scheduler.asked] == ["GET"]


@pytest.mark.parametrize(
    "page",
    [
        *("skiva/status", "SKIVA/status", "%73kiva/status", "x/../skiva/status", "x/%2e%2e/skiva/status"),
        *("./skiva/status", "/skiva/status", "//evil.example/x", "..", "../log", "proxy/22/10.0.0.1/x"),
        *(
            "jupyter/lab",
            "api/v1/retire_workers",
            "status//x",
            "a%0d%0ab",
            "x\\y",
            "a%00b",
            "skiva/status/ws",
        ),
    ],
)
async def test_what_is_no_page_is_not_asked_for(
    lab: Lab, place: ClusterDir, scheduler: Scheduler, page: str
) -> None:
    """Neither what changes the cluster, nor what leads to other hosts, nor what leaves the dashboard."""
    assert (await get(lab, place, page)).code == 404
    assert scheduler.asked == []
    assert (await get(lab, place, "status")).code == 200


@pytest.mark.parametrize(
    ("told", "wanted"),
    [
        ("/status", "{}status"),
        ("https://HOST/info?x=1", "{}info?x=1"),
        ("info/main/workers.html", "info/main/workers.html"),
        ("https://evil.example/status", "{}status"),
        ("//evil.example/status", "{}status"),
    ],
)
async def test_a_page_that_moves_stays_below_the_dashboard(
    lab: Lab, place: ClusterDir, scheduler: Scheduler, told: str, wanted: str
) -> None:
    """Dask leads from one page to the other by addresses that begin at its own root."""
    to = told.replace("HOST", scheduler.address.removeprefix("https://"))
    answer = await get(lab, place, f"moved?to={to}")
    below = f"/skiva/clusters/{place.id}/dashboard/"
    assert (answer.code, answer.headers["Location"]) == (302, wanted.format(below))


async def test_the_dashboard_begins_with_the_status(lab: Lab, place: ClusterDir) -> None:
    """Its address alone is enough."""
    answer = await get(lab, place, "")
    assert (answer.code, answer.headers["Location"]) == (302, "status")


async def test_messages_go_both_ways(lab: Lab, place: ClusterDir, scheduler: Scheduler) -> None:
    """Text and bytes, large ones too, the page's protocol, and in the end why it ended."""
    async with socket(
        lab, place, f"status/ws?token={TOKEN}&id=7", subprotocols=["bokeh", "secret"]
    ) as opened:
        assert opened.selected_subprotocol == "bokeh"
        assert await opened.read_message() == "welcome"
        for message in ("text", b"bytes\0", b"x" * 5_000_000):
            await opened.write_message(message, binary=isinstance(message, bytes))
            assert await opened.read_message() == message
        await opened.write_message("end")
        assert await opened.read_message() is None
        assert (opened.close_code, opened.close_reason) == (4001, "as asked")
    _, uri, headers, _ = scheduler.asked[-1]
    assert (uri, headers["Sec-WebSocket-Protocol"]) == ("/status/ws?id=7", "bokeh,secret")
    assert not {"Authorization", "Cookie", "Origin"} & set(headers)


async def test_the_scheduler_is_left_when_the_page_is(
    lab: Lab, place: ClusterDir, scheduler: Scheduler
) -> None:
    """A page that was closed costs the scheduler nothing any more."""
    async with socket(lab, place) as opened:
        assert await opened.read_message() == "welcome"
        assert not scheduler.left.is_set()
    await asyncio.wait_for(scheduler.left.wait(), 20)


@pytest.mark.parametrize(
    "headers",
    [{}, {"Authorization": "token wrong"}, {"Cookie": "username-x=forged"}],
    ids=["nothing", "a wrong token", "a forged cookie"],
)
async def test_no_stranger_sees_a_page(
    lab: Lab, place: ClusterDir, scheduler: Scheduler, headers: dict[str, str]
) -> None:
    """Nor opens its websocket."""
    pages = ("", "status", "status/ws", "statics/css/base.css")
    assert [(await get(lab, place, page, headers)).code for page in pages] == [403] * 4
    with pytest.raises(HTTPClientError) as refused:
        async with socket(lab, place, headers=headers):
            pass
    assert refused.value.code == 403
    assert scheduler.asked == []
    assert [(await get(lab, place, page)).code for page in pages] == [302, 200, 400, 200]
    async with socket(lab, place) as opened:
        assert await opened.read_message() == "welcome"


async def test_a_page_of_another_site_opens_no_websocket(
    lab: Lab, place: ClusterDir, scheduler: Scheduler
) -> None:
    """Browsers send the owner's cookies along with its request; whose page it is tells the origin."""
    signed_in = (await get(lab, place, "status")).headers.get_list("Set-Cookie")
    cookies = {"Cookie": "; ".join(cookie.partition(";")[0] for cookie in signed_in)}
    async with socket(lab, place, headers={**cookies, "Origin": lab.url.rstrip("/")}) as opened:
        assert await opened.read_message() == "welcome"
    del scheduler.asked[:]
    for origin in ("https://evil.example", "null"):
        with pytest.raises(HTTPClientError) as refused:
            async with socket(lab, place, headers={**cookies, "Origin": origin}):
                pass
        assert refused.value.code == 403
    assert scheduler.asked == []


async def test_a_page_of_a_cluster_that_does_not_answer_is_a_sentence(lab: Lab, place: ClusterDir) -> None:
    """Text that can be shown as it is: not started, gone, ended, or none at all."""
    gone = {"http": "https://127.0.0.1:1"}
    changes: list[tuple[Path, dict[str, Any]]] = [
        (place.status, {}),
        (place.scheduler, gone),
        (place.closed, {"at": 1, "why": "So."}),
    ]
    told: list[tuple[int, str]] = []
    for path, values in changes:
        write_json(path, values)
        answer = await get(lab, place, "status")
        assert answer.headers["Content-Type"].startswith("text/plain")
        told.append((answer.code, answer.body.decode()))
        with pytest.raises(HTTPClientError):
            async with socket(lab, place):
                pass
    assert told == [
        (503, "The scheduler of the cluster cluster 1 has not started yet."),
        (503, "The cluster's scheduler does not answer."),
        (409, "The cluster cluster 1 has ended."),
    ]
    assert (await get(lab, ClusterDir(Path("261122-aaaaaaaa")), "status")).code == 404
