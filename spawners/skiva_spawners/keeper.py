"""Keeps sessions, jobs and routes in step, whatever died in between.

With each reading of the queue: sessions that were seen to end are ended in the hub too, ones
that Slurm has put back into the queue come back under their old address, and jobs of this hub
that it has given up are cancelled, as are those of Dask clusters whose scheduler is gone. After a
restart of the hub, starts that it cut off go on.
"""
# JupyterHub has no public way to say that a running server starts again.
# ruff: noqa: SLF001

import asyncio
from collections import Counter
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from jupyterhub import orm
from jupyterhub.utils import url_escape_path, url_path_join
from tornado.httpclient import AsyncHTTPClient, HTTPError, HTTPRequest
from tornado.log import app_log

from skiva_hub import metrics
from skiva_slurm.jobs import Job, Snapshot
from skiva_spawners import arrival, decisions
from skiva_spawners.cancelling import Cancelling
from skiva_spawners.cluster_jobs import ClusterJobs
from skiva_spawners.decisions import Care
from skiva_spawners.errors import SessionFailed
from skiva_spawners.hub_state import HubState
from skiva_spawners.lifecycle import Event, State, restored
from skiva_spawners.session import Session
from skiva_spawners.spawner import SliceSpawner

_GIVEN_UP_PATIENCE = 5.0
"""Seconds after which the job of a session that is over is cancelled, if it was not before."""
_REMAINS_PATIENCE = 3.0
"""Seconds after which the remains of a session that JupyterHub did not clear away itself are."""
_LOOK_AGAIN = 30.0
"""Seconds between two looks for a session that is out of sight."""
_MOST_REFUSALS = 60
"""How often a start is tried again, a second apart, before its job is given up."""


class Keeper:
    """One per hub; `token` is a hub token with the scope `servers`."""

    def __init__(self, app: Any, state: HubState, token: str) -> None:
        self._app = app
        self._state = state
        self._token = token
        self._cluster_jobs = ClusterJobs(state)
        self._cancelling = Cancelling(state, patience=_GIVEN_UP_PATIENCE)
        self._unknown: set[int] = set()
        """Jobs with this hub's id that belong to no session it knows."""
        self._looked: dict[str, float] = {}
        """When each session that is out of sight was asked for last, by nonce (monotonic seconds)."""
        self._living_unseen = 0
        self._remains: dict[tuple[str, str], float] = {}
        """Since when the hub has taken for running what is not (monotonic seconds)."""

    async def run(self) -> None:
        """Take up what an earlier hub left, then follow the queue for ever."""
        await self._until_hub_answers()
        self._state.interrupted.update(self._interrupted())
        self._state.background(self._take_up())
        snapshot: Snapshot | None = None
        while True:
            snapshot = await self._state.watcher.changed(snapshot)
            try:
                self._follow()
                self._look_for_unseen()
                self._cluster_jobs.look(snapshot)
                self._sweep(snapshot)
                metrics.note_sight(unseen=len(self._state.unseen), unknown=len(self._unknown))
            except Exception:  # noqa: BLE001 - one bad reading must not end the watch
                app_log.exception("The keeper stumbled; it goes on with the next reading of the queue")

    # -- after a restart -------------------------------------------------------------------

    async def _until_hub_answers(self) -> None:
        while True:
            try:
                await AsyncHTTPClient().fetch(self._app.hub.api_url, request_timeout=2)
                return
            except (OSError, HTTPError, AttributeError):
                await asyncio.sleep(0.1)

    def _interrupted(self) -> Iterator[tuple[str, str]]:
        for spawner in self._app.db.query(orm.Spawner):
            session = (spawner.state or {}).get("session")
            if session and _is_interrupted(session) and spawner.user is not None:
                yield spawner.user.name, spawner.name

    async def _take_up(self) -> None:
        """Start what was interrupted, now and later, until it runs or was given up."""
        refusals: Counter[tuple[str, str]] = Counter()
        waiting = self._state.interrupted
        while True:
            for start in tuple(waiting):
                refusals[start] += 1
                if await self._start_again(*start):
                    waiting.discard(start)
                elif refusals[start] >= _MOST_REFUSALS:
                    self._give_up(*start)
                    waiting.discard(start)
                if start not in waiting:
                    del refusals[start]
            await asyncio.sleep(1)

    async def _start_again(self, user: str, server: str) -> bool:
        """Let the hub start the server as if it had been asked to; its spawner finds the old job.

        False where it shall be tried again.
        """
        if not self._is_left(user, server):
            return True
        app_log.info("Taking up the interrupted start of %s/%s", user, server)
        # What answered there before may be somebody else's by now.
        await self._app.proxy.delete_user(self._app.users[user], server)
        try:
            await self._ask_hub(user, server)
        except (HTTPError, OSError) as problem:
            app_log.warning("The start of %s/%s was not taken up: %s", user, server, problem)
        return not self._is_left(user, server)

    async def _ask_hub(self, user: str, server: str) -> None:
        place = ("servers", url_escape_path(server)) if server else ("server",)
        request = HTTPRequest(
            url_path_join(self._app.hub.api_url, "users", url_escape_path(user), *place),
            method="POST",
            body="",
            headers={"Authorization": f"token {self._token}"},
        )
        await AsyncHTTPClient().fetch(request)

    def _is_left(self, user: str, server: str) -> bool:
        """Whether a record is there that no start and no running server stands for."""
        row = self._row(user, server)
        if row is None or "session" not in (row.state or {}):
            return False
        spawners = self._app.users[user].spawners if user in self._app.users else {}
        spawner = spawners.get(server)
        return spawner is None or not (spawner.pending == "spawn" or spawner.ready)

    def _row(self, user: str, server: str) -> Any:
        rows = self._app.db.query(orm.Spawner).join(orm.User).filter(orm.User.name == user)
        return rows.filter(orm.Spawner.name == server).first()

    def _give_up(self, user: str, server: str) -> None:
        """Forget a record that the hub does not let start again; its job then has no owner."""
        app_log.error("The interrupted start of %s/%s cannot be taken up", user, server)
        if user in self._app.users and (spawner := self._app.users[user].spawners.get(server)) is not None:
            spawner.session = None
        row = self._row(user, server)
        self._state.given_up.add(str(row.state["session"]["nonce"]))
        row.state = {name: value for name, value in row.state.items() if name != "session"}
        self._app.db.commit()

    # -- with each reading -----------------------------------------------------------------

    def _sessions(self) -> Iterator[tuple[Any, SliceSpawner, Session]]:
        for user in list(self._app.users.values()):
            for spawner in list(user.spawners.values()):
                session = getattr(spawner, "session", None)
                if session is not None:
                    yield user, spawner, session

    def _follow(self) -> None:
        remains: dict[tuple[str, str], float] = {}
        for user, spawner, session in self._sessions():
            if not spawner.ready:
                continue
            ended = session.ended_job() is not None
            match decisions.care(session.phase, moved=session.moved, ended=ended):
                case Care.BRING_BACK:
                    self._state.background(self._bring_back(user, spawner, session))
                case Care.NOTICE_END:
                    self._state.background(spawner.poll_and_notify())
                case Care.CLEAR_AWAY:
                    place, now = (user.name, spawner.name), self._state.clock()
                    remains[place] = self._remains.get(place, now)
                    if now - remains[place] > _REMAINS_PATIENCE:
                        self._state.background(self._clear_away(user, spawner))
                case Care.NOTHING:
                    pass
        self._remains = remains

    def _look_for_unseen(self) -> None:
        """Ask for sessions whose jobs readings lack; how many do is told once, and again when it changes."""
        now = self._state.clock()
        unseen = {s.record.nonce: s for _, _, s in self._sessions() if s.is_unseen}
        self._looked = {nonce: at for nonce, at in self._looked.items() if nonce in unseen}
        for nonce, session in unseen.items():
            if now - self._looked.get(nonce, -_LOOK_AGAIN) >= _LOOK_AGAIN:
                self._looked[nonce] = now
                self._state.background(session.look_for())
        for nonce in self._state.unseen.keys() - unseen.keys():
            del self._state.unseen[nonce]
        living = len(self._state.unseen)
        if living != self._living_unseen:
            self._living_unseen = living
            app_log.warning(
                "%d sessions live and are not in the queue that this hub sees%s",
                living,
                ": may its account still see everybody's jobs (PrivateData)?" if living else " any more",
            )

    async def _clear_away(self, user: Any, spawner: SliceSpawner) -> None:
        """End what JupyterHub takes for running, though its start was cancelled or its session is over."""
        if spawner.pending:
            return
        spawner._stop_pending = True
        try:
            await self._app.proxy.delete_user(user, spawner.name)
            await user.stop(spawner.name)
        finally:
            spawner._stop_pending = False

    async def _bring_back(self, user: Any, spawner: SliceSpawner, session: Session) -> None:
        """A requeued session: its route goes, its place in the hub stays, and it returns by itself.

        To JupyterHub it looks like a start, so its pending page, its Cancel and its limits hold. One that
        breaks off is begun again with the next reading.
        """
        if spawner.pending:
            return
        spawner._spawn_pending = True
        spawner._spawn_future = asyncio.current_task()
        session.step = ""
        session.log.info("requeued", job=session.record.job_id)
        session.happened(Event.REQUEUED)
        try:
            await self._app.proxy.delete_user(user, spawner.name)
            place = urlsplit(await arrival.until_answering(session))
            spawner.server.ip, spawner.server.port = place.hostname, place.port
            self._app.db.commit()
            await self._app.proxy.add_user(user, spawner.name)
            session.happened(Event.ROUTED)
        except SessionFailed as problem:
            spawner.failure = problem.failure
            spawner._spawn_pending = False
            await user.stop(spawner.name)
        except asyncio.CancelledError:
            session.happened(Event.BROKEN_OFF)
            raise
        finally:
            spawner._spawn_pending = False
            spawner._spawn_future = None

    # -- jobs without an owner -------------------------------------------------------------

    def _sweep(self, snapshot: Snapshot) -> None:
        """Cancel what this hub has given up; what it does not know may be another's, and is only told."""
        hub = self._state.site.hub.id
        strays = decisions.strays(snapshot.jobs.values(), hub, self._nonces())
        if strays:
            strays = decisions.strays(strays, hub, self._nonces_in_database())
        given_up = [job for job in strays if decisions.nonce_of(job) in self._state.given_up]
        self._cancelling.want({(job.user, job.id): "its session is over" for job in given_up})
        self._tell_of_unknown([job for job in strays if job not in given_up])

    def _tell_of_unknown(self, jobs: list[Job]) -> None:
        known, self._unknown = self._unknown, {job.id for job in jobs}
        if new := sorted(self._unknown - known):
            app_log.warning(
                "Jobs with the id %r of this hub that belong to no session that it knows: %s. They are left "
                "alone: another hub may have this id, or this one another database. scancel ends them.",
                self._state.site.hub.id,
                ", ".join(map(str, new[:20])) + (", …" if len(new) > 20 else ""),
            )

    def _nonces(self) -> set[str]:
        sessions = (session for _, _, session in self._sessions())
        return {session.record.nonce for session in sessions if session.phase is not State.OVER}

    def _nonces_in_database(self) -> set[str]:
        states = (spawner.state or {} for spawner in self._app.db.query(orm.Spawner))
        return {state["session"]["nonce"] for state in states if "session" in state}


def _is_interrupted(record: dict[str, Any]) -> bool:
    return restored(State(record["phase"])) is State.INTERRUPTED
