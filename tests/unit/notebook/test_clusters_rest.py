"""The addresses below skiva/clusters in a real Jupyter server, with real keys; what stands for schedulers."""

import asyncio
import json
import os
import shutil
import socket
import subprocess
import sys
import time
from contextlib import AsyncExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from tests.support.clusters_on_disk import cluster_id, lay_cluster, scheduler_of
from tests.support.runs_lab import TOKEN, Lab
from tests.unit.pages.waiting import until
from tornado.httpclient import AsyncHTTPClient

from skiva.dask.look import look
from skiva.dask.place import ClusterDir
from skiva.dask.status import Status
from skiva.runs.files import write_json
from skiva.runs.queue import Reading
from skiva.server.clusters import index as index_module
from skiva.server.clusters.index import Index


@pytest.fixture
def clusters(lab: Lab) -> Path:
    """Where the person's clusters are."""
    return lab.runs.parent / ".local/state/skiva/clusters"


def _end(place: ClusterDir, why: str = "It was closed.") -> None:
    write_json(place.closed, {"at": time.time(), "why": why})


def _names(directory: Path, part: str) -> list[str]:
    return [path.name for path in directory.iterdir() if part in path.name]


async def test_living_clusters_are_listed_as_their_schedulers_tell(lab: Lab, clusters: Path) -> None:
    """All schedulers are asked, with the cluster's key; who has none yet is told as the disk has it."""
    async with AsyncExitStack() as stack:
        for number in (1, 2):
            await stack.enter_async_context(scheduler_of(lay_cluster(clusters, number, told={})))
        lay_cluster(clusters, 3)
        code, answer = await lab.ask("clusters")
    assert (code, answer["trouble"]) == (200, "")
    assert [(one["id"], one["name"], one["state"]) for one in answer["clusters"]] == [
        (cluster_id(3), "cluster 3", "starting"),
        (cluster_id(2), "of the scheduler", "running"),
        (cluster_id(1), "of the scheduler", "running"),
    ]
    assert answer["clusters"][2]["workers"]["wanted"] == 2


async def test_there_may_be_no_clusters(lab: Lab) -> None:
    """Nobody has to make the directory first."""
    assert await lab.ask("clusters") == (200, {"clusters": [], "trouble": ""})


async def test_of_those_that_have_ended_the_last_ten_are_listed(lab: Lab, clusters: Path) -> None:
    """With every living one, however old; what is no cluster is left out; ended ones can be taken off."""
    lay_cluster(clusters, 0, told={})
    for number in range(1, 15):
        _end(lay_cluster(clusters, number, told={}, keys=False), "It was tidied up.")
    (clusters / cluster_id(50)).mkdir()
    (clusters / cluster_id(51)).symlink_to(clusters / cluster_id(1))
    wanted = [*(cluster_id(number) for number in range(14, 4, -1)), cluster_id(0)]
    for _ in range(2):
        listed = (await lab.ask("clusters"))[1]["clusters"]
        assert [one["id"] for one in listed] == wanted
    assert (listed[0]["state"], listed[0]["sentence"]) == ("closed", "It was tidied up.")
    assert (await lab.ask(f"clusters/{cluster_id(14)}", method="DELETE")) == (200, {})
    assert (await lab.ask("clusters"))[1]["clusters"][0]["id"] == cluster_id(13)
    assert not _names(clusters, cluster_id(14))


async def test_a_scheduler_that_hangs_holds_up_nobody(lab: Lab, clusters: Path) -> None:
    """It is waited for a second once; then the disk speaks for it until it answers again."""
    place = lay_cluster(clusters, 1, told={"sentence": "from the disk"})
    async with scheduler_of(lay_cluster(clusters, 2, told={})):
        with closing(socket.create_server(("127.0.0.1", 0))) as mute:
            write_json(place.scheduler, {"http": f"https://127.0.0.1:{mute.getsockname()[1]}"})
            took = []
            for _ in range(3):
                begin = time.monotonic()
                listed = (await lab.ask("clusters"))[1]["clusters"]
                took.append(time.monotonic() - begin)
                assert [(one["name"], one["sentence"]) for one in listed] == [
                    ("of the scheduler", "status"),
                    ("cluster 1", "from the disk"),
                ]
        assert took[0] > 0.9 > max(took[1:])
        async with scheduler_of(place), asyncio.timeout(20):
            while (await lab.ask(f"clusters/{place.id}"))[1]["sentence"] != "status":
                pass


async def test_who_has_not_the_clusters_key_is_no_scheduler(lab: Lab, clusters: Path) -> None:
    """A server at the address that was the scheduler's, with another key, is neither believed nor told."""
    place, other = lay_cluster(clusters, 1, told={}), lay_cluster(clusters, 2, told={})
    async with scheduler_of(other) as impostor:
        write_json(place.scheduler, {"http": impostor.address})
        assert (await lab.ask(f"clusters/{place.id}"))[1]["name"] == "cluster 1"
        assert (await lab.ask(f"clusters/{place.id}/scale", method="POST", body={"workers": 1}))[0] == 503
        assert impostor.asked == []


@pytest.mark.parametrize(
    ("what", "body"),
    [("scale", {"workers": 7}), ("adapt", {"minimum": 1, "maximum": 4}), ("close", {})],
)
async def test_what_a_person_wants_reaches_the_scheduler(
    lab: Lab, clusters: Path, what: str, body: dict[str, int]
) -> None:
    """As it was sent; the answer is the cluster as it is then, and a refusal is the scheduler's sentence."""
    place = lay_cluster(clusters, told={})
    async with scheduler_of(place) as scheduler:
        code, answer = await lab.ask(f"clusters/{place.id}/{what}", method="POST", body=body)
        assert (code, answer["sentence"]) == (200, f"{what} {json.dumps(body)}")
        headers = scheduler.seen(f"/skiva/{what}")
        assert not {"Authorization", "Cookie"} & set(headers)
        scheduler.refusal = "workers: there may be at most 6."
        code, answer = await lab.ask(f"clusters/{place.id}/{what}", method="POST", body=body)
        assert (code, answer) == (400, {"message": "workers: there may be at most 6."})
    unknown = {**body, "more": 1}
    code, answer = await lab.ask(f"clusters/{place.id}/{what}", method="POST", body=unknown)
    assert (code, answer) == (400, {"message": "more: there is no such field."})
    code, answer = await lab.ask(f"clusters/{place.id}/{what}", method="POST", body=body)
    assert code == 503
    assert answer["message"].startswith("The cluster's scheduler does not answer.")


async def test_what_has_ended_is_not_scaled_and_what_lives_not_deleted(lab: Lab, clusters: Path) -> None:
    """Each is told in words; closing what is closed already is no mistake."""
    ended, living = lay_cluster(clusters, 1, told={}), lay_cluster(clusters, 2, told={})
    _end(ended)
    told = await lab.ask(f"clusters/{ended.id}/scale", method="POST", body={"workers": 1})
    assert told == (409, {"message": "The cluster cluster 1 has ended."})
    assert (await lab.ask(f"clusters/{ended.id}/close", method="POST", body={}))[1]["state"] == "closed"
    told = await lab.ask(f"clusters/{living.id}", method="DELETE")
    assert told == (409, {"message": "The cluster cluster 2 has not ended; close it first."})
    assert living.spec.exists()
    waiting = lay_cluster(clusters, 3)
    waiting.certificate.unlink()
    told = await lab.ask(f"clusters/{waiting.id}/scale", method="POST", body={"workers": 1})
    assert told == (503, {"message": "The scheduler of the cluster cluster 3 has not started yet."})


async def test_what_a_workers_job_prints_is_read_on_from_where_it_was_left(lab: Lab, clusters: Path) -> None:
    """By the job's name, which is taken literally; without one it is the detached scheduler's own."""
    place = lay_cluster(clusters, told={})
    place.logs(2).mkdir()
    place.log(2, 13).write_text("Zeile é\n" * 60_000)
    place.scheduler_log.write_text("of the scheduler")
    first = (await lab.ask(f"clusters/{place.id}/log?worker={place.id}-2-13&offset=0"))[1]
    assert len(first["text"].encode()) <= 256 * 1024
    rest = await lab.ask(f"clusters/{place.id}/log?worker={place.id}-2-13&offset={first['next']}")
    last = (await lab.ask(f"clusters/{place.id}/log?worker={place.id}-2-13&offset={rest[1]['next']}"))[1]
    assert first["text"] + rest[1]["text"] + last["text"] == place.log(2, 13).read_text()
    assert (await lab.ask(f"clusters/{place.id}/log"))[1]["text"] == "of the scheduler"
    assert (await lab.ask(f"clusters/{place.id}/log?worker={place.id}-9-9"))[1]["text"] == ""


@pytest.mark.parametrize(
    "worker",
    [
        *("../env", "ID-1", "ID-1-0-0", "ID-01-0", "ID-1-../../cluster", "ID-1-0%0a", "ID--1-0", "id-1-0"),
        *("261122-otherone-1-0", "ID-1-99999999", "ID-%D9%A1-0"),
    ],
)
async def test_nothing_but_a_jobs_name_is_one(lab: Lab, clusters: Path, worker: str) -> None:
    """No other text ever becomes a part of a path."""
    place = lay_cluster(clusters, told={})
    code, answer = await lab.ask(f"clusters/{place.id}/log?worker={worker.replace('ID', place.id)}")
    assert code == 400
    assert answer["message"].startswith("worker: must be the name of one of its jobs")


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("clusters/nothing", 404),
        ("clusters/261122-aaaaaaaa", 404),
        ("clusters/..%2f..%2fetc", 404),
        ("clusters/261122-aaaaaaaa%0a", 404),
        ("clusters/261122-aaaaaaaa/log", 404),
        (f"clusters/{cluster_id(1)}/log?offset=-1", 400),
        (f"clusters/{cluster_id(8)}", 404),
        (f"clusters/{cluster_id(9)}", 404),
        (f"clusters/{cluster_id(9)}/log", 404),
    ],
)
async def test_what_cannot_be_answered_is_one_sentence(
    lab: Lab, clusters: Path, path: str, code: int
) -> None:
    """What is no id, a link, or written by somebody else is no cluster."""
    lay_cluster(clusters, 1, told={})
    os.chown(lay_cluster(clusters, 8, told={}).path, 12345, 12345)
    (clusters / cluster_id(9)).symlink_to(clusters / cluster_id(1))
    status, answer = await lab.ask(path)
    assert status == code
    assert answer.keys() == {"message"}
    assert answer["message"].endswith(".")


async def test_clusters_in_a_directory_that_others_can_write_are_not_touched(
    lab: Lab, clusters: Path
) -> None:
    """Somebody could have put a cluster there whose scheduler is theirs."""
    lay_cluster(clusters, 1, told={}).path.parent.chmod(0o777)
    code, answer = await lab.ask("clusters")
    assert code == 409
    assert str(clusters) in answer["message"]


_ADDRESSES = [
    ("GET", "clusters"),
    ("POST", "clusters"),
    ("GET", "clusters/offer"),
    ("GET", "clusters/ID"),
    ("DELETE", "clusters/ID"),
    ("GET", "clusters/ID/log"),
    ("POST", "clusters/ID/scale"),
    ("POST", "clusters/ID/adapt"),
    ("POST", "clusters/ID/close"),
]
_ELSEWHERE = {("POST", "clusters"), ("DELETE", "clusters/ID")}
"""Addresses that ask no scheduler, though others of the same path do."""


@pytest.mark.parametrize(("method", "path"), _ADDRESSES)
async def test_nobody_is_answered_without_login_nor_a_page_of_another_site(
    lab: Lab, clusters: Path, method: str, path: str
) -> None:
    """No token, a wrong one, and a cookie's request that lacks the mark against forgery are refused."""
    place = lay_cluster(clusters, told={})
    if method == "DELETE":
        _end(place)
    body: dict[str, str] | None = {} if method == "POST" else None
    async with scheduler_of(place) as scheduler:
        address = path.replace("ID", place.id)
        for headers in ({}, {"Authorization": "token wrong"}, {"Origin": "http://evil.example"}):
            code, answer = await lab.ask(address, method=method, body=body, headers=headers)
            assert code == (404 if "Origin" in headers else 403)
            assert {"message"} <= set(answer) <= {"message", "reason"}
        assert scheduler.asked == []
        assert place.spec.exists()
        code, answer = await lab.ask(address, method=method, body=body)
        assert code not in {403, 404, 405}, "its owner is answered"
        asks = {"clusters", "clusters/ID", "clusters/ID/scale", "clusters/ID/adapt", "clusters/ID/close"}
        assert bool(scheduler.asked) == (path in asks and (method, path) not in _ELSEWHERE)
    assert place.spec.exists() == (method != "DELETE")


async def test_looking_at_clusters_is_no_activity(lab: Lab, clusters: Path) -> None:
    """An open panel or dashboard must not keep an idle server from being culled."""
    place = lay_cluster(clusters, told={})
    async with scheduler_of(place):
        for path in ("clusters", f"clusters/{place.id}", f"clusters/{place.id}/log", "clusters/offer"):
            assert (await lab.ask(path))[0] == 200
    assert "api_last_activity" not in lab.app.web_app.settings
    await AsyncHTTPClient().fetch(f"{lab.url}api/contents?token={TOKEN}")
    assert "api_last_activity" in lab.app.web_app.settings, "what is work is noted"


async def test_no_key_and_no_secret_is_told(lab: Lab, clusters: Path) -> None:
    """Neither the keys, nor the workers' variables, nor where the scheduler listens."""
    place = lay_cluster(clusters, told={})
    place.scheduler_log.write_text("fine")
    async with scheduler_of(place) as scheduler:
        paths = ("clusters", f"clusters/{place.id}", f"clusters/{place.id}/log", "clusters/offer")
        answers = [await lab.ask(path) for path in paths]
        assert [code for code, _ in answers] == [200] * 4
        told = json.dumps([answer for _, answer in answers])
        assert told.count(place.id) >= 2
        assert "fine" in told
        assert not any(word in told for word in ("secret", "PRIVATE KEY", scheduler.address, TOKEN))


def test_clusters_cost_the_start_of_a_server_nothing() -> None:
    """What only clusters need is loaded when somebody asks for them first, and Dask itself never."""
    slow = {"pydantic", "skiva.dask.status", "skiva.dask.ask", "dask", "distributed", "bokeh", "aiohttp"}
    program = f"import sys, skiva.server.app as _\nprint(sorted({slow!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_no_answer_about_clusters_needs_dask() -> None:
    """A server may run in an environment without it while its kernels have it."""
    program = (
        "import sys\n"
        "for name in ('dask', 'distributed', 'dask_jobqueue', 'bokeh'): sys.modules[name] = None\n"
        "import skiva.server.clusters.actions, skiva.server.clusters.index, skiva.server.clusters.views\n"
        "print(skiva.server.clusters.views.offered([])['dask'])\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_what_has_ended_for_good_is_read_once(clusters: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A minute after its end nothing of it changes any more; until then, and while it lives, it may."""
    settled, fresh, living = (lay_cluster(clusters, number, told={}, keys=False) for number in (1, 2, 3))
    for place in (settled, fresh):
        _end(place)
    os.utime(settled.closed, (time.time() - 61, time.time() - 61))
    os.utime(fresh.closed, (time.time() - 30, time.time() - 30))
    read: list[str] = []

    def note(place: ClusterDir, reading: Reading | None) -> Status:
        read.append(place.id)
        return look(place, reading)

    monkeypatch.setattr(index_module, "look", note)
    index = Index(clusters)
    wanted = [place.id for place in (living, fresh, settled)]
    assert [seen.status.id for seen in index.all(None)] == wanted
    assert sorted(read) == sorted(wanted)
    assert [seen.status.id for seen in index.all(None)] == wanted
    assert sorted(read[3:]) == sorted(wanted[:2])
    shutil.rmtree(settled.path)
    assert [seen.status.id for seen in index.all(None)] == wanted[:2]
    lay_cluster(clusters, 1, told={}, keys=False)
    assert index.all(None)[-1].status.living, "another one of the same name is read"


@pytest.mark.parametrize(
    ("told", "sentence"),
    [
        ({"id": "261122-otherone", "sentence": "Mine."}, "from the disk"),
        ({"state": "odd"}, "from the disk"),
        ({"workers": 5}, "from the disk"),
        ({"sentence": "Fine."}, "status"),
    ],
)
async def test_a_scheduler_speaks_for_its_own_cluster_alone(
    lab: Lab, clusters: Path, told: dict[str, Any], sentence: str
) -> None:
    """What it tells of another one, or what is nothing that can be told, counts as silence."""
    place = lay_cluster(clusters, told={"sentence": "from the disk"})
    async with scheduler_of(place) as scheduler:
        scheduler.status |= told
        assert (await lab.ask(f"clusters/{place.id}"))[1]["sentence"] == sentence


async def test_pages_that_ask_at_once_ask_a_scheduler_once(
    lab: Lab, clusters: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten open tabs are one request, whose answer all of them get; the next look is another one."""
    place = lay_cluster(clusters, told={})
    write_json(place.scheduler, {"http": "https://127.0.0.1:1"})
    service = lab.app.web_app.settings["skiva_clusters"]
    go, looked, asked = asyncio.Event(), list[None](), list[str]()
    really = service.look

    async def look_and_note(work: Any) -> Any:
        found = await really(work)
        looked.append(None)
        return found

    async def ask_by(_: object, method: str, path: str, **__: object) -> dict[str, Any]:
        asked.append(f"{method} {path}")
        await go.wait()
        return {"sentence": "told"}

    monkeypatch.setattr(service, "look", look_and_note)
    monkeypatch.setattr("skiva.dask.ask.ask_by", ask_by)
    pages = [asyncio.create_task(service.one(place.id)) for _ in range(10)]
    await until(lambda: len(looked) == 10)
    go.set()
    assert [(await page).sentence for page in pages] == ["told"] * 10
    assert asked == ["GET status"]
    assert (await service.one(place.id)).sentence == "told"
    assert asked == ["GET status"] * 2
