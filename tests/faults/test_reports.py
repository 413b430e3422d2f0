"""What a job may tell the hub, and what nobody may (the callback)."""

import json
import secrets
from contextlib import suppress
from typing import Any

import httpx
from tests.support.faults import LIGHT, MINI, Faults
from tests.support.invariants import check
from tests.support.waiting import wait_until


def _report(faults: Faults, token: str, body: object, path: str = "skiva/report") -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Authorization": f"token {token}", "Content-Type": "application/json"}
    url = f"{faults.cluster.url}/hub/api/{path}"
    return httpx.post(url, content=content, headers=headers, timeout=30, trust_env=False)


def _session(faults: Faults, user: str, name: str = "") -> dict[str, Any]:
    row = faults.owner(user, name)
    assert row is not None
    return row.session


def _is_back(session: dict[str, Any]) -> bool:
    """Whether it was requeued once and people are led to it again."""
    return (session["restarts"], session["phase"]) == (1, "ready")


def _told(faults: Faults, user: str, name: str = "") -> dict[str, Any]:
    """What this session's job reported."""
    heard: dict[str, Any] = _session(faults, user, name)["heard"]
    return heard


def test_only_a_sessions_own_token_reports_for_it(faults: Faults) -> None:
    """Others' tokens, the owner's own, another server's, an operator's and made-up ones change nothing."""
    places = [("researcher1", ""), ("researcher1", "other"), ("researcher2", "")]
    faults.start_all(dict.fromkeys(places, LIGHT))
    before = [_session(faults, *place) for place in places]
    forged = _told(faults, "researcher1") | {"port": 20001}
    tokens = {
        "another person's session": _session(faults, "researcher2")["api_token"],
        "the same person's other session": _session(faults, "researcher1", "other")["api_token"],
        "the person": faults.client.user_token("researcher1"),
        "an operator": faults.cluster.admin_token,
        "nobody": secrets.token_hex(16),
    }
    answers = {whose: _report(faults, token, forged).status_code for whose, token in tokens.items()}
    # The other session is known, but this is not its job.
    assert answers == {**dict.fromkeys(tokens, 403), **dict.fromkeys(list(tokens)[:2], 409)}
    assert [_session(faults, *place) for place in places] == before
    assert _report(faults, before[0]["api_token"], before[0]["heard"]).status_code == 200
    check(faults.cluster, faults.client)


def test_a_report_that_is_told_again_changes_nothing(faults: Faults) -> None:
    """Replays are answered alike; with another port it neither moves the route nor the record."""
    faults.start_all({("researcher1", ""): LIGHT})
    before, routes = _session(faults, "researcher1"), faults.client.get("proxy").keys()
    for body in (before["heard"], before["heard"], before["heard"] | {"port": 20001}):
        assert _report(faults, before["api_token"], body).status_code == 200
    assert _session(faults, "researcher1") == before
    assert faults.client.get("proxy").keys() == routes
    check(faults.cluster, faults.client)


def test_the_token_of_a_session_that_has_ended_is_worth_nothing(faults: Faults) -> None:
    """What a job has kept of its token opens nothing after its end."""
    faults.start_all({("researcher1", ""): LIGHT})
    session = _session(faults, "researcher1")
    assert _report(faults, session["api_token"], session["heard"]).status_code == 200
    faults.client.stop_server("researcher1")
    faults.client.wait_stopped("researcher1")
    wait_until(
        lambda: _report(faults, session["api_token"], session["heard"]).status_code == 403,
        10,
        "403",
        every=0.5,
    )


_WRONG: dict[str, dict[str, Any]] = {
    "host": {"host": "10.0.0.9"},
    "ip": {"ip": "10.0.0.9"},
    "url": {"url": "http://10.0.0.9:80"},
    "a setting": {"req_partition": "secret"},
    "a command": {"batch_query_cmd": "id", "exec_prefix": "sudo"},
    "a private name": {"_spawn_pending": False},
    "proof's extra": {"proof": {"exclusive": True, "openable": 1, "denied": 6, "host": "x"}},
    "port 80": {"port": 80},
    "port 65536": {"port": 65536},
    "port as text": {"port": "20001"},
    "port as truth": {"port": True},
    "port as fraction": {"port": 20001.5},
    "no port": {"port": None},
    "nonce with a line": {"nonce": "0123456789abcdef\n"},
    "nonce elsewhere": {"nonce": "../../../etc/x"},
    "job as text": {"job_id": "1"},
    "job -1": {"job_id": -1},
    "restarts -1": {"restarts": -1},
    "a long sentence": {"proof": {"exclusive": True, "openable": 1, "denied": 6, "sentence": "x" * 1000}},
}


def test_a_report_holds_its_fields_and_nothing_else(faults: Faults) -> None:
    """Fields of a spawner, a host, odd numbers, odd bytes and long bodies are refused, without effect."""
    faults.start_all({("researcher1", ""): LIGHT})
    session = _session(faults, "researcher1")
    token, good = session["api_token"], session["heard"]
    bodies: dict[str, object] = {name: good | wrong for name, wrong in _WRONG.items()}
    bodies |= {
        "nothing": b"",
        "no JSON": b"{",
        "a list": [good],
        "no text": b'{"port": "\xff\xfe"}',
        "null": None,
    }
    bodies |= {"deep": b"[" * 50_000, "long": good | {"proof": "x" * 100_000}}
    answers = {name: _report(faults, token, body).status_code for name, body in bodies.items()}
    assert answers == dict.fromkeys(bodies, 400)
    with suppress(httpx.RemoteProtocolError):  # whoever has so much to say is not heard out
        assert _report(faults, token, b'{"x": "' + b"x" * 12_000_000 + b'"}').status_code in {400, 502}
    assert _session(faults, "researcher1") == session
    assert _report(faults, token, good).status_code == 200
    check(faults.cluster, faults.client)


def test_a_report_of_an_earlier_run_is_obsolete(faults: Faults) -> None:
    """After a requeue the old run's word is 409, a future run's is not believed, the present one counts."""
    faults.start_all({("researcher2", ""): MINI})
    old = _session(faults, "researcher2")
    faults.requeue(faults.job_of("researcher2"))
    wait_until(lambda: _is_back(_session(faults, "researcher2")), 40, "it runs again", every=0.2)
    new = _session(faults, "researcher2")
    assert _report(faults, new["api_token"], old["heard"]).status_code == 409
    assert _report(faults, new["api_token"], new["heard"] | {"restarts": 2}).status_code == 503
    assert _report(faults, new["api_token"], new["heard"] | {"job_id": 10**6}).status_code == 409
    assert _report(faults, new["api_token"], new["heard"]).status_code == 200
    assert _session(faults, "researcher2") == new
    check(faults.cluster, faults.client)
