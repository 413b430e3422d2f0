"""What each person may have of the site, asked of Slurm as that person, and kept for a while."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from skiva_hub.permitted import Permitted, permitted
from skiva_hub.site import Site
from skiva_slurm.errors import SlurmUnanswered
from skiva_slurm.rights import Rights, Rules
from skiva_spawners.acting import Actor
from skiva_spawners.errors import ActingFailed

__all__ = ["Entitlements"]

_FRESH = 60.0
"""Seconds for which a person's answer is not asked for again."""
_RULES_FRESH = 600.0
"""Seconds for which what holds for everybody is not asked for again."""
_KEPT = 3600.0
"""Seconds for which the last answer counts while Slurm gives no other."""
_PATIENCE = 2.0
"""Seconds for which a page waits for the answer; without it everything is on offer."""


@dataclass(frozen=True, slots=True)
class _Known:
    rights: Rights
    at: float


class Entitlements:
    """Asks Slurm who may use what: only when somebody looks, at most once a minute for each person.

    A person's own helper answers for them, so what it says counts for them alone; what holds for everybody,
    the hub asks itself. Where Slurm's accounting enforces nothing, no person is asked for.
    """

    def __init__(
        self,
        rules: Callable[[], Awaitable[Rules]],
        actor: Actor,
        clock: Callable[[], float],
    ) -> None:
        self._read_rules = rules
        self._actor = actor
        self.defaults: Mapping[str, str] = {}
        """What the hub's configuration says for slices that leave it open."""
        self._clock = clock
        self._rules: Rules | None = None
        self._rules_at = float("-inf")
        self._known: dict[str, _Known] = {}
        self._asking: dict[str, asyncio.Task[None]] = {}

    async def look(self, site: Site, user: str) -> Permitted:
        """What `user` may have, asked for again where the last answer is old, as long as a page may wait."""
        await self._asked(user)
        return self.known(site, user)

    async def learn(self, user: str) -> None:
        """Ask about `user` where nothing is known of them yet, as long as a start may wait."""
        nothing = self._rules is None or (self._rules.by_association and self._rights(user) is None)
        if nothing:
            await self._asked(user)

    def known(self, site: Site, user: str) -> Permitted:
        """What `user` may have, by what was told so far."""
        return permitted(site, self._rules, self._rights(user), self.defaults)

    async def _asked(self, user: str) -> None:
        asking = self._asking.get(user)
        if asking is None:
            asking = self._asking[user] = asyncio.create_task(self._ask(user), name=f"entitlements-{user}")
            asking.add_done_callback(lambda _: self._asking.pop(user, None))
        with suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE):
                await asyncio.shield(asking)

    def _rights(self, user: str) -> Rights | None:
        found = self._known.get(user)
        return found.rights if found and self._clock() - found.at <= _KEPT else None

    async def _ask(self, user: str) -> None:
        with suppress(SlurmUnanswered, ActingFailed):
            if self._clock() - self._rules_at > _RULES_FRESH:
                self._rules = await self._read_rules()
                self._rules_at = self._clock()
            known = self._known.get(user)
            if self._rules is None or not self._rules.by_association:
                return
            if known is None or self._clock() - known.at > _FRESH:
                rights = await self._actor.rights(user, self._rules)
                self._known[user] = _Known(rights, self._clock())
