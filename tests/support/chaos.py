"""Random deeds upon a breakable cluster, and what must hold again after each few of them.

The seed decides which deeds come in which order; how far each has come when the next begins is the
machine's affair, so the same seed may or may not find the same thing again.
"""

import random
import time
from collections import Counter, deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.support.deeds import Deeds, Place
from tests.support.faults import LIGHT, MINI, PEOPLE, Faults
from tests.support.invariants import live_jobs, owners, violations
from tests.support.waiting import wait_until

__all__ = ["Chaos", "Violation"]

_LAST = 15
"""Deeds that are told with what they may have led to."""
_PLACES = tuple((user, name) for user in PEOPLE for name in ("", "b"))
_LAB: Place = (PEOPLE[0], "")
"""Where a real JupyterLab runs; all others are light."""
_BYSTANDER = "instructor1"


@dataclass(frozen=True)
class Violation:
    """What did not hold."""

    text: str
    seed: int
    deeds: tuple[str, ...]

    def __str__(self) -> str:
        return f"seed {self.seed}: {self.text}\n  after " + "\n        ".join(self.deeds)


@dataclass
class Chaos:
    """One storm of deeds.

    Attributes:
        quiet: seconds within which everything must be in order again.
        counts: how often each deed was done.
        violations: what did not hold, in the order in which it was seen.
        tell: is told of each of them at once.
    """

    faults: Faults
    seed: int
    quiet: float = 60.0
    counts: Counter[str] = field(default_factory=Counter)
    violations: list[Violation] = field(default_factory=list)
    tell: Callable[[str], object] = str

    def __post_init__(self) -> None:
        self._dice = random.Random(self.seed)  # noqa: S311 - to be repeated, not to be kept secret
        self._last: deque[str] = deque(maxlen=_LAST)
        self._settled: dict[Place, int] = {}
        """The job of each session that was ready when last looked at, and that nobody has touched since."""
        self._bystander = 0
        wishes = {place: MINI if place[1] else LIGHT for place in _PLACES}
        wishes[_LAB] = {"slice": "cpu", "environment": "base", "hours": 1}
        self._deeds = Deeds(self.faults, wishes)
        self._copy = self.faults.dir / "database.copy"

    def run(self, seconds: float) -> None:
        """Do deeds for some time; each few of them are followed by quiet and a look."""
        tag = f"--comment=skiva:skiva:{PEOPLE[0]}/:bystander01"
        options = ("--partition=cpu", "--mem=50", "--output=/dev/null", tag)
        self._bystander = self.faults.cluster.submit(_BYSTANDER, *options, script="sleep 86400")
        ends = time.monotonic() + seconds
        try:
            while time.monotonic() < ends:
                for _ in range(self._dice.randint(4, 12)):
                    self._deed()
                self.look()
        finally:
            self.faults.cluster.run_as("root", ["/usr/bin/scancel", str(self._bystander)])

    # -- deeds -----------------------------------------------------------------------------

    def _deed(self) -> None:
        """One of them; all draws are made before anything is done, so that they do not depend on it."""
        dice = self._dice
        place, seconds, number = dice.choice(_PLACES), dice.uniform(0.2, 6.0), dice.randint(0, 2**32)
        kinds = self._kinds(place, seconds, random.Random(number))  # noqa: S311 - as above
        [name] = dice.choices(list(kinds), [weight for weight, _ in kinds.values()])
        if name in {"cancel", "requeue"}:
            self._settled.pop(place, None)
        elif name == "scancel":
            self._forget(lambda settled: settled[0] == place[0])
        elif name == "restore":
            self._forget(lambda _: True)
        done = kinds[name][1]()
        self.counts[name] += done
        self._last.append(f"{name} {'/'.join(place)} {seconds:.1f}{'' if done else ' (not done)'}")
        self._never_two()

    def _kinds(
        self, place: Place, seconds: float, dice: random.Random
    ) -> dict[str, tuple[int, Callable[[], bool]]]:
        """Each deed's weight, and how it is done."""
        deeds = self._deeds
        return {
            "start": (30, lambda: deeds.start(place)),
            "cancel": (12, lambda: deeds.cancel(place)),
            "scancel": (8, lambda: deeds.scancel(place[0], dice)),
            "extend": (6, lambda: deeds.extend(place)),
            "cell": (12, lambda: deeds.cell(place)),
            "requeue": (3, lambda: deeds.requeue(place)),
            "freeze slurmctld": (2, lambda: deeds.freeze_slurm(2 * seconds)),
            "kill hub": (4, deeds.kill_hub),
            "kill proxy": (3, deeds.kill_proxy),
            "lock database": (2, lambda: deeds.lock_database(seconds)),
            "back up": (2, lambda: deeds.back_up(self._copy)),
            "restore": (2, lambda: deeds.restore(self._copy)),
        }

    def _forget(self, touched: Callable[[Place], bool]) -> None:
        self._settled = {place: job for place, job in self._settled.items() if not touched(place)}

    # -- looks -----------------------------------------------------------------------------

    def _never_two(self) -> None:
        """No session has two jobs, whatever is under way."""
        twice = [nonce for nonce, jobs in Counter(j.nonce for j in self._jobs()).items() if jobs > 1]
        if twice:
            self._broken(f"two jobs have the tag {twice}")

    def look(self) -> None:
        """Wait until all is in order; what is not then is a violation, and the next deeds begin afresh."""
        last: list[str] = []

        def in_order() -> bool:
            self._end_strangers()
            last[:] = self._wrong()
            return not last

        try:
            wait_until(in_order, self.quiet, every=0.5)
        except AssertionError:
            for text in last:
                self._broken(text)
            self.faults.mend()
            self.faults.end_everything()
            self._settled.clear()
        else:
            self._settled = {place: job for place in _PLACES if (job := self._ready(place))}

    def _wrong(self) -> list[str]:
        found = [
            text
            for text in violations(self.faults.cluster, self.faults.client)
            if not text.startswith(f"job {self._bystander} ")
        ]
        if self._bystander and self.faults.cluster.job_state(self._bystander) not in {"RUNNING", "PENDING"}:
            found.append(f"job {self._bystander} of {_BYSTANDER}, which is nobody's session, has ended")
        for place, job in self._settled.items():
            if self.faults.cluster.job_state(job) != "RUNNING":
                found.append(f"job {job} of {place} has ended, and nobody ended it")
            elif self._ready(place) != job or not self._deeds.cell(place):
                found.append(f"{place} is lost, and its job {job} runs")
        return found

    def _ready(self, place: Place) -> int:
        """The job of a session that is ready; 0 where none is."""
        model, row = self.faults.client.server(*place), self.faults.owner(*place)
        return int(row.session["job_id"]) if model and model["ready"] and row and row.session else 0

    def _end_strangers(self) -> None:
        """End jobs that an older database does not know, as the hub's log tells the operator to."""
        if "restore" not in " ".join(self._last):
            return
        known = {row.session["nonce"] for row in owners(self.faults.cluster) if row.session}
        for job in self._jobs():
            if job.nonce not in known:
                self.faults.cluster.run_as("root", ["/usr/bin/scancel", str(job.id)])

    def _jobs(self) -> list[Any]:
        """The jobs of sessions."""
        return [job for job in live_jobs(self.faults.cluster) if job.id != self._bystander]

    def _broken(self, text: str) -> None:
        self.violations.append(Violation(text, self.seed, tuple(self._last)))
        self.tell(str(self.violations[-1]))
