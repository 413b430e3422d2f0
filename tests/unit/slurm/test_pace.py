"""How many requests slurmctld sees, by arithmetic on a clock of our own."""

from bisect import bisect_left
from itertools import pairwise

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from skiva_slurm.pace import Pace

PER_READING = 2  # What one reading of jobs, or of nodes, costs: see `skiva_slurm.reader.SlurmReader`.


class Simulation:
    """A watcher's rhythm without a watcher."""

    def __init__(self, *, attention: int = 0, takes: float = 0.01) -> None:
        self.now = 1000.0
        self.requests: list[float] = []
        self.pace = Pace(15.0, 1.0, lambda: self.now, lambda low, high: (low + high) / 2)
        self.pace.attention = attention
        self.takes = takes

    def read(self, *, asked: bool, good: bool = True) -> None:
        """Wait until a reading is due, and read."""
        self.now += max(0.0, self.pace.seconds_until_due(asked=asked))
        with_nodes = self.pace.begin(asked=asked)
        self.requests += [self.now] * PER_READING * (2 if with_nodes else 1)
        if with_nodes:
            self.pace.nodes_read()
        self.now += self.takes
        if good:
            self.pace.succeeded()
        else:
            self.pace.failed()

    def most_in_a_minute(self) -> int:
        """The most requests in any sixty seconds."""
        return max(bisect_left(self.requests, at + 60) - n for n, at in enumerate(self.requests))


def test_an_idle_hub_costs_at_most_twelve_requests_a_minute() -> None:
    """However many servers run, the queue is read every 15 s and the nodes every 30 s."""
    idle = Simulation()
    while idle.now < 1600:
        idle.read(asked=False)
        assert idle.most_in_a_minute() <= 12


def test_who_looks_sees_numbers_of_the_last_five_seconds() -> None:
    """An open page has jobs and nodes read every 5 s, for 48 requests a minute; 10 s after it, no more."""
    looked = Simulation()
    looked.read(asked=False)
    while looked.now < 1300:
        looked.pace.looked()
        looked.read(asked=False)
        assert not looked.pace.nodes_are_old
    assert looked.most_in_a_minute() == 4 * 12
    while looked.now < 1330:
        looked.read(asked=False)
    before, since = len(looked.requests), looked.now
    while looked.now < since + 300:
        looked.read(asked=False)
    assert len(looked.requests) - before <= 5 * 12


@given(st.lists(st.booleans(), min_size=300, max_size=300))
@example([True] * 300)
@example([False] * 100 + [True] * 200)
def test_a_busy_hub_stays_below_two_hundred(asked: list[bool]) -> None:
    """With people waiting and everybody asking at any moment, the budget holds in every minute."""
    busy = Simulation(attention=5)
    for one in asked:
        busy.read(asked=one)
    assert busy.most_in_a_minute() <= 180


def test_a_burst_of_requests_is_granted_and_refilled_by_ten_a_minute() -> None:
    """Six at once, then one each busy interval; whoever comes later than that takes nothing of the burst."""
    asked = Simulation(takes=0.0)
    assert asked.pace.attention == 0
    asked.read(asked=False)
    for _ in range(8):
        asked.now += 2.0
        asked.read(asked=True)

    def granted() -> int:
        count = 0
        while asked.pace.seconds_until_due(asked=True) == 0.0:
            asked.read(asked=True)
            count += 1
        return count

    assert granted() == 6
    assert asked.pace.seconds_until_due(asked=True) == 1.0
    assert asked.pace.seconds_until_due(asked=False) == 15.0
    asked.now += 12.1
    asked.read(asked=False)
    assert granted() == 2


def test_somebody_who_waits_quickens_the_nodes_too() -> None:
    """Nodes are read every thirty seconds, and every five while somebody pays attention."""
    for attention, interval in ((0, 30.0), (1, 5.0)):
        sim = Simulation(attention=attention, takes=0.0)
        with_nodes: list[float] = []
        while sim.now < 1100:
            before = len(sim.requests)
            sim.read(asked=False)
            if len(sim.requests) - before > PER_READING:
                with_nodes.append(sim.now)
        assert {later - sooner for sooner, later in pairwise(with_nodes)} == {interval}


@pytest.mark.parametrize(("bound", "pauses"), [(0, [0.75, 1.5, 3.0]), (1, [1.25, 2.5, 5.0])])
def test_pauses_are_shaken_by_a_quarter(bound: int, pauses: list[float]) -> None:
    """Several hubs on one Slurm do not all come back at once."""
    pace = Pace(10.0, 1.0, lambda: 0.0, lambda low, high: (low, high)[bound])
    found = []
    for _ in pauses:
        pace.begin(asked=False)
        pace.failed()
        found.append(pace.seconds_until_due(asked=False))
    assert found == pauses


def test_a_slow_slurm_is_left_alone_half_of_the_time() -> None:
    """When a reading takes four seconds, the next one waits as long."""
    slow = Simulation(attention=1, takes=4.0)
    for _ in range(5):
        slow.read(asked=False)
    starts = sorted(set(slow.requests))
    assert all(later - sooner >= 8.0 for sooner, later in pairwise(starts))


@pytest.mark.parametrize("asked", [False, True])
def test_failures_double_the_pause_up_to_half_a_minute(asked: bool) -> None:
    """Somebody who asks during an outage is answered within five seconds, nobody else hurries it."""
    down = Simulation(attention=1)
    pauses = []
    for _ in range(8):
        down.read(asked=asked, good=False)
        pauses.append(round(down.pace.seconds_until_due(asked=asked)))
    assert pauses == ([1, 2, 4, 5, 5, 5, 5, 5] if asked else [1, 2, 4, 8, 16, 30, 30, 30])
