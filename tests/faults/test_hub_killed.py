"""The hub dies, at any moment, and comes back."""

from contextlib import suppress
from itertools import cycle

import httpx
from tests.support.faults import MINI, PEOPLE, Faults
from tests.support.hub import HubRefused
from tests.support.invariants import check, live_jobs
from tests.support.waiting import wait_until


def test_every_await_of_a_start_survives_the_death_of_the_hub(faults: Faults) -> None:
    """Killed wherever a start waits, before and after: ready without another click, or no job; never two."""
    for user in cycle(PEOPLE):
        faults.hub.arm()
        _click(faults, user)
        if not _dies(faults, user):
            break
        row = faults.owner(user)
        faults.hub.start()
        _comes_to_something(faults, user, must_run=bool(row and row.session))
        with suppress(HubRefused):
            faults.client.stop_server(user)
    check(faults.cluster, faults.client)
    places = faults.hub.deaths()
    assert any("arrival" in place for place in places)
    assert len(places) > 20


def test_a_start_survives_a_hub_that_dies_again_while_it_takes_it_up(faults: Faults) -> None:
    """Killed before Slurm has the job, and again wherever the next hub takes the start up: ready, one job."""
    faults.hub.forget_death("at arrival:")
    before = len(faults.hub.deaths())
    faults.hub.arm()
    _click(faults, "researcher1")
    while _dies(faults, "researcher1"):
        row = faults.owner("researcher1")
        faults.hub.arm()
        faults.hub.start(may_die=True)
        if not (row and row.session):
            _click(faults, "researcher1")
    faults.hub.disarm()
    assert len(faults.hub.deaths()) > before + 3
    check(faults.cluster, faults.client)
    assert len(live_jobs(faults.cluster)) == 1


def _click(faults: Faults, user: str) -> None:
    with suppress(httpx.HTTPError, HubRefused):
        faults.client.start_server(user, MINI)


def _dies(faults: Faults, user: str) -> bool:
    """Whether the hub dies before the server is ready."""

    def is_ready() -> bool:
        with suppress(httpx.HTTPError, HubRefused):
            model = faults.client.server(user)
            return bool(model and model["ready"])
        return False

    wait_until(lambda: not faults.hub.alive or is_ready(), 60, "the hub dies or the server is ready")
    return faults.hub.bury()


def _comes_to_something(faults: Faults, user: str, *, must_run: bool) -> None:
    place = faults.hub.deaths()[-1]

    def settled() -> bool:
        jobs = [job for job in live_jobs(faults.cluster) if job.user == user]
        assert len(jobs) < 2, f"killed {place}: two jobs"
        model = faults.client.server(user)
        if not must_run and (model is None or (model["stopped"] and not model["pending"])):
            row = faults.owner(user)
            return not jobs and not (row and row.session)
        return bool(model and model["ready"]) and faults.says_hello(user)

    wait_until(settled, 60, f"killed {place}: not {'ready' if must_run else 'ended'}", every=0.2)
