"""Slurm does not answer, answers nonsense, or cannot be asked: nothing is lost, and people are told."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import httpx
from tests.support.faults import LIGHT, MINI, PEOPLE, Faults
from tests.support.invariants import check, live_jobs
from tests.support.visitor import sign_in
from tests.support.waiting import wait_until

_WAYS = ("fail", "hang", "garble", "truncate", "empty", "flood")


@contextmanager
def _unreadable(faults: Faults, how: str) -> Iterator[None]:
    """Until two readings have failed this way; after it, the next good one."""
    with faults.spoiled("squeue", "scontrol", how=how):
        before = faults.count("failures")
        wait_until(lambda: faults.count("failures") >= before + 2, 30, f"readings fail ({how})", every=0.2)
        yield
    good = faults.count("readings")
    wait_until(lambda: faults.count("readings") > good, 40, f"readings are good again ({how})", every=0.2)


def test_twenty_servers_outlive_everything_that_slurm_says(faults: Faults) -> None:
    """20 servers under failing, hanging, garbled, cut off, empty and endless answers: none is dropped."""
    servers = [(user, f"s{n}") for user in PEOPLE for n in range(7)][:20]
    faults.start_all(dict.fromkeys(servers, LIGHT), seconds=150)
    jobs = {job.id for job in live_jobs(faults.cluster)}
    assert len(jobs) == 20
    for how in _WAYS:
        with _unreadable(faults, how):
            _all_there(faults, servers)
    with faults.frozen("slurmctld"):
        _people_are_told(faults, *servers[0])
        _all_there(faults, servers)
    with faults.cluster.without("slurmctld"):
        _all_there(faults, servers)
    good = faults.count("readings")
    wait_until(lambda: faults.count("readings") > good, 40, "the queue is read again", every=0.2)
    _all_there(faults, servers)
    assert {job.id for job in live_jobs(faults.cluster)} == jobs
    check(faults.cluster, faults.client)


def _all_there(faults: Faults, servers: list[tuple[str, str]]) -> None:
    with ThreadPoolExecutor(8) as pool:
        models = list(pool.map(lambda s: faults.client.server(*s), servers))
        hellos = list(pool.map(lambda s: faults.says_hello(*s), servers))
    assert [model["ready"] if model else None for model in models] == [True] * len(servers)
    assert hellos == [True] * len(servers)


def _people_are_told(faults: Faults, user: str, name: str) -> None:
    """The numbers, the form and the notebooks' stream say that the scheduler is silent."""
    url, words = faults.cluster.url, "scheduler has not answered"
    row = faults.owner(user, name)
    assert row is not None
    with faults.client.as_user(user) as mine, sign_in(url, user, faults.cluster.password) as browser:
        notice = wait_until(lambda: mine.get("skiva/slices")["notice"], 60, "the numbers tell it", every=0.5)
        assert words in notice["text"]
        assert words in browser.get("/hub/spawn").text
        with httpx.stream(
            "GET",
            f"{url}/services/skiva/stream",
            headers={"Authorization": f"token {row.session['api_token']}"},
            timeout=20,
            trust_env=False,
        ) as stream:
            data = next(line for line in stream.iter_lines() if line.startswith("data: "))
    assert words in json.loads(data.removeprefix("data: "))["trouble"]


def test_starts_whose_submission_is_not_answered(faults: Faults) -> None:
    """One was taken all the same and is found by its tag; the other was not, and its person is told so."""
    with (
        faults.spoiled("sbatch", how="lose", user="researcher1"),
        faults.spoiled("sbatch", how="fail", user="researcher2"),
    ):
        for user in PEOPLE[:2]:
            faults.client.start_server(user, MINI)
        assert not faults.outcome("researcher1", 60)
        assert "scheduler did not answer" in faults.outcome("researcher2", 60)
    faults.wait_hello("researcher1")
    assert [job.user for job in live_jobs(faults.cluster)] == ["researcher1"]
    check(faults.cluster, faults.client)


def test_a_cancel_that_slurm_does_not_hear_is_made_up_for(faults: Faults) -> None:
    """The person has stopped the server; the job ends as soon as Slurm can be told."""
    faults.start_all({("researcher3", ""): MINI})
    with faults.spoiled("scancel", how="fail"):
        faults.client.stop_server("researcher3")
        faults.client.wait_stopped("researcher3", 40)
        assert len(live_jobs(faults.cluster)) == 1
    wait_until(lambda: not live_jobs(faults.cluster), 40, "the job is cancelled", every=0.3)


def test_munge_down_loses_nothing(faults: Faults) -> None:
    """Without authentication nothing can be asked of Slurm: servers stay, and starts go on afterwards."""
    faults.start_all({("researcher1", ""): LIGHT})
    before = faults.count("failures")
    with faults.cluster.without("munge"):
        wait_until(lambda: faults.count("failures") > before, 20, "readings fail", every=0.2)
        faults.client.start_server("researcher2", LIGHT)
        _all_there(faults, [("researcher1", "")])
    told = faults.outcome("researcher2", 60)
    assert not told or "scheduler did not answer" in told
    _all_there(faults, [("researcher1", "")])
    check(faults.cluster, faults.client)


def test_a_hub_that_starts_while_slurm_is_silent_keeps_its_sessions(faults: Faults) -> None:
    """No answer is no end: what ran before is there after, with its route, before Slurm answers at all."""
    faults.start_all({("researcher1", ""): LIGHT})
    with faults.spoiled("squeue", "scontrol", how="hang"):
        faults.hub.restart()
        faults.client.wait_ready("researcher1", 20)
        faults.wait_hello("researcher1")
        assert faults.count("readings") == 0
    check(faults.cluster, faults.client)
