"""When the queue is to be read next. Pure but for the clock."""

import math
from collections.abc import Callable

__all__ = ["Pace"]

_NODES_INTERVAL = 5.0
_LOOKED_INTERVAL = 5.0
_LOOKED_FOR = 10.0
_IDLE_NODES = 2
_BURST = 6.0
_REFILL = 1 / 6
_FIRST_RETRY = 1.0
_LAST_RETRY = 30.0
_ASKED_RETRY = 5.0


class Pace:
    """The rhythm of readings: idle, busy, on request, and after failures.

    Nodes change less than jobs: they are read with every second idle reading, and every 5 s otherwise.
    Who only looks at numbers has both every 5 s, until 10 s after the last look.

    Requests are granted at once up to a burst of 6, refilled by 10 a minute; beyond that they wait for the
    busy interval. After failures the interval doubles up to 30 s, shaken by a quarter so that several hubs
    do not knock at the same time; somebody who asks waits at most 5 s of it. A reading never takes up more
    than half of the time.
    """

    def __init__(
        self,
        idle_interval: float,
        busy_interval: float,
        clock: Callable[[], float],
        uniform: Callable[[float, float], float],
    ) -> None:
        self.idle_interval = idle_interval
        self.busy_interval = busy_interval
        self.attention = 0
        """How many wait for something to happen in the queue."""
        self._clock = clock
        self._uniform = uniform
        self._looked_at = -math.inf
        self._started = -math.inf
        self._earliest = -math.inf
        self._nodes_at = -math.inf
        self._failures = 0
        self._retry = 0.0
        self._tokens = _BURST
        self._tokens_at = clock()

    def seconds_until_due(self, *, asked: bool) -> float:
        """How long to wait for the next reading; `asked` when somebody wants one now."""
        now = self._clock()
        if self._failures:
            wait = min(self._retry, _ASKED_RETRY) if asked else self._retry
        elif asked and self._refilled(now) >= 1:
            return 0.0
        else:
            wait = self.busy_interval if asked or self.attention else self._unhurried(now)
        return max(self._started + wait, self._earliest) - now

    def begin(self, *, asked: bool) -> bool:
        """A reading starts; returns whether the nodes are to be read too."""
        now = self._clock()
        self._tokens, self._tokens_at = self._refilled(now), now
        if asked and now < self._started + self.busy_interval:
            self._tokens = max(0.0, self._tokens - 1)
        self._started = now
        quick = asked or self.attention or self._is_looked_at(now)
        interval = min(_NODES_INTERVAL, self.idle_interval) if quick else _IDLE_NODES * self.idle_interval
        return now - self._nodes_at >= interval * 0.99

    def looked(self) -> None:
        """Somebody looks at what is free."""
        self._looked_at = self._clock()

    @property
    def nodes_are_old(self) -> bool:
        """Whether the nodes were read longer ago than somebody who looks is shown."""
        return self._clock() - self._nodes_at > _LOOKED_INTERVAL

    def nodes_read(self) -> None:
        """The nodes were read as part of the reading that began last."""
        self._nodes_at = self._started

    def succeeded(self) -> None:
        """The reading that began last was good."""
        self._failures = 0
        now = self._clock()
        self._earliest = now + (now - self._started)

    def failed(self) -> None:
        """The reading that began last failed."""
        self._failures += 1
        retry = min(_LAST_RETRY, _FIRST_RETRY * 2 ** min(self._failures - 1, 10))
        self._retry = min(_LAST_RETRY, retry * self._uniform(0.75, 1.25))
        self._earliest = self._clock()

    def _unhurried(self, now: float) -> float:
        return min(_LOOKED_INTERVAL, self.idle_interval) if self._is_looked_at(now) else self.idle_interval

    def _is_looked_at(self, now: float) -> bool:
        return now - self._looked_at < _LOOKED_FOR

    def _refilled(self, now: float) -> float:
        return min(_BURST, self._tokens + (now - self._tokens_at) * _REFILL)
