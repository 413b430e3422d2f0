"""Ends jobs that nobody wants any more: in the background, for each person by themselves, and bounded.

One person's thousand jobs, or a helper that hangs for them, keep nobody else's waiting.
"""

from collections import defaultdict
from collections.abc import Mapping

from tornado.log import app_log

from skiva_slurm.errors import Refused, SlurmUnanswered
from skiva_spawners.errors import ActingFailed
from skiva_spawners.hub_state import HubState

_RETRY = 20.0
_RETRY_REFUSED = 300.0
"""Seconds after which it is tried again for somebody as whom the hub cannot act."""
_MOST = 100
"""Cancellations of one person in one go."""

Unwanted = tuple[str, int]
"""Whose job, and its number or its array's."""


class Cancelling:
    """Cancels what it is told with each good reading, again while it is told."""

    def __init__(self, state: HubState, *, patience: float = 0.0) -> None:
        self._state = state
        self._patience = patience
        """Seconds for which a job must be unwanted before it is cancelled."""
        self._next: dict[Unwanted, float] = {}
        """When each is to be cancelled next, for as long as it is unwanted."""
        self._at_work: set[str] = set()
        """People for whom it is being done."""

    def want(self, unwanted: Mapping[Unwanted, str]) -> None:
        """Cancel these jobs, and forget about all others.

        Args:
            unwanted: each with the reason, for the log.
        """
        now = self._state.clock()
        self._next = {key: self._next.get(key, now + self._patience) for key in unwanted}
        due: dict[str, list[Unwanted]] = defaultdict(list)
        for key, at in self._next.items():
            if at <= now and key[0] not in self._at_work:
                due[key[0]].append(key)
        for user, keys in due.items():
            chosen = {key: unwanted[key] for key in keys[:_MOST]}
            self._next |= dict.fromkeys(chosen, now + _RETRY)
            self._at_work.add(user)
            self._state.background(self._cancel(user, chosen))

    async def _cancel(self, user: str, chosen: Mapping[Unwanted, str]) -> None:
        try:
            for key, reason in chosen.items():
                if key in self._next:
                    await self._cancel_one(key, reason)
        finally:
            self._at_work.discard(user)

    async def _cancel_one(self, key: Unwanted, reason: str) -> None:
        user, number = key
        app_log.warning("Cancelling job %s of %s: %s", number, user, reason)
        try:
            await self._state.actor.cancel(user, number)
        except ActingFailed as problem:
            self._next[key] = self._state.clock() + _RETRY_REFUSED
            app_log.warning("Job %s cannot be cancelled: %s", number, problem)
        except (SlurmUnanswered, Refused) as problem:
            app_log.warning("Job %s could not be cancelled yet: %s", number, problem)
