"""Dask's own adapting, but not at every whim: each change is a request to Slurm."""

import time
from contextlib import suppress
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
        self._aim = 0

    def _may(self, what: str, pause: float) -> bool:
        now = time.monotonic()
        if now - self._changed.get(what, -pause) < pause:
            return False
        self._changed[what] = now
        return True

    async def recommendations(self, target: int) -> dict[str, Any]:
        """What leads to `target` workers."""
        self._aim = target
        told: dict[str, Any] = await super().recommendations(target)
        return told

    async def scale_up(self, n: int) -> None:
        """Have `n` workers, or as many as the site allows."""
        if not self._may("up", _UP_EVERY):
            return
        cluster = self.cluster
        try:
            cluster.wish_for(n)
        except BadWish as problem:
            cluster.keeper.say_once("warning", str(problem))
            if len(cluster.plan) < cluster.keeper.most < n:
                with suppress(BadWish):
                    cluster.wish_for(cluster.keeper.most)

    async def scale_down(self, workers: Any) -> None:
        """Let jobs go of which all workers are to, but no more than leads to what is aimed at."""
        each = self.cluster.slices.processes
        jobs = self.cluster.whole_jobs(workers)[: max(0, (len(self.plan) - self._aim) // each)]
        if jobs and self._may("down", _DOWN_EVERY):
            self.cluster.let_go(jobs)
