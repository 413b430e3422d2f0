"""The stream that notebooks listen to, over HTTP; the hub is reduced to its answer about a token."""

import asyncio
import json
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from jupyterhub.services.auth import HubAuth
from tests.unit.pages import samples
from tests.unit.pages.waiting import until
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler

from skiva_hub import stream
from skiva_hub.pages import snapshot_file
from skiva_slurm.jobs import Array, Job, Snapshot
from skiva_slurm.tags import RunTag, Tag

SCOPE = "access:services!service=skiva"


class _User(RequestHandler):
    """`GET /hub/api/user`."""

    def get(self) -> None:
        models: dict[str, Any] = self.settings["models"]
        if "down" in models:
            models["down"] += 1
            self.send_error(503)
            return
        token = self.request.headers.get("Authorization", "").removeprefix("token ")
        if token not in models:
            self.send_error(403)
            return
        self.finish(models[token])


@dataclass
class Service:
    """A running stream service and what is around it."""

    url: str
    path: Path
    models: dict[str, Any]
    queue: stream.Queue
    connections: Counter[str]

    def write(self, *jobs: Job, age: float = 0, trouble: str = "") -> Snapshot:
        """Leave a reading as the hub does; its jobs are as old as the samples are now."""
        shift = time.time() - samples.NOW
        moved = [replace(j, start=j.start and j.start + shift, end=j.end and j.end + shift) for j in jobs]
        seen = replace(samples.snapshot(*moved), taken=time.time() - age)
        snapshot_file.write(self.path, seen, trouble)
        return seen

    @asynccontextmanager
    async def listen(self, token: str) -> AsyncIterator["asyncio.Queue[dict[str, Any] | None]"]:
        """The events of one connection; None when the service ended it."""
        events: asyncio.Queue[dict[str, Any] | None] = asyncio.Queue()
        async with (
            aiohttp.ClientSession() as session,
            session.get(self.url, headers=_bearer(token)) as answer,
        ):
            assert answer.status == 200
            assert answer.content_type == "text/event-stream"

            async def read() -> None:
                async for row in answer.content:
                    if row.startswith(b"data: "):
                        events.put_nowait(json.loads(row[6:]))
                events.put_nowait(None)

            reading = asyncio.create_task(read())
            try:
                yield events
            finally:
                reading.cancel()
                await asyncio.gather(reading, return_exceptions=True)

    async def refused(self, headers: dict[str, str], query: str = "") -> tuple[int, str]:
        """Status and sentence of an answer that is no stream."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(self.url + query, headers=headers) as answer,
        ):
            return answer.status, (await answer.json(content_type=None))["message"]


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"token {token}"}


@pytest.fixture
async def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Service]:
    """The service with two users' tokens and a watcher of its file."""
    monkeypatch.setattr(stream, "LOOK_EVERY", 0.02)
    monkeypatch.setattr(stream, "CHECK_EVERY", 0.1)
    monkeypatch.setattr(stream, "HEARTBEAT", 0.1)
    models = {
        "a": {"name": "alice", "kind": "user", "groups": ["staff"], "scopes": [SCOPE]},
        "b": {"name": "bob", "kind": "user", "groups": [], "scopes": [SCOPE]},
        "narrow": {"name": "alice", "kind": "user", "scopes": ["self"]},
        "service": {"name": "alice", "kind": "service", "scopes": [SCOPE]},
    }
    hub_socket, hub_port = bind_unused_port()
    hub = HTTPServer(Application([("/hub/api/user", _User)], models=models))
    hub.add_socket(hub_socket)
    auth = HubAuth(api_url=f"http://127.0.0.1:{hub_port}/hub/api", api_token="x", cache_max_age=0)
    auth.access_scopes = {SCOPE}
    queue = stream.Queue(tmp_path / "snapshot.json", samples.site())
    server_socket, port = bind_unused_port()
    listeners = Counter[str]()
    server = HTTPServer(stream.application(queue, auth, "/services/skiva/", listeners))
    server.add_socket(server_socket)
    watching = asyncio.create_task(queue.run())
    url = f"http://127.0.0.1:{port}/services/skiva/stream"
    yield Service(url, tmp_path / "snapshot.json", models, queue, listeners)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    for one in (server, hub):
        one.stop()
        await one.close_all_connections()


async def _until(events: "asyncio.Queue[Any]", wanted: Any) -> Any:
    async with asyncio.timeout(10):
        while not wanted(event := await events.get()):
            pass
    return event


async def test_a_person_hears_of_their_own_jobs_and_of_nobody_elses(service: Service) -> None:
    """Also not of a job whose comment claims to be theirs: only Slurm's word on the user counts."""
    forged = replace(samples.running(3, user="mallory"), tag="skiva:skiva:alice/:abcdefgh")
    service.write(samples.running(1, user="alice"), samples.running(2, user="bob"), forged)
    async with service.listen("a") as alice, service.listen("b") as bob:
        hers = await _until(alice, lambda event: event["jobs"])
        his = await _until(bob, lambda event: event["jobs"])
    assert [job["job_id"] for job in hers["jobs"]] == [1]
    assert [job["job_id"] for job in his["jobs"]] == [2]
    text = json.dumps([hers, his])
    assert not any(word in text for word in ("mallory", "alice", "bob"))
    assert "2xh100" in [one["id"] for one in hers["slices"]]
    assert "2xh100" not in [one["id"] for one in his["slices"]]


async def test_a_job_is_told_with_its_slice_its_times_and_its_reason(service: Service) -> None:
    """What a notebook shows is in the event: words, the end, the seconds that are left."""
    service.write(samples.running(1, user="alice", ends_in=600), samples.pending(2, user="alice"))
    async with service.listen("a") as events:
        event = await _until(events, lambda event: event["jobs"])
    running, waiting = event["jobs"]
    assert (running["slice"], running["state"], running["reason"]) == ("1g.10gb", "running", "")
    assert 590 <= running["seconds_left"] <= 600
    assert running["ends"] == pytest.approx(time.time() + 600, abs=15)
    assert (waiting["state"], waiting["ends"], waiting["seconds_left"]) == ("waiting", None, None)
    assert waiting["reason"]
    assert event["trouble"] == ""


async def test_a_run_is_told_with_its_array_its_node_and_its_exit(service: Service) -> None:
    """What `skiva.jobs()` needs of the queue is in the event, also of a run that Slurm has forgotten."""
    mark = RunTag("261122-k3f9ta2x").text
    rest = replace(samples.pending(5, user="alice"), tag=mark, array=Array(5, "3-199%8"))
    task = replace(samples.running(6, user="alice"), tag=mark, array=Array(5, "0"))
    session = replace(samples.running(7, user="alice"), tag=Tag("lab", "alice", "", "abcdefgh").text)
    seen = service.write(rest, task, session)
    gone = replace(task, id=4, state="FAILED", exit_code="3:0", array=None)
    theirs = replace(gone, id=3, user="bob")
    snapshot_file.write(service.path, seen, "", (gone, theirs))
    async with service.listen("a") as events:
        event = await _until(events, lambda event: len(event["jobs"]) == 4)
    ended, waits, runs, other = event["jobs"]
    assert (ended["run"], ended["state"], ended["exit_code"]) == ("261122-k3f9ta2x", "ended", "3:0")
    assert (waits["run"], waits["array"]) == ("261122-k3f9ta2x", {"job_id": 5, "tasks": "3-199%8"})
    assert (runs["node"], runs["exit_code"], runs["array"]) == ("n1", "", {"job_id": 5, "tasks": "0"})
    assert (other["run"], other["array"], waits["node"]) == (None, None, None)
    assert [job["session"] for job in event["jobs"]] == [False, False, False, True]


async def test_changes_arrive_and_readings_without_news_do_not(service: Service) -> None:
    """One event for each change; a new reading of the same queue is none."""
    service.write(samples.running(1, user="alice"))
    async with service.listen("a") as events:
        await _until(events, lambda event: event["jobs"])
        version = service.queue.version
        seen = service.queue.snapshot
        assert seen is not None
        snapshot_file.write(service.path, replace(seen, taken=seen.taken + 0.01), "")
        await until(lambda: service.queue.version != version)
        snapshot_file.write(service.path, replace(seen, jobs={}), "")
        assert (await _until(events, lambda _: True))["jobs"] == []


async def test_a_quiet_connection_hears_that_the_queue_was_read_again(service: Service) -> None:
    """No news of a newer reading is news: a job that is missing twice is gone."""
    seen = service.write(samples.running(1, user="alice"))
    async with (
        aiohttp.ClientSession() as session,
        session.get(service.url, headers=_bearer("a")) as answer,
        asyncio.timeout(10),
    ):
        while b'"job_id": 1,' not in await answer.content.readline():
            pass
        snapshot_file.write(service.path, replace(seen, taken=seen.taken + 1), "")
        while (row := await answer.content.readline()) != f": taken {seen.taken + 1}\n".encode():
            assert not row.startswith(b"data: ")


async def test_a_silent_scheduler_is_told_and_its_numbers_are_withdrawn(service: Service) -> None:
    """An old reading is called old; what is free is then not known, a job's end still is."""
    service.write(samples.running(1, user="alice"), age=300)
    async with service.listen("a") as events:
        event = await _until(events, lambda event: event["jobs"])
    assert event["trouble"].startswith("The scheduler has not answered since ")
    assert {one["free"] for one in event["slices"]} == {None}
    assert event["jobs"][0]["ends"]


async def test_before_the_first_reading_there_is_an_event(service: Service) -> None:
    """A notebook that connects before the hub has read anything knows where it stands."""
    async with service.listen("a") as events:
        event = await _until(events, lambda _: True)
    assert (event["taken"], event["jobs"]) == (None, [])
    assert event["trouble"] == "The scheduler has not answered yet."


async def test_a_broken_file_changes_nothing(service: Service) -> None:
    """Half a file is passed over; the next whole one counts."""
    service.write(samples.running(1, user="alice"))
    async with service.listen("a") as events:
        await _until(events, lambda event: event["jobs"])
        service.path.write_text("{")
        await until(lambda: service.queue._known == stream._stamp(service.path))
        service.write(samples.running(1, user="alice"), samples.running(9, user="alice"))
        event = await _until(events, lambda event: len(event["jobs"]) == 2)
    assert [job["job_id"] for job in event["jobs"]] == [1, 9]


@pytest.mark.parametrize("token", ["narrow", "service", "unknown", ""])
async def test_a_token_that_may_not_listen_is_refused(service: Service, token: str) -> None:
    """Without the scope, of a service, unknown or none at all: 403 with a sentence."""
    status, sentence = await service.refused(_bearer(token) if token else {})
    assert status == 403
    assert sentence.endswith(".")


async def test_a_token_in_the_address_is_not_looked_at(service: Service) -> None:
    """Addresses end up in logs."""
    status, _ = await service.refused({"Sec-Fetch-Mode": "websocket"}, "?token=a")
    assert status == 403


async def test_a_revoked_token_stops_listening(service: Service) -> None:
    """The connection of a token that the hub does not know any more ends."""
    service.write()
    async with service.listen("a") as events:
        await _until(events, lambda _: True)
        del service.models["a"]
        await _until(events, lambda event: event is None)


async def test_a_silent_hub_ends_no_connection(service: Service) -> None:
    """Only the hub's refusal counts; a hub that is restarted does not cut the notebooks off."""
    service.write()
    async with service.listen("a") as events:
        await _until(events, lambda _: True)
        service.models["down"] = 0
        await until(lambda: service.models["down"] >= 4)
        service.write(samples.running(5, user="alice"))
        assert await _until(events, lambda event: event["jobs"])


async def test_nobody_holds_more_than_a_few_connections(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One person's forgotten notebooks do not use up the service; leaving makes room again."""
    monkeypatch.setattr(stream, "MOST", 1)
    service.write()
    async with service.listen("a") as events:
        await _until(events, lambda _: True)
        assert (await service.refused(_bearer("a")))[0] == 429
        async with service.listen("b") as others:
            await _until(others, lambda _: True)
    await until(lambda: not service.connections)
    async with service.listen("a") as again:
        await _until(again, lambda _: True)
