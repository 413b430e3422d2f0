"""What all spawners of one hub share, kept in the hub's settings as `skiva`."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Self

from tornado.log import app_log

from skiva_hub.pages.environments import Records
from skiva_hub.pages.records import RecordReader
from skiva_hub.permitted import Permitted
from skiva_hub.site import Site
from skiva_slurm.watcher import Watcher
from skiva_spawners import certificate
from skiva_spawners.acting import Actor
from skiva_spawners.entitlements import Entitlements
from skiva_spawners.errors import SessionFailed
from skiva_spawners.given_up import GivenUp
from skiva_spawners.sealing import Seal

_PATIENCE = 1.0
"""Seconds for which a page waits for numbers that are not old."""


@dataclass
class HubState:
    """The site, the one reader of Slurm, and the one way to act as a user."""

    site: Site
    watcher: Watcher
    actor: Actor
    given_up: GivenUp
    """The sessions that this hub has ended itself."""
    seal: Seal
    """Closes what the database keeps of sessions' secrets."""
    stream_url: str = ""
    """Where notebooks follow the queue."""
    interrupted: set[tuple[str, str]] = field(default_factory=set)
    """Sessions, by user and server, that the keeper is to take up again."""
    unseen: dict[str, str] = field(default_factory=dict)
    """Sessions that live and that readings lack, by nonce, and how that is known."""
    clock: Callable[[], float] = time.monotonic
    """Seconds on a clock that never jumps; the watcher's."""
    verify: Callable[[str, str, float], Awaitable[None]] = certificate.verify
    """How a server proves to be ours."""
    _background: set[asyncio.Task[Any]] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Know the site's environments, once somebody starts the reader."""
        self.reader = RecordReader(self.site)
        self.entitlements = Entitlements(self.watcher.rules, self.actor, self.clock)

    async def look(self, user: str) -> Permitted:
        """What `user`, who is about to choose, may have, with numbers that are not old."""
        looked = self.entitlements.look(self.site, user)
        allowed, _ = await asyncio.gather(looked, self.watcher.look_closely(_PATIENCE))
        return allowed

    def allowed(self, user: str) -> Permitted:
        """What `user` may have, as far as it is known."""
        return self.entitlements.known(self.site, user)

    @property
    def records(self) -> Records:
        """What is in the environments, as far as it is known."""
        return self.reader.records

    def background(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run `work` although nobody awaits it; its task is kept until it ends."""
        task = asyncio.ensure_future(work)
        self._background.add(task)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._background.discard(task)
        if not task.cancelled() and (problem := task.exception()) and not isinstance(problem, SessionFailed):
            app_log.error("Work in the background failed", exc_info=problem)

    def __deepcopy__(self, memo: object) -> Self:
        """Itself: JupyterHub copies its configuration, but there is only one of this."""
        return self
