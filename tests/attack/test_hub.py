"""The hub's pages and its API, in the hands of somebody whose session it is not."""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.hub import HubClient
from tests.support.sessions import Session
from tests.support.visitor import sign_in, xsrf_of
from tests.support.waiting import wait_until

_OF_OTHERS = [
    ("GET", "users"),
    ("GET", "users/{victim}"),
    ("PATCH", "users/{victim}"),
    ("DELETE", "users/{victim}"),
    ("POST", "users/{victim}/activity"),
    ("GET", "users/{victim}/server"),
    ("POST", "users/{victim}/server"),
    ("DELETE", "users/{victim}/server"),
    ("POST", "users/{victim}/servers/more"),
    ("DELETE", "users/{victim}/servers/more"),
    ("GET", "users/{victim}/server/progress"),
    ("GET", "users/{victim}/shared"),
    ("GET", "users/{victim}/tokens"),
    ("POST", "users/{victim}/tokens"),
    ("GET", "shares/{victim}/"),
    ("POST", "shares/{victim}/"),
    ("GET", "groups"),
    ("POST", "groups"),
    ("POST", "groups/admins/users"),
    ("GET", "services"),
    ("GET", "proxy"),
    ("POST", "proxy"),
    ("PATCH", "proxy"),
    ("POST", "shutdown"),
    ("GET", "info"),
    ("POST", "skiva/report"),
    ("POST", "skiva/extend"),
]
# A job may report and lengthen itself; other tests see that it does so for nobody else.
_OWN = {("job_token", ("POST", "skiva/report")), ("job_token", ("POST", "skiva/extend"))}
_ASKED_BY_ITS_OWNER = {"users/{victim}/shared", "shares/{victim}/", "users/{victim}/server/progress"}
"""What administrators' tokens may not see either, and what only a server that runs has."""


def _ask(session: Session, token: str, method: str, path: str, **options: Any) -> httpx.Response:
    headers = {"Authorization": f"token {token}"}
    return httpx.request(
        method, f"{session.url}/hub/api/{path}", headers=headers, timeout=60, trust_env=False, **options
    )


@pytest.fixture(scope="module")
def bystander(hub: HubClient) -> Iterator[str]:
    """Somebody whom the hub knows, and to whom administrators can do anything without harm."""
    hub.add_user("bystander")
    yield "bystander"
    assert hub.ask("DELETE", "users/bystander").status_code == 204


@pytest.mark.parametrize(
    ("key", "method", "path"),
    [(key, *one) for key in ("token", "job_token") for one in _OF_OTHERS if (key, one) not in _OWN],
)
def test_no_token_reaches_other_people(
    cluster: Any, victim: Session, intruder: Session, bystander: str, method: str, path: str, key: str
) -> None:
    """Neither a person's own token nor that of their job sees, starts, ends or changes anything of others."""
    body: dict[str, str] | None = {} if method in {"POST", "PATCH"} else None
    answer = _ask(victim, getattr(intruder, key), method, path.format(victim=victim.user), json=body)
    assert answer.status_code in {403, 404}, answer.text
    assert victim.nonce not in answer.text
    if answer.status_code == 404:
        # The hub hides so that others are there, but says the same of an address that does not exist.
        own = path in _ASKED_BY_ITS_OWNER
        token, whose = (intruder.token, intruder.user) if own else (cluster.admin_token, bystander)
        allowed = _ask(victim, token, method, path.format(victim=whose), json=body)
        assert allowed.status_code not in {401, 403, 404, 405}, allowed.text


def test_a_web_server_in_front_is_believed_what_it_tells(cluster: Any) -> None:
    """Behind TLS the cookies of whoever signed in are for TLS alone, and the log has people's addresses."""
    log = cluster.dir / "log" / "hub.log"
    before = log.stat().st_size
    for told in ({"X-Forwarded-Proto": "https", "X-Forwarded-For": "203.0.113.9"}, {}):
        with httpx.Client(base_url=cluster.url, headers=told, timeout=60, trust_env=False) as browser:
            form = {"username": "researcher3", "password": cluster.password}
            form["_xsrf"] = xsrf_of(browser.get("/hub/login").text)
            done = browser.post("/hub/login", data=form)
        assert done.status_code == 302, done.text
        mine = [one for one in done.headers.get_list("set-cookie") if not one.startswith("_xsrf=")]
        assert mine
        assert [("secure" in one.lower()) for one in mine] == [bool(told)] * len(mine)

    def logged() -> str:
        return str(log.read_bytes()[before:].decode(errors="replace"))

    wait_until(lambda: "@203.0.113.9" in logged(), 10, logged)


def test_the_hub_says_403_of_addresses_that_are_there(victim: Session, intruder: Session) -> None:
    """What the test above takes for a refusal is none of an address or a verb that does not exist."""
    for method, path in (("GET", "no-such"), ("POST", "no-such"), ("PATCH", "no-such"), ("PUT", "users")):
        answer = _ask(victim, intruder.token, method, path, json={})
        assert answer.status_code in {404, 405}, (method, path, answer.text)


def test_a_jobs_token_is_narrow(victim: Session) -> None:
    """It tells who it is and reports activity; it starts no server, lists no tokens, makes no token."""
    me = _ask(victim, victim.job_token, "GET", "user").json()
    assert me["name"] == victim.user
    assert not {"tokens", "servers", "auth_state", "admin"} & {name for name, value in me.items() if value}
    own = f"users/{victim.user}"
    for method, path in (
        ("GET", f"{own}/tokens"),
        ("POST", f"{own}/tokens"),
        ("POST", f"{own}/server"),
        ("DELETE", f"{own}/server"),
        ("PATCH", own),
    ):
        answer = _ask(victim, victim.job_token, method, path, json={})
        assert answer.status_code == 403, (method, path, answer.text)


def test_a_report_for_another_session_is_refused(victim: Session, intruder: Session, hub: HubClient) -> None:
    """A job that names another's nonce or job number is sent away, and the other's route stays as it was."""
    before = hub.get("proxy")[victim.prefix]["target"]
    proof = {"exclusive": True, "openable": 0, "denied": 0}
    for nonce, job in (
        (victim.nonce, victim.job_id),
        (victim.nonce, intruder.job_id),
        (intruder.nonce, victim.job_id),
    ):
        body = {"port": 31337, "nonce": nonce, "job_id": job, "restarts": 0, "proof": proof}
        answer = _ask(victim, intruder.job_token, "POST", "skiva/report", json=body)
        assert answer.status_code == 409, answer.text
    assert hub.get("proxy")[victim.prefix]["target"] == before
    own = body | {"nonce": intruder.nonce, "job_id": intruder.job_id}
    answer = _ask(victim, intruder.job_token, "POST", "skiva/report", json=own)
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(
    "body",
    [
        {"port": 80},
        {"host": "10.0.0.1"},
        {"exec_prefix": "id"},
        {"port": "31337"},
        {"nonce": "../x"},
        {"restarts": -1},
    ],
)
def test_a_report_has_its_fields_and_no_other(victim: Session, body: dict[str, object]) -> None:
    """A job's word is taken for the declared fields, in their bounds, and for no host or setting."""
    proof = {"exclusive": True, "openable": 0, "denied": 0}
    good = {"port": 31337, "nonce": victim.nonce, "job_id": victim.job_id, "restarts": 0, "proof": proof}
    answer = _ask(victim, victim.job_token, "POST", "skiva/report", json=good | body)
    assert answer.status_code == 400, answer.text
    assert _ask(victim, victim.job_token, "POST", "skiva/report", json=good).status_code == 200


def test_a_job_lengthens_itself_alone(cluster: Any, victim: Session, intruder: Session) -> None:
    """The request has no field in which another job could be named: the one who asks is lengthened."""
    before, own = _limit(cluster, victim), _limit(cluster, intruder)
    body = {"job_id": victim.job_id, "user": victim.user, "nonce": victim.nonce}
    answer = _ask(victim, intruder.job_token, "POST", "skiva/extend", json=body)
    assert answer.status_code == 200, answer.text
    assert _limit(cluster, intruder) != own
    assert _limit(cluster, victim) == before


def _limit(cluster: Any, session: Session) -> str:
    done = cluster.run_as("root", ["/usr/bin/squeue", "-ho", "%l", "-j", str(session.job_id)])
    assert done.stdout.strip(), done.stderr
    return str(done.stdout)


def test_batchspawners_own_callback_is_not_there(victim: Session, cluster: Any) -> None:
    """The route by which a job could set attributes of a spawner does not exist for any token or verb."""
    for token in (victim.job_token, victim.token, cluster.admin_token):
        for method in ("GET", "POST", "PUT"):
            assert _ask(victim, token, method, "batchspawner", json={"port": 31337}).status_code == 404
    # A handler that is there answers 405 to other verbs, and 400 to a job that says too little.
    assert _ask(victim, victim.job_token, "GET", "skiva/report").status_code == 405
    assert _ask(victim, victim.job_token, "POST", "skiva/report", json={"port": 31337}).status_code == 400


def test_the_stream_tells_of_ones_own_jobs(victim: Session, intruder: Session, cluster: Any) -> None:
    """Whoever listens hears of their own jobs and of numbers; without a token nobody hears anything."""
    address = f"{victim.url}/services/skiva/stream"
    headers = {"Authorization": f"token {intruder.job_token}"}
    with httpx.stream("GET", address, headers=headers, timeout=30, trust_env=False) as answer:
        assert answer.status_code == 200
        told = next(line for line in answer.iter_lines() if line.startswith("data: "))
    jobs = {job["job_id"] for job in json.loads(told.removeprefix("data: "))["jobs"]}
    assert intruder.job_id in jobs
    assert victim.job_id not in jobs
    assert victim.user not in told
    assert victim.nonce not in told
    for given in ({}, {"Authorization": "token wrong"}, {"Authorization": f"token {cluster.admin_token}"}):
        assert httpx.get(address, headers=given, timeout=30, trust_env=False).status_code == 403


def test_the_numbers_are_for_people_who_sign_in(victim: Session, intruder: Session, cluster: Any) -> None:
    """The API of the spawn page's numbers refuses strangers and tokens of services."""
    assert _ask(victim, intruder.token, "GET", "skiva/slices").status_code == 200
    address = f"{victim.url}/hub/api/skiva/slices"
    assert httpx.get(address, timeout=30, trust_env=False).status_code == 403
    assert _ask(victim, cluster.admin_token, "GET", "skiva/slices").status_code == 403


@pytest.mark.parametrize("mode", ["", "no-cors", "navigate"])
def test_a_form_of_another_site_starts_nothing(cluster: Any, hub: HubClient, mode: str) -> None:
    """Signed in, but without the token of the hub's own page, a POST is refused and nothing starts."""
    headers = {"Sec-Fetch-Mode": mode, "Sec-Fetch-Site": "cross-site"} if mode else {}
    with sign_in(cluster.url, "researcher3", cluster.password) as client:
        for path in ("/hub/spawn", "/hub/spawn/researcher3"):
            answer = client.post(path, data={"slice": "cpu", "hours": "1"}, headers=headers)
            assert answer.status_code == 403, answer
        stolen = {"slice": "cpu", "hours": "1", "_xsrf": xsrf_of(httpx.get(f"{cluster.url}/hub/login").text)}
        assert client.post("/hub/spawn", data=stolen, headers=headers).status_code == 403
        assert client.post("/hub/api/users/researcher3/server", json={}, headers=headers).status_code == 403
        # It was the token that was wrong: with the form's own it is the wish that is looked at.
        own = {"slice": "none", "hours": "1", "_xsrf": xsrf_of(client.get("/hub/spawn").text)}
        for path in ("/hub/spawn", "/hub/spawn/researcher3"):
            assert client.post(path, data=own, headers=headers).status_code == 400
        marked = {**headers, "X-XSRFToken": own["_xsrf"]}
        wish = {"slice": "none"}
        answer = client.post("/hub/api/users/researcher3/server", json=wish, headers=marked)
        assert (answer.status_code, "slice: none" in answer.text) == (400, True), answer.text
        for query in ("slice=cpu&hours=1", "opt-slice=cpu", "slice=cpu&_xsrf=x"):
            assert "spawn_form" in client.get(f"/hub/spawn?{query}", headers=headers).text
    server = hub.server("researcher3")
    assert server is None or (server["stopped"] and not server["pending"])


_HOSTILE = "</script><img src=x onerror=alert(1)>\"'{{7*7}}"


def test_hostile_words_in_slurm_are_harmless(cluster: Any, wait_for: Callable[..., Any]) -> None:
    """A job's name and comment and a node's reason are never markup on a page."""
    node = cluster.run_as("root", ["/usr/bin/sinfo", "-hN", "-p", "slices", "-o", "%N"]).stdout.split()[0]
    options = ["--partition=cpu", "--mem=50", "--output=/dev/null", f"--job-name={_HOSTILE}"]
    job = cluster.submit("researcher2", *options, f"--comment=skiva:x:{_HOSTILE}:y", script="exec sleep 600")
    drain = ["/usr/bin/scontrol", "update", f"NodeName={node}", "State=DRAIN", f"Reason={_HOSTILE}"]
    assert cluster.run_as("root", drain).returncode == 0
    try:
        with sign_in(cluster.url, "researcher3", cluster.password) as client:
            wait_for(lambda: "7 out of service" in client.get("/hub/spawn").text, seconds=60)
            for shown in (["job", str(job)], ["node", node]):  # Slurm has kept all of it
                argv = ["/usr/bin/scontrol", "show", *shown]
                assert "onerror=alert(1)" in cluster.run_as("root", argv).stdout, shown
            for path in ("/hub/spawn", "/hub/home", "/hub/api/skiva/slices"):
                page = client.get(path)
                assert "onerror" not in page.text, path
            assert page.headers["Content-Type"].startswith("application/json")
    finally:
        cluster.run_as("root", ["/usr/bin/scontrol", "update", f"NodeName={node}", "State=RESUME"])
        cluster.run_as("root", ["/usr/bin/scancel", str(job)])


def test_a_hostile_log_is_shown_as_text(cluster: Any, hub: HubClient, wait_for: Callable[..., Any]) -> None:
    """The last lines of a session's log on the page of its end are escaped, whatever a program wrote."""
    hub.start_server("researcher3", {"slice": "cpu", "hours": 1})
    record = hub.wait_ready("researcher3", 120)["state"]["session"]
    log = Path(f"/home/researcher3/.local/state/skiva/servers/{record['nonce']}/log")
    with log.open("a") as file:
        file.write(f"\n</pre>{_HOSTILE}\x1b[31m\x00\n")
    cluster.run_as("root", ["/usr/bin/scancel", str(record["job_id"])])
    with sign_in(cluster.url, "researcher3", cluster.password) as client:
        ended = "its job was cancelled in Slurm"
        page = wait_for(lambda: ended in (told := client.get("/user/researcher3/").text) and told, seconds=60)
    assert "<img" not in page.split(ended)[1]
    assert "&lt;/pre&gt;&lt;/script&gt;&lt;img" in page
    assert "\x1b" not in page


_ODD_NAMES = [
    "a" * 1_000_000,
    "<'&\">",
    "../../etc/passwd",
    "x\r\n[E] forged",
    "\u202egnp.exe",
    "root",
    "skiva-hub",
]


def test_odd_names_are_refused_and_flood_no_log(cluster: Any, wait_for: Callable[..., Any]) -> None:
    """A megabyte for a name, markup, a path, a line break, accounts of the machine's: no, and a short line.

    Though the password is the right one; of a name whose password is right JupyterHub notes all of it.
    """
    log = cluster.dir / "log" / "hub.log"
    before = log.stat().st_size
    with httpx.Client(base_url=cluster.url, timeout=60, trust_env=False) as client:

        def signed_in(name: str) -> httpx.Response:
            form = {"username": name, "password": cluster.password if len(name) < 100 else "x" * 12}
            return client.post("/hub/login", data=form | {"_xsrf": xsrf_of(client.get("/hub/login").text)})

        for name in _ODD_NAMES:
            answer = signed_in(name)
            assert answer.status_code == 403, (name[:20], answer)
            assert "Invalid username or password" in answer.text
            assert "<'&\">" not in answer.text
        assert signed_in("researcher3").status_code == 302
    written = log.read_bytes()[before:]
    assert len(written) < 20_000
    assert b"\n[E] forged" not in written


def test_oversized_bodies_are_refused(cluster: Any, victim: Session, hub: HubClient) -> None:
    """Megabytes, deep nests and thousands of names as options or as a report get a 400 and a short line."""
    log = cluster.dir / "log" / "hub.log"
    before = log.stat().st_size
    bodies = [
        json.dumps({"slice": "x" * 10_000_000}),
        "[" * 100_000 + "]" * 100_000,
        '{"slice": "\\ud800"}',
        "\xff",
        json.dumps({f"k{number}": number for number in range(60_000)}),
        json.dumps({f"k{number}": number for number in range(600_000)}),
    ]
    own = hub.user_token("researcher3")
    for token, path in ((own, "users/researcher3/server"), (victim.job_token, "skiva/report")):
        for body in bodies:
            try:
                answer = _ask(victim, token, "POST", path, content=body.encode("latin-1"))
            except httpx.RemoteProtocolError:
                assert len(body) > 1024 * 1024  # it was not heard out
            else:
                assert answer.status_code in ({400, 502} if len(body) > 1024 * 1024 else {400}), body[:20]
                assert len(answer.text) < 5_000 or answer.status_code == 502
    assert log.stat().st_size - before < 40_000


@pytest.fixture(autouse=True)
def _researcher3_ends(hub: HubClient) -> Any:
    """Leave no session of the one who has none."""
    yield
    server = hub.server("researcher3")
    if server and not server["stopped"]:
        with suppress(AssertionError):
            hub.stop_server("researcher3")
        hub.wait_stopped("researcher3", 60)
