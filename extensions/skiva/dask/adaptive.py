"""Dask's own adapting, but not at every whim: each change is a request to Slurm."""

import time
from typing import Any

from distributed.deploy.adaptive import Adaptive

from skiva.runs.wish import BadWish

__all__ = ["SteadyAdaptive"]

_UP_EVERY, _DOWN_EVERY = 3.0, 15.0
"""Seconds that lie at least between two requests for more workers, and between two that let some go."""
_PATIENCE = 10
"""How many looks in a row must find a worker idle before it goes."""


class SteadyAdaptive(Adaptive):
    """Adapts in steps: quickly up, slowly down."""

    def __init__(self, cluster: Any, **options: Any) -> None:
        options.setdefault("wait_count", _PATIENCE)
        super().__init__(cluster, **options)
        self._changed: dict[str, float] = {}

    def _may(self, what: str, pause: float) -> bool:
        now = time.monotonic()
        if now - self._changed.get(what, -pause) < pause:
            return False
        self._changed[what] = now
        return True

    async def scale_up(self, n: int) -> None:
        """Have `n` workers, or as many as the site allows."""
        if self._may("up", _UP_EVERY):
            try:
                self.cluster.wish_for(n)
            except BadWish as problem:
                self.cluster.keeper.say("warning", str(problem))

    async def scale_down(self, workers: Any) -> None:
        """Let these go."""
        if workers and self._may("down", _DOWN_EVERY):
            await self.cluster.scale_down(workers)
