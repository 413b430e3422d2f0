"""The two requests that a job may make of the hub, and who may make them."""

import json
from collections.abc import Mapping
from typing import Any
from unittest.mock import Mock

import pytest
from jupyterhub.apihandlers import default_handlers
from pydantic import ValidationError
from tests.fakes.hub import FakeCluster, FakeHub
from tornado import web
from tornado.httputil import HTTPHeaders, HTTPServerRequest, RequestStartLine

from skiva_spawners.report import ExtendHandler, LeavingHandler, Report, ReportHandler, register

REPORT = {
    "port": 2000,
    "nonce": "0123456789abcdef",
    "job_id": 7,
    "restarts": 0,
    "proof": {"exclusive": True, "openable": 1, "denied": 6},
}


def ask(
    hub: FakeHub, handler: type[Any], token: str | None, body: str | bytes = "", user: Any = None
) -> tuple[int, Any]:
    """Make a request as the job that holds `token`; the answer's status and its JSON, or what is said."""
    answered: list[str] = []
    asked = type(
        "Asked",
        (handler,),
        {
            "set_default_headers": lambda _: None,
            "current_user": user if user is not None else hub.user,
            "finish": lambda _, text: answered.append(text),
        },
    )
    headers = HTTPHeaders({"Host": "hub"} | ({} if token is None else {"Authorization": f"token {token}"}))
    sent = body if isinstance(body, bytes) else body.encode()
    line = RequestStartLine("POST", "/", "HTTP/1.1")
    request = HTTPServerRequest(headers=headers, body=sent, connection=Mock(), start_line=line)
    try:
        hub.wait(asked(web.Application(), request).post())
    except web.HTTPError as refusal:
        return refusal.status_code, refusal.log_message
    return 200, json.loads(answered[0])


def token_of(hub: FakeHub) -> str:
    """The token that the session's job holds."""
    assert hub.session is not None
    return hub.session.record.api_token


def test_a_session_opens_by_its_own_report(hub: FakeHub, cluster: FakeCluster) -> None:
    """The token in its private file, and its own words, are all that a job has."""
    number = hub.submit()
    cluster.run(number)
    told = cluster.report(number).model_dump_json()
    assert ask(hub, ReportHandler, token_of(hub), told) == (200, {"heard": True})
    hub.pass_time(2)
    assert hub.is_open(number)
    assert ask(hub, ReportHandler, token_of(hub), told) == (200, {"heard": True})


def test_another_token_opens_nothing(hub: FakeHub, cluster: FakeCluster) -> None:
    """No token, the person's own, and those of people and services without servers are refused."""
    number = hub.submit()
    cluster.run(number)
    told = cluster.report(number).model_dump_json()
    for token in (None, "", "0" * 32, hub.user.new_api_token(note="the person's own")):
        assert ask(hub, ReportHandler, token, told)[0] == 403
    assert ask(hub, ReportHandler, token_of(hub), told, user=Mock(spec=[]))[0] == 403
    hub.pass_time(5)
    assert hub.session is not None
    assert hub.session.heard is None


def test_the_token_of_a_session_that_has_ended_is_worth_nothing(hub: FakeHub, cluster: FakeCluster) -> None:
    """Neither to report nor to ask for more time, nor for the next session under the same name."""
    number = hub.open()
    token, told = token_of(hub), cluster.report(number).model_dump_json()
    cluster.silent = True
    hub.wait(hub.cancel())
    cluster.silent = False
    assert ask(hub, ReportHandler, token, told)[0] == 403
    assert ask(hub, ExtendHandler, token)[0] == 403
    hub.pass_time(30)
    hub.submit()
    assert ask(hub, ReportHandler, token, told)[0] == 403


def test_an_obsolete_job_is_told_so_and_an_early_one_to_try_again(hub: FakeHub, cluster: FakeCluster) -> None:
    """409 ends it, 503 lets it try again; so does a Slurm that does not answer."""
    number = hub.submit()
    early = cluster.report(number)
    assert ask(hub, ReportHandler, token_of(hub), early.model_dump_json())[0] == 503
    cluster.run(number)
    other = early.model_copy(update={"job_id": 999}).model_dump_json()
    assert ask(hub, ReportHandler, token_of(hub), other)[0] == 409
    cluster.silent = True
    assert ask(hub, ReportHandler, token_of(hub), early.model_dump_json())[0] == 503


def test_a_report_that_is_none_is_refused_with_the_name_of_its_field(hub: FakeHub) -> None:
    """In one word of ASCII; a long body is not even read."""
    hub.submit()
    odd = json.dumps(REPORT | {"p\u00f6rt\n": 1})
    assert ask(hub, ReportHandler, token_of(hub), odd) == (400, r"The report is not valid: 'p\xf6rt\n'.")
    assert ask(hub, ReportHandler, token_of(hub), "[1]")[0] == 400
    assert ask(hub, ReportHandler, token_of(hub), b"\xff")[0] == 400
    long = json.dumps(REPORT) + " " * (64 << 10)
    assert ask(hub, ReportHandler, token_of(hub), long) == (400, "The report is too long.")
    just = json.dumps(REPORT).ljust(64 << 10)
    assert ask(hub, ReportHandler, token_of(hub), just)[0] == 409


def test_a_job_asks_for_more_time(hub: FakeHub, cluster: FakeCluster) -> None:
    """It is told its new end, or why not."""
    number = hub.open(slice="h100", hours=2)
    start = cluster.jobs[number].start or 0
    for hours in (3, 4):
        assert ask(hub, ExtendHandler, token_of(hub)) == (200, {"ends": start + hours * 3600})
    status, sentence = ask(hub, ExtendHandler, token_of(hub))
    assert (status, sentence) == (409, "A session on this slice may last 4 hours at most.")
    cluster.change(number, state="PENDING")
    hub.pass_time(5)
    assert ask(hub, ExtendHandler, token_of(hub))[0] == 409


def test_a_session_that_says_it_ends_is_gone_as_soon_as_slurm_says_so(
    hub: FakeHub, cluster: FakeCluster
) -> None:
    """The hub looks each second, instead of when its next reading is due; the word alone ends nothing."""
    number = hub.open()
    hub.polls = False
    hub.pass_time(60)
    readings = cluster.reader.job_readings
    for _ in range(3):
        assert ask(hub, LeavingHandler, token_of(hub)) == (200, {"heard": True})
    hub.pass_time(3)
    assert hub.is_open(number)
    assert cluster.reader.job_readings - readings <= 4, "saying it often asks Slurm no more"
    cluster.end(number)
    hub.pass_time(1.5)
    assert (hub.session, hub.route) == (None, "")


def test_a_session_that_only_says_it_ends_stays(hub: FakeHub, cluster: FakeCluster) -> None:
    """After a while nobody looks any more, and it is as it was."""
    number = hub.open()
    assert ask(hub, LeavingHandler, token_of(hub)) == (200, {"heard": True})
    hub.pass_time(60)
    readings = cluster.reader.job_readings
    hub.pass_time(30)
    assert hub.is_open(number)
    assert cluster.reader.job_readings - readings <= 7
    assert ask(hub, LeavingHandler, "0" * 32)[0] == 403


@pytest.mark.parametrize(
    "change",
    [
        {"port": 1023}, {"port": 65536}, {"port": "2000"}, {"port": 2000.0}, {"port": True},
        {"nonce": "0123456789abcdeg"}, {"nonce": "0123456789abcde"}, {"nonce": "0123456789abcdef\n"},
        {"job_id": 0}, {"job_id": "7"}, {"restarts": -1}, {"restarts": 10_001},
        {"digest": "sha256:12"}, {"digest": "sha256:" + "0" * 64 + "\n"}, {"host": "10.0.0.1"},
        {"proof": {"exclusive": True, "openable": -1, "denied": 0}},
        {"proof": {"exclusive": True, "openable": 1, "denied": -1}},
        {"proof": {"exclusive": True, "openable": 100_001, "denied": 0}},
        {"proof": {"exclusive": True, "openable": 1, "denied": 100_001}},
        {"proof": {"exclusive": True, "openable": 1, "denied": 0, "memory_limit": -1}},
        {"proof": {"exclusive": True, "openable": 1, "denied": 0, "sentence": "x" * 401}},
        {"proof": {"exclusive": True, "openable": 1, "denied": 0, "more": 1}},
        {"proof": {"openable": 1, "denied": 0}},
    ],
)  # fmt: skip
def test_a_report_holds_bounded_numbers_and_nothing_else(change: Mapping[str, object]) -> None:
    """What a job sends is a user's word."""
    with pytest.raises(ValidationError):
        Report.model_validate(REPORT | dict(change))


@pytest.mark.parametrize(
    "change",
    [
        {"port": 1024}, {"port": 65535}, {"job_id": 1}, {"restarts": 10_000},
        {"digest": "sha256:" + "0" * 64},
        {"proof": {"exclusive": False, "openable": 0, "denied": 0, "memory_limit": 0, "sentence": "x" * 400}},
        {"proof": {"exclusive": False, "openable": 100_000, "denied": 100_000}},
    ],
)  # fmt: skip
def test_a_report_at_its_bounds_is_one(change: Mapping[str, object]) -> None:
    """The bounds refuse no honest job."""
    assert Report.model_validate(REPORT | dict(change)).nonce == REPORT["nonce"]


def test_jobs_have_three_routes_and_batchspawners_is_not_among_them() -> None:
    """However often they are registered."""
    kept = list(default_handlers)
    try:
        register()
        register()
        routes = [handler[0] for handler in default_handlers]
        ours = [route for route in routes if "skiva" in route]
        assert ours == ["/api/skiva/report", "/api/skiva/extend", "/api/skiva/leaving"]
        assert not [handler for handler in default_handlers if "batchspawner" in handler[1].__module__]
        assert len(default_handlers) > 20
    finally:
        default_handlers[:] = kept
