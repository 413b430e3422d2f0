"""Dask's own pages, of its own scheduler as clusters have it, by way of a Jupyter server."""

import asyncio
import json
import re
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urljoin

import pytest
from tests.support.dashboards import OWNER, address_of, get, socket
from tests.support.runs_lab import Lab
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.iostream import StreamClosedError

from skiva.dask.place import ClusterDir
from skiva.runs.files import write_json


@asynccontextmanager
async def _dask(place: ClusterDir) -> AsyncIterator[str]:
    from skiva.dask.scheduler import SliceScheduler
    from skiva.dask.security import load

    async with SliceScheduler(
        place=place,
        answers={},
        protocol="tls://",
        security=load(place),
        host="127.0.0.1",
        dashboard_address="127.0.0.1:0",
        dashboard=True,
    ) as found:
        http = found.http_server
        address = f"https://{http.address}:{http.port}"
        write_json(place.scheduler, {"http": address})
        yield address


@pytest.fixture
async def dask(place: ClusterDir) -> AsyncIterator[ClusterDir]:
    """A scheduler of Dask's, as clusters have it."""
    async with _dask(place):
        yield place


async def test_no_setting_of_the_person_opens_the_pages(lab: Lab, place: ClusterDir) -> None:
    """Whoever lets Dask's pages be encrypted with files of their own still asks for the cluster's key."""
    import dask
    import distributed  # noqa: F401 - its settings come with it, and would go with those below

    own = {"cert": str(place.certificate), "key": str(place.key), "ca-file": str(place.certificate)}
    with dask.config.set({"distributed.scheduler.dashboard.tls": own}):
        async with _dask(place) as address:
            assert (await get(lab, place, "status")).code == 200
            # Who writes before the refusal is read hears only that nobody is there any more.
            with pytest.raises((ssl.SSLError, StreamClosedError, ConnectionResetError)):
                await AsyncHTTPClient(force_instance=True).fetch(f"{address}/status", validate_cert=False)


async def test_dasks_pages_work_below_the_prefix(lab: Lab, dask: ClusterDir) -> None:
    """Each page is there, and with it every style and script of its own that it names."""
    pages = ("status", "workers", "individual-task-stream", "info/main/workers.html", "info")
    asked = {address: code for page in pages for address, code in (await _files(lab, dask, page)).items()}
    assert len(asked) > 10
    assert {address: code for address, code in asked.items() if code != 200} == {}


async def _files(lab: Lab, dask: ClusterDir, page: str) -> dict[str, int]:
    """What a browser asks for to show a page, and what it is answered."""
    request = HTTPRequest(address_of(lab, dask, page), headers=OWNER)
    answer = await AsyncHTTPClient(force_instance=True).fetch(request)
    links = re.findall(r'(?:src|href)="([^"]+\.(?:js|css|svg|ico)[^"]*)"', answer.body.decode())
    codes = {answer.effective_url: answer.code}
    for address in {urljoin(answer.effective_url, link) for link in links if "://" not in link}:
        file = await AsyncHTTPClient(force_instance=True).fetch(
            HTTPRequest(address, headers=OWNER), raise_error=False
        )
        codes[address] = file.code
    return codes


async def test_dasks_plots_are_kept_up_to_date(lab: Lab, dask: ClusterDir) -> None:
    """Bokeh agrees to its websocket with what the page holds, and answers on it."""
    page = (await get(lab, dask, "individual-workers-memory")).body.decode()
    token = re.search(r'"token":"([^"]+)"', page)
    assert token is not None
    browser = {**OWNER, "Origin": lab.url.rstrip("/")}
    protocols = ["bokeh", token[1]]
    async with (
        asyncio.timeout(20),
        socket(lab, dask, "individual-workers-memory/ws", browser, subprotocols=protocols) as opened,
    ):
        assert '"ACK"' in str(await opened.read_message())
        for part in ({"msgid": "7", "msgtype": "PULL-DOC-REQ"}, {}, {}):
            await opened.write_message(json.dumps(part))
        while "PULL-DOC-REPLY" not in str(await opened.read_message()):
            pass
