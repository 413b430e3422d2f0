"""A person's Dask clusters are nobody else's: not over their server, not on the node, not on the disk."""

import json
import os
import pwd
import shutil
import stat
from collections.abc import Iterator
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from tests.support.clusters_on_disk import lay_cluster
from tests.support.sessions import Session
from tests.support.visitor import sign_in
from tests.support.waiting import wait_until
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

_ADDRESSES = (
    ("GET", "clusters"),
    ("POST", "clusters"),
    ("GET", "clusters/offer"),
    ("GET", "clusters/{}"),
    ("DELETE", "clusters/{}"),
    ("GET", "clusters/{}/log"),
    ("POST", "clusters/{}/scale"),
    ("POST", "clusters/{}/adapt"),
    ("POST", "clusters/{}/close"),
    ("GET", "clusters/{}/dashboard/"),
    ("GET", "clusters/{}/dashboard/status"),
    ("GET", "clusters/{}/dashboard/status/ws"),
    ("GET", "clusters/{}/statics/css/base.css"),
)
_KNOCK = """\
import itertools, json, socket, ssl, sys
from concurrent.futures import ThreadPoolExecutor

def answers(host, port, context, words):
    with socket.create_connection((host, port), timeout=5) as plain:
        plain.settimeout(5)
        try:
            opened = context.wrap_socket(plain) if context else plain
            opened.sendall(words)
            return opened.recv(1000).decode("latin-1")
        except OSError as refusal:
            return f"refused: {refusal}"

host, ports, own = json.loads(sys.stdin.read())
contexts = {"plain": None, "no key": ssl._create_unverified_context()}
contexts["own key"] = ssl._create_unverified_context()
contexts["own key"].load_cert_chain(own + "/tls/cert.pem", own + "/tls/key.pem")
requests = (b"GET /skiva/status HTTP/1.0\\r\\n\\r\\n", b"\\0" * 64)
ways = list(itertools.product(ports, contexts, requests))
with ThreadPoolExecutor(12) as pool:
    found = pool.map(lambda way: answers(host, way[0], contexts[way[1]], way[2]), ways)
told = {f"{port} {name} {words[:3]}": text for (port, name, words), text in zip(ways, found)}
print(json.dumps(told))
"""
"""Asks each port in each way that somebody without the cluster's key can; what came back."""


def _clusters(user: str) -> Path:
    return Path(pwd.getpwnam(user).pw_dir) / ".local/state/skiva/clusters"


def _told(session: Session, cluster: str) -> dict[str, Any]:
    """A cluster as its owner's server tells it."""
    return dict(session.ask("GET", f"skiva/clusters/{cluster}").raise_for_status().json())


def _listening(user: str) -> set[int]:
    """The ports that an account's processes listen on.

    The kernel's table of sockets has those of other tests' accounts too, whose numbers are the same.
    """
    found = set()
    for process in psutil.process_iter():
        with suppress(psutil.NoSuchProcess):
            if process.username() == user:
                found |= {
                    one.laddr.port
                    for one in process.net_connections("inet")
                    if one.status == psutil.CONN_LISTEN
                }
    return found


@pytest.fixture(scope="module")
def before(victim: Session) -> set[int]:
    """The ports that the victim's session listens on without a cluster."""
    return _listening(victim.user)


@pytest.fixture(scope="module")
def dask(victim: Session, before: set[int]) -> Iterator[dict[str, Any]]:
    """A detached cluster of the victim's with a worker that is ready."""
    wanted = {"slice": "cpu", "workers": 1, "hours": 0.3, "name": "victim's"}
    made = victim.ask("POST", "skiva/clusters", json=wanted)
    assert made.status_code == 201, made.text
    name = made.json()["id"]
    try:
        wait_until(lambda: _told(victim, name)["workers"]["ready"] == 1, 120, "a worker")
        yield _told(victim, name)
    finally:
        victim.ask("POST", f"skiva/clusters/{name}/close", json={})
        wait_until(lambda: _told(victim, name)["state"] == "closed", 60, "the cluster's end")
        victim.ask("DELETE", f"skiva/clusters/{name}")


@pytest.fixture
def own_keys(intruder: Session, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cluster of the intruder's, with keys that are as good as the victim's, but others."""
    made = lay_cluster(tmp_path_factory.mktemp("clusters"), 1, told={}).path
    place = _clusters(intruder.user) / made.name
    place.parent.mkdir(mode=0o700, exist_ok=True)
    shutil.copytree(made, place)
    _give(place.parent, intruder.user)
    try:
        yield place
    finally:
        shutil.rmtree(place)


def _give(path: Path, user: str) -> None:
    entry = pwd.getpwnam(user)
    for one in (path, *path.rglob("*")):
        os.chown(one, entry.pw_uid, entry.pw_gid)


def test_no_address_answers_another_person(dask: dict[str, Any], victim: Session, intruder: Session) -> None:
    """Whatever they bring along, 403 and nothing is done; the owner's cluster goes on as before."""
    answered = []
    tokens = (None, intruder.token, intruder.job_token)
    for where, token, (verb, path) in product((victim.url, victim.node_url), tokens, _ADDRESSES):
        headers = {"Authorization": f"token {token}"} if token else {}
        address = f"{where}{victim.prefix}skiva/{path.format(dask['id'])}"
        body = b"{}" if verb == "POST" else None
        with httpx.Client(timeout=60, trust_env=False, verify=victim.tls) as client:
            answer = client.request(verb, address, headers=headers, content=body)
        if answer.status_code != 403:
            answered.append(f"{verb} {path}: {answer}")
    assert answered == []
    for verb, path in _ADDRESSES:
        # Nobody is refused for what is asked: of a cluster that there is not, or a body that says nothing.
        answer = victim.ask(verb, f"skiva/{path.format('261122-nosuchxx')}", content=b"[]")
        assert answer.status_code in {200, 302, 400, 404}, (verb, path, answer)
    now = _told(victim, dask["id"])
    assert (now["state"], now["workers"]["wanted"]) == ("running", 1)


def test_no_page_of_the_dashboard_opens_for_another_person(
    dask: dict[str, Any], victim: Session, intruder: Session
) -> None:
    """All pages that are named are there for their owner, and no websocket opens for anybody else."""
    below = f"skiva/clusters/{dask['id']}/dashboard/"
    shown = {page["path"]: victim.ask("GET", f"{below}{page['path']}") for page in dask["pages"]}
    assert {path: answer.status_code for path, answer in shown.items()} == dict.fromkeys(shown, 200)
    assert len(shown) > 5
    for answer in shown.values():
        assert answer.headers.get_list("Content-Security-Policy") == ["frame-ancestors 'self'"]
        assert not any(secret in answer.text for secret in (victim.job_token, victim.token))
    for where, token in product((victim.url, victim.node_url), (None, intruder.token, intruder.job_token)):
        headers = {"Authorization": f"token {token}"} if token else {}
        address = f"{where.replace('http', 'ws', 1)}{victim.prefix}{below}status/ws"
        with (
            pytest.raises(InvalidStatus) as refused,
            connect(
                address,
                additional_headers=headers,
                proxy=None,
                ssl=victim.tls if where == victim.node_url else None,
            ),
        ):
            pass
        assert refused.value.response.status_code == 403
    address = f"{victim.url.replace('http', 'ws', 1)}{victim.prefix}{below}status/ws"
    with connect(address, additional_headers={"Authorization": f"token {victim.token}"}, proxy=None):
        pass


def test_what_changes_a_cluster_wants_the_mark_against_forgery(
    dask: dict[str, Any], browser: httpx.Client, victim: Session
) -> None:
    """A browser that is signed in as the owner sends its cookies for pages of other sites too."""
    for verb, path in _ADDRESSES:
        if verb != "GET":
            address = f"{victim.prefix}skiva/{path.format(dask['id'])}"
            body = b"{}" if verb == "POST" else None
            assert browser.request(verb, address, content=body).status_code == 403, path
    address = f"{victim.prefix}skiva/clusters/{dask['id']}"
    assert browser.get(address).json()["state"] == "running"
    mark = {"X-XSRFToken": browser.cookies.get("_xsrf", path=victim.prefix) or ""}
    answer = browser.post(f"{address}/scale", content=b"[]", headers=mark)
    assert answer.status_code == 400, answer.text


@pytest.fixture
def browser(cluster: Any, victim: Session) -> Iterator[httpx.Client]:
    """A browser of the victim's, which does not send along what scripts of the page would."""
    with sign_in(cluster.url, victim.user, cluster.password) as client:
        assert client.get(f"{victim.prefix}lab").status_code == 200
        yield client


def test_nobody_without_the_clusters_key_is_answered_by_its_ports(
    cluster: Any,
    dask: dict[str, Any],
    before: set[int],
    own_keys: Path,
    victim: Session,
    intruder: Session,
) -> None:
    """Scheduler, pages, workers, nannies: in clear, without a key and with another, by another account."""
    scheduler = json.loads((_clusters(victim.user) / dask["id"] / "scheduler.json").read_text())
    ports = sorted(_listening(victim.user) - before)
    known = {int(scheduler[name].rpartition(":")[2]) for name in ("address", "http")}
    assert known <= set(ports)
    host = scheduler["http"].removeprefix("https://").rpartition(":")[0]

    def knocked(user: str, ports: list[int], keys: Path) -> dict[str, str]:
        asked = json.dumps([host, ports, str(keys)])
        done = cluster.run_as(user, ["/usr/bin/python3", "-I", "-c", _KNOCK], stdin=asked, timeout=300)
        assert done.returncode == 0, done.stderr
        answers: dict[str, str] = json.loads(done.stdout)
        assert len(answers) == 6 * len(ports)
        return answers

    told = knocked(intruder.user, ports, own_keys)
    # Worker's web servers have no pages, and say so to anybody.
    answered = {way: text for way, text in told.items() if text and not text.startswith(("refused", "\x15"))}
    assert {way: text for way, text in answered.items() if " 404 " not in text and " 400 " not in text} == {}
    assert not any(str(port) in way for way in answered for port in known)
    # Whoever has the key is answered by the pages in clear, and by the scheduler in its own protocol.
    own = knocked(victim.user, sorted(known), _clusters(victim.user) / dask["id"])
    for port in known:
        text = own[f"{port} own key {b'GET'!r}"]
        assert text, (port, scheduler)
        assert not text.startswith(("refused", "\x15")), (port, text)


def test_the_keys_are_in_nobody_elses_hands(
    cluster: Any, dask: dict[str, Any], victim: Session, intruder: Session
) -> None:
    """Neither they nor anything else of a cluster can be read by another account."""
    place = _clusters(victim.user) / dask["id"]
    files = [path for path in place.rglob("*") if path.is_file()]
    assert {path.name for path in files} >= {"key.pem", "cert.pem", "env.json", "cluster.json", "status.json"}
    assert stat.S_IMODE(place.stat().st_mode) == 0o700
    assert stat.S_IMODE((place / "tls" / "key.pem").stat().st_mode) == 0o600
    for path in files:
        argv = ["/usr/bin/cat", str(path)]
        assert "Permission denied" in cluster.run_as(intruder.user, argv).stderr, path
        assert cluster.run_as(victim.user, argv).returncode == 0, path


def test_a_server_shows_no_cluster_to_which_it_has_no_key(
    dask: dict[str, Any], own_keys: Path, victim: Session, intruder: Session
) -> None:
    """A cluster of the intruder's that names the victim's scheduler: not told of it, nor shown pages."""
    scheduler = _clusters(victim.user) / dask["id"] / "scheduler.json"
    shutil.copy(scheduler, own_keys / "scheduler.json")
    _give(own_keys, intruder.user)
    below = f"skiva/clusters/{own_keys.name}"
    assert intruder.ask("GET", f"{below}/dashboard/status").status_code == 503
    assert intruder.ask("POST", f"{below}/scale", json={"workers": 0}).status_code == 503
    assert intruder.ask("GET", below).json()["name"] == "cluster 1"
    assert _told(victim, dask["id"])["workers"]["wanted"] == 1
    # With the victim's keys it would be shown: nothing but they stood between.
    for key in ("cert.pem", "key.pem"):
        shutil.copy(_clusters(victim.user) / dask["id"] / "tls" / key, own_keys / "tls" / key)
    assert intruder.ask("GET", f"{below}/dashboard/status").status_code == 200


def test_a_cluster_in_anothers_name_is_not_shown(own_keys: Path, victim: Session, intruder: Session) -> None:
    """A directory that somebody else owns, or a link to one, is no cluster of this person's."""
    place = _clusters(victim.user) / own_keys.name
    elsewhere = _clusters(victim.user).parent / "elsewhere"
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    shutil.copytree(own_keys, place)
    _give(place, intruder.user)

    def is_hidden() -> bool:
        listed = [one["id"] for one in victim.ask("GET", "skiva/clusters").json()["clusters"]]
        paths = [f"skiva/clusters/{place.name}{more}" for more in ("", "/log", "/dashboard/status")]
        told = {victim.ask("GET", path).status_code for path in paths}
        return place.name not in listed and told == {404}

    try:
        assert is_hidden()
        place.rename(elsewhere)
        _give(elsewhere, victim.user)
        place.symlink_to(elsewhere)
        assert is_hidden()
        place.unlink()
        elsewhere.rename(place)  # the same files, their own and no link, are a cluster of theirs
        assert victim.ask("GET", f"skiva/clusters/{place.name}").status_code == 200
    finally:
        place.unlink() if place.is_symlink() else shutil.rmtree(place, ignore_errors=True)
        shutil.rmtree(elsewhere, ignore_errors=True)
