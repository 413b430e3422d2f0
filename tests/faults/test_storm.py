"""Two hundred cancels and kills at random moments."""

import random
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field

from tests.support.deeds import Deeds
from tests.support.faults import MINI, PEOPLE, Faults
from tests.support.hub import HubRefused
from tests.support.invariants import assert_no_secret_in, check, live_jobs, secrets_of
from tests.support.waiting import wait_until

_DEEDS = 200
_MOST_SECONDS = 240.0
_BETWEEN_KILLS = 12.0


@dataclass
class _Storm:
    """People who start servers and do not let them be."""

    faults: Faults
    deeds: list[str] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def person(self, user: str, name: str, seed: int) -> None:
        """Start, and soon cancel, stop or let Slurm cancel, again and again."""
        dice = random.Random(seed)  # noqa: S311 - to be repeated, not to be kept secret
        deeds, place = Deeds(self.faults, {(user, name): MINI}), (user, name)
        while not self.over.is_set():
            deeds.start(place)
            self.over.wait(dice.uniform(0, 2.0))
            if dice.random() < 0.3:
                self.deeds += ["scancel"] * deeds.scancel(user, dice)
            else:
                self.deeds += ["cancel"] * deeds.cancel(place)


def test_two_hundred_cancels_and_kills_leave_no_orphan(faults: Faults) -> None:
    """People cancel, Slurm cancels, the hub dies: afterwards every slice is free again within 30 s."""
    wait_until(lambda: _free(faults) == 7, 30, lambda: f"free before, but {_left(faults)}", every=1)
    storm = _Storm(faults)
    places = [(user, name) for user in PEOPLE for name in ("", "b", "c")]
    threads = [threading.Thread(target=storm.person, args=(*place, n)) for n, place in enumerate(places)]
    ends, kills = time.monotonic() + _MOST_SECONDS, 0
    for thread in threads:
        thread.start()
    try:
        while len(storm.deeds) + kills < _DEEDS and time.monotonic() < ends:
            storm.over.wait(_BETWEEN_KILLS)
            faults.hub.restart()
            kills += 1
            _check_never_two(faults)
    finally:
        storm.over.set()
        for thread in threads:
            thread.join()
    assert len(storm.deeds) + kills >= _DEEDS
    check(faults.cluster, faults.client)
    canaries = secrets_of(faults.cluster)
    for user, name in places:
        with suppress(HubRefused):
            faults.client.stop_server(user, name)
    wait_until(lambda: _free(faults) == 7, 30, lambda: f"free again, but {_left(faults)}", every=1)
    check(faults.cluster, faults.client, 5)
    assert not live_jobs(faults.cluster)
    assert_no_secret_in(faults.cluster, canaries, reader="instructor1")


def _free(faults: Faults) -> int:
    return int(faults.cluster.status()["slices"]["mini"]["free"])


def _left(faults: Faults) -> str:
    """What holds slices still, as Slurm tells it: jobs that have not ended, and nodes that take none."""
    jobs = faults.slurm("squeue", "-h", "-p", "slices", "-o", "%A %u %T %M %r %k")
    return jobs + faults.slurm("sinfo", "-h", "-N", "-p", "slices", "-o", "%N %T %E")


def _check_never_two(faults: Faults) -> None:
    """No session has two jobs, whatever is under way."""
    jobs = [job.nonce for job in live_jobs(faults.cluster)]
    assert len(jobs) == len(set(jobs))
