"""What somebody's attack costs another person: seconds of a start, a cell and a stop, with it and without."""

import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from statistics import median
from typing import Any

from tests.support.hub import HubClient
from tests.support.kernel import run_code

__all__ = ["Costs", "visit"]

_MOST = 8.0
"""Seconds that an attack may cost another person beside other tests; on a quiet machine it is 2."""
_STEPS = ("start", "cell", "stop")


def visit(cluster: Any, hub: HubClient, user: str) -> dict[str, float]:
    """Start a session over REST, run a cell in a new kernel and stop it; the seconds of each."""
    token = hub.user_token(user)
    marks = [time.monotonic()]
    hub.start_server(user, {"slice": "cpu", "hours": 1})
    hub.wait_ready(user, 120)
    marks.append(time.monotonic())
    assert run_code(f"{cluster.url}/user/{user}/", token, "print(6 * 7)") == "42\n"
    marks.append(time.monotonic())
    hub.stop_server(user)
    hub.wait_stopped(user, 120)
    marks.append(time.monotonic())
    return {step: after - before for step, before, after in zip(_STEPS, marks, marks[1:], strict=False)}


@dataclass
class Costs:
    """The visits without an attack and those with it."""

    calm: list[dict[str, float]] = field(default_factory=list)
    attacked: list[dict[str, float]] = field(default_factory=list)

    @classmethod
    def alternating(
        cls,
        once: Callable[[], dict[str, float]],
        attack: Callable[[], AbstractContextManager[object]],
        rounds: int = 3,
    ) -> "Costs":
        """Measure without and with, in turns, so that other work on the machine falls on both."""
        found = cls()
        once()  # the first reads what later ones find in memory
        for _ in range(rounds):
            found.calm.append(once())
            with attack():
                found.attacked.append(once())
        return found

    def check(self, what: str) -> None:
        """Print the medians, and see that none of the steps waits longer.

        Raises:
            AssertionError: one does, by more than calm visits differ among themselves.
        """
        slower, told = {}, []
        for step in _STEPS:
            calm, attacked = ([visit[step] for visit in visits] for visits in (self.calm, self.attacked))
            told.append(f"{step} {median(calm):.2f} s, attacked {median(attacked):.2f} s")
            if median(attacked) - median(calm) > max(_MOST, max(calm) - min(calm)):
                slower[step] = (calm, attacked)
        sys.stdout.write(f"{what}: {'; '.join(told)}\n")
        assert not slower, f"{what} costs another person too much: {slower}"
