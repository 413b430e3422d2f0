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
        with suppress(httpx.HTTPError, HubRefused):
            faults.client.start_server(user, MINI)
        if not faults.hub.wait_dead(20):
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

    wait_until(settled, 45, f"killed {place}: not {'ready' if must_run else 'ended'}", every=0.2)
