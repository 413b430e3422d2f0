"""What Slurm does to a session's job: requeued, preempted, held, suspended, cancelled, its node lost."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.support.faults import LIGHT, MINI, Faults
from tests.support.invariants import check, live_jobs
from tests.support.visitor import sign_in
from tests.support.waiting import wait_until

_ALL_SEVEN = ("--partition=slices", "--gres=gpu:1g.10gb:7", "--mem=100", "--output=/dev/null")


def _target(faults: Faults, user: str) -> str | None:
    """Where the proxy sends what is for a person's server; None where there is no route."""
    route = faults.client.get("proxy").get(f"/user/{user}/")
    return str(route["target"]) if route else None


@contextmanager
def _everything_taken(faults: Faults) -> Iterator[int]:
    """A stranger's job that holds, or wants, all seven MIG instances."""
    job = faults.cluster.submit("instructor1", *_ALL_SEVEN, script="sleep 1000")
    try:
        yield job
    finally:
        faults.slurm("scancel", str(job))


def _hears(faults: Faults, user: str, words: str) -> None:
    """The pending page says this."""
    assert any(words in event["message"] for event in faults.client.progress(user))


def _returns(faults: Faults, user: str, job: int, left: str) -> None:
    """The server is there again, in the next run of the same job, at another port, proved anew."""
    faults.client.wait_ready(user, 40)
    faults.wait_hello(user)
    assert faults.job_of(user) == job
    row = faults.owner(user)
    assert row is not None
    assert row.session["restarts"] == 1
    assert _target(faults, user) not in {None, left}
    check(faults.cluster, faults.client)


def test_a_requeued_session_keeps_its_address(faults: Faults) -> None:
    """While its job is back in the queue it has no route; then it is the same address, at another port."""
    faults.start_all({("researcher1", ""): MINI})
    job, left = faults.job_of("researcher1"), _target(faults, "researcher1")
    with _everything_taken(faults):
        faults.slurm("scontrol", "requeue", str(job))
        wait_until(lambda: _target(faults, "researcher1") is None, 20, "the route is gone", every=0.1)
        model = faults.client.server("researcher1")
        assert model is not None
        assert (model["pending"], model["url"]) == ("spawn", "/user/researcher1/")
        assert not faults.says_hello("researcher1")
        _hears(faults, "researcher1", "back into the queue")
    faults.hasten(job)
    _returns(faults, "researcher1", job, str(left))


def test_a_session_that_was_requeued_while_the_hub_was_dead_comes_back(faults: Faults) -> None:
    """The hub that comes back believes neither its old route nor the report of the earlier run."""
    faults.start_all({("researcher2", ""): MINI})
    job, left = faults.job_of("researcher2"), _target(faults, "researcher2")
    faults.hub.kill()
    faults.slurm("scontrol", "requeue", str(job))
    faults.hasten(job)
    faults.cluster.wait_state(job, "RUNNING")
    faults.hub.start()
    _returns(faults, "researcher2", job, str(left))


def test_a_preempted_session_comes_back_when_there_is_room(faults: Faults) -> None:
    """A job of higher priority takes its place; the session waits under its old address and returns."""
    faults.start_all({("researcher3", ""): {**MINI, "slice": "low"}})
    job, left = faults.job_of("researcher3"), _target(faults, "researcher3")
    with _everything_taken(faults) as other:
        faults.cluster.wait_state(other, "RUNNING", seconds=40)
        wait_until(lambda: _target(faults, "researcher3") is None, 20, "the route is gone", every=0.1)
    faults.hasten(job)
    _returns(faults, "researcher3", job, str(left))


def test_a_held_job_waits_and_says_why(faults: Faults) -> None:
    """A hold is no end: the pending page tells it, and the start goes on when it is released."""
    with _everything_taken(faults) as other:
        faults.cluster.wait_state(other, "RUNNING")
        faults.client.start_server("researcher1", MINI)
        job = wait_until(lambda: next((j.id for j in live_jobs(faults.cluster)), None), 20, "the job")
        faults.slurm("scontrol", "hold", str(job))
        _hears(faults, "researcher1", "has put this session on hold")
    faults.slurm("scontrol", "release", str(job))
    faults.client.wait_ready("researcher1", 30)
    check(faults.cluster, faults.client)


def test_a_suspended_session_stays_also_when_the_hub_restarts(faults: Faults) -> None:
    """A suspended server does not answer, which is no end: resumed it goes on, in the same run."""
    faults.start_all({("researcher1", ""): LIGHT, ("researcher2", ""): LIGHT})
    stays, proved_anew = faults.job_of("researcher1"), faults.job_of("researcher2")
    faults.slurm("scontrol", "suspend", str(stays))
    faults.cluster.wait_state(stays, "SUSPENDED")
    readings = faults.count("readings")
    wait_until(lambda: faults.count("readings") > readings + 2, 20, "the hub has seen it", every=0.2)
    model = faults.client.server("researcher1")
    assert model is not None
    assert model["ready"]
    faults.slurm("scontrol", "suspend", str(proved_anew))
    faults.hub.restart()
    faults.slurm("scontrol", "resume", str(stays))
    faults.slurm("scontrol", "resume", str(proved_anew))
    for user, job in (("researcher1", stays), ("researcher2", proved_anew)):
        faults.client.wait_ready(user, 60)
        faults.wait_hello(user)
        assert faults.job_of(user) == job
    check(faults.cluster, faults.client)


def _cancelled(faults: Faults, job: int) -> None:
    faults.slurm("scancel", str(job), user="researcher1")


def _node_lost(faults: Faults, job: int) -> None:
    faults.slurm("scontrol", "update", f"JobId={job}", "Requeue=0")
    node = faults.slurm("squeue", "-h", "-o", "%N", "-j", str(job)).strip()
    with faults.cluster.without("mig"):
        faults.slurm("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=test")
        faults.cluster.wait_state(job, "NODE_FAIL")


def _server_killed(faults: Faults, job: int) -> None:
    faults.slurm("scancel", "--batch", "--signal=KILL", str(job))


@pytest.mark.parametrize(
    ("end", "words"),
    [
        (_cancelled, "its job was cancelled in Slurm"),
        (_node_lost, "its compute node failed"),
        (_server_killed, "its server stopped with an error"),
    ],
)
def test_the_end_of_a_session_is_seen_and_told_in_its_own_words(faults: Faults, end: Any, words: str) -> None:
    """The route goes at once, and the page says what happened instead of offering a dead link."""
    faults.start_all({("researcher1", ""): MINI})
    end(faults, faults.job_of("researcher1"))
    faults.client.wait_stopped("researcher1", 30)
    row = faults.owner("researcher1")
    assert row is not None
    assert words in row.failure["sentence"]
    assert _target(faults, "researcher1") is None
    with sign_in(faults.cluster.url, "researcher1", faults.cluster.password) as browser:
        wait_until(lambda: words in browser.get("/user/researcher1/lab").text, 10, "the page tells it")
    check(faults.cluster, faults.client)


def test_a_session_returns_after_its_node_did(faults: Faults) -> None:
    """A node fails under a job that may be requeued: the session waits for another run of it."""
    faults.start_all({("researcher2", ""): MINI})
    job, left = faults.job_of("researcher2"), _target(faults, "researcher2")
    node = faults.slurm("squeue", "-h", "-o", "%N", "-j", str(job)).strip()
    with faults.cluster.without("mig"):
        faults.slurm("scontrol", "update", f"NodeName={node}", "State=DOWN", "Reason=test")
        wait_until(lambda: _target(faults, "researcher2") is None, 20, "the route is gone", every=0.1)
    faults.hasten(job)
    _returns(faults, "researcher2", job, str(left))
