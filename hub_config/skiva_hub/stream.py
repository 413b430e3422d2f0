"""The service through which notebooks follow the queue: `python -m skiva_hub.stream`, started by the hub.

`GET /services/skiva/stream` with `Authorization: token …` answers server-sent events: one at once, one
whenever something changes for this person, and a comment now and then to keep the connection open. The
comment `: taken N` says that the queue as it was N seconds after 1970 gives the last event again.
"""

import asyncio
import json
import logging
import os
import signal
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jupyterhub.services.auth import HubAuth
from tornado.httpserver import HTTPServer
from tornado.iostream import StreamClosedError
from tornado.web import Application, HTTPError, RequestHandler

from skiva_hub.pages import feed, snapshot_file
from skiva_hub.pages.cards import is_stale
from skiva_hub.site import Site
from skiva_hub.site_file import SiteError, load
from skiva_slurm.jobs import Job, Snapshot

_log = logging.getLogger("skiva.stream")

LOOK_EVERY = 0.5
"""Seconds between two looks at the file, which is parsed only when it is another one."""
HEARTBEAT = 15.0
"""Seconds after which a quiet connection gets a comment."""
CHECK_EVERY = 60.0
"""Seconds after which a token is looked up again, so that a revoked one stops listening."""
MOST = 32
"""Connections that one person may hold."""


class Queue:
    """The one watcher of the hub's file, for all connections."""

    def __init__(self, path: Path, site: Site) -> None:
        self.site = site
        self.snapshot: Snapshot | None = None
        self.ended: tuple[Job, ...] = ()
        self.version = 0
        self._path = path
        self._known: tuple[int, int, int] | None = None
        self._stale = True
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Look at the file for ever."""
        while True:
            try:
                await self._look()
            except snapshot_file.NoReading as problem:
                _log.warning("%s", problem)
            await asyncio.sleep(LOOK_EVERY)

    async def after(self, version: int, timeout: float) -> int:
        """The version of what is known now, as soon as it is not `version`, or after `timeout` seconds."""
        if self.version == version:
            with suppress(TimeoutError):
                async with asyncio.timeout(timeout):
                    await self._changed.wait()
        return self.version

    async def _look(self) -> None:
        stamp = _stamp(self._path)
        if stamp is not None and stamp != self._known:
            self._known = stamp
            seen = await asyncio.to_thread(snapshot_file.read, self._path)
            self.snapshot, self.ended = seen.snapshot, seen.ended
            self._tell()
        stale = is_stale(self.site, self.snapshot, time.time())
        if stale != self._stale:
            self._stale = stale
            self._tell()

    def _tell(self) -> None:
        self.version += 1
        self._changed.set()
        self._changed = asyncio.Event()


class StreamHandler(RequestHandler):
    """One notebook server that listens."""

    def initialize(self, queue: Queue, auth: HubAuth, listeners: Counter[str]) -> None:
        """Take what all connections share."""
        self.queue = queue
        self.auth = auth
        self.listeners = listeners
        self.sent: dict[str, Any] | None = None

    async def get(self) -> None:
        """Send events until the other side goes or its token is worth nothing any more."""
        model = await self._who()
        name = model["name"]
        if self.listeners[name] >= MOST:
            raise HTTPError(429, "Too many connections of yours listen already.")
        self.listeners[name] += 1
        try:
            self.set_header("Content-Type", "text/event-stream")
            self.set_header("Cache-Control", "no-store")
            self.set_header("X-Accel-Buffering", "no")
            await self._tell_for_ever(model)
        except StreamClosedError:
            pass
        finally:
            self.listeners[name] -= 1
            if self.listeners[name] <= 0:
                del self.listeners[name]

    async def _tell_for_ever(self, model: dict[str, Any] | None) -> None:
        checked = told = time.monotonic()
        version = self.queue.version
        while model:
            event, now = self._event(model), time.monotonic()
            if event or now - told >= HEARTBEAT:
                self.write(event or self._alive())
                await self.flush()
                told = now
            version = await self.queue.after(version, HEARTBEAT)
            if now - checked >= CHECK_EVERY:
                model, checked = await self._still_who(model), now

    def _event(self, model: dict[str, Any]) -> str:
        groups = frozenset(str(group) for group in model.get("groups") or ())
        queue = self.queue
        told = feed.event(queue.site, model["name"], groups, queue.snapshot, time.time(), queue.ended)
        essence = feed.essence(told)
        if essence == self.sent:
            return ""
        self.sent = essence
        return f"event: queue\ndata: {json.dumps(told)}\n\n"

    def _alive(self) -> str:
        """A comment that tells when the queue was read last: it was found to be as the last event says."""
        snapshot = self.queue.snapshot
        return f": taken {snapshot.taken}\n\n" if snapshot else ": alive\n\n"

    async def _still_who(self, model: dict[str, Any]) -> dict[str, Any] | None:
        try:
            return await self._who(fresh=True)
        except HTTPError as problem:
            # A hub that is silent says nothing about the token.
            return model if problem.status_code >= 500 else None

    async def _who(self, *, fresh: bool = False) -> dict[str, Any]:
        found = self.auth.auth_header_pat.fullmatch(self.request.headers.get("Authorization", ""))
        if not found:
            raise HTTPError(403, "Send a token of yours in the Authorization header.")
        model = await self.auth.user_for_token(found[1], use_cache=not fresh, sync=False)
        if not model or model.get("kind") != "user":
            raise HTTPError(403, "This token is not known, or is no user's.")
        if not self.auth.check_scopes(self.auth.access_scopes, model):
            wanted = " or ".join(sorted(self.auth.access_scopes))
            raise HTTPError(403, f"This token lacks the scope {wanted}.")
        return dict(model)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Answer with one sentence."""
        problem = kwargs.get("exc_info", (None, None))[1]
        said = problem.log_message if isinstance(problem, HTTPError) else None
        self.finish(
            json.dumps({"status": status_code, "message": said or "The stream broke; please connect again."})
        )


class AliveHandler(RequestHandler):
    """What the hub asks for to see that the service is up; tells nothing."""

    def get(self) -> None:
        """Answer with the service's name."""
        self.finish({"service": "skiva"})


def application(queue: Queue, auth: HubAuth, prefix: str, listeners: Counter[str]) -> Application:
    """The service's routes below `prefix`; `listeners` counts each person's connections."""
    shared = {"queue": queue, "auth": auth, "listeners": listeners}
    base = prefix.rstrip("/")
    return Application([(rf"{base}/stream", StreamHandler, shared), (rf"{base}/?", AliveHandler)])


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        seen = path.stat()
    except OSError:
        return None
    return seen.st_mtime_ns, seen.st_ino, seen.st_size


async def _serve(queue: Queue, url: str, prefix: str) -> None:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for sign in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(sign, ended.set)
    auth = HubAuth(cache_max_age=int(CHECK_EVERY / 2))
    where = urlsplit(url)
    server = HTTPServer(application(queue, auth, prefix, Counter()))
    # Only where somebody holds the port for this account, and shares it.
    shared = bool(os.environ.get("SKIVA_STREAM_SHARED"))
    server.listen(where.port or 8085, where.hostname or "127.0.0.1", reuse_port=shared)
    watching = asyncio.create_task(queue.run())
    await ended.wait()
    watching.cancel()
    server.stop()


def main() -> int:
    """Serve until the hub ends this process."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    try:
        site = load(Path(os.environ["SKIVA_SITE"]))
        path = Path(os.environ["SKIVA_SNAPSHOT"])
        url, prefix = os.environ["JUPYTERHUB_SERVICE_URL"], os.environ["JUPYTERHUB_SERVICE_PREFIX"]
    except KeyError as missing:
        _log.error("%s is not set; this service is started by the hub", missing.args[0])
        return 2
    except SiteError as problem:
        _log.error("%s", problem)
        return 2
    asyncio.run(_serve(Queue(path, site), url, prefix))
    return 0


if __name__ == "__main__":
    sys.exit(main())
