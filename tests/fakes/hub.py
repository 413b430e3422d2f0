"""A hub with everything but its web side, over a cluster that tests write, in virtual time.

JupyterHub's users, their spawners and its database are real, as is what is ours, from the spawner and the
keeper to the watcher. Slurm's queue, the helper that acts as people, the servers and the proxy are not.
"""

import asyncio
import json
import logging
import os
import pwd
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any, TypeVar, cast

from jupyterhub import orm, roles
from jupyterhub.app import JupyterHub
from jupyterhub.objects import Hub
from jupyterhub.user import UserDict
from tests.fakes.slurm import FakeReader, no_answer
from tests.fakes.virtual_time import VirtualTimeLoop
from tests.unit.pages import samples
from tornado.httpclient import HTTPError

from skiva_hub.site import Hours, Limits, Site
from skiva_slurm.errors import Refused, SlurmUnanswered
from skiva_slurm.jobs import Job, Node
from skiva_slurm.states import Life
from skiva_slurm.watcher import Watcher
from skiva_spawners.errors import ActingFailed, NotOurServer
from skiva_spawners.given_up import GivenUp
from skiva_spawners.hub_state import HubState
from skiva_spawners.keeper import Keeper
from skiva_spawners.lifecycle import State
from skiva_spawners.report import Proof, Report
from skiva_spawners.sealing import Seal
from skiva_spawners.session import Session
from skiva_spawners.spawner import SliceSpawner

__all__ = ["PERSON", "FakeCluster", "FakeHub", "a_cluster", "a_site", "database"]

PERSON = pwd.getpwuid(os.geteuid()).pw_name
"""The only person there; a start looks up their account."""
NODE = Node("n1", "10.0.0.1", frozenset({"MIXED"}))
GOOD = Proof(exclusive=True, openable=1, denied=6)
DEAD = {Life.ENDED, Life.ENDING}
_T = TypeVar("_T")


def a_site(**hours: Any) -> Site:
    """A site that starts servers within a minute; sessions may be lengthened by an hour."""
    lengthened = {"default": 2, "max": 8, "extend_by": 1, "extend_as": "operator"}
    return samples.site().model_copy(
        update={"hours": Hours.model_validate(lengthened | hours), "limits": Limits(start_seconds=60)}
    )


class FakeCluster:
    """Slurm, what runs in its jobs, the helper and the proxy: all that outlives a hub."""

    def __init__(self, loop: VirtualTimeLoop, state_dir: Path) -> None:
        self.loop = loop
        self.state_dir = state_dir
        """What hubs keep beside their database."""
        self.reader = FakeReader(nodes=[NODE])
        self.answers = True
        """Whether the helper is answered when it submits."""
        self.refuses = ""
        """What sbatch says instead of taking a job."""
        self.submitting_takes = 0.2
        """Seconds until Slurm has a job; the hub may be dead by then."""
        self.answering_takes = 0.1
        """Seconds from then until the hub is told its number."""
        self.helps = True
        """Whether the helper can act as anybody."""
        self.private: dict[int, dict[str, Any]] = {}
        """What each job has been told."""
        self.servers: dict[str, int] = {}
        """The job that listens at an address."""
        self.impostors: set[str] = set()
        self.cancelled: list[int] = []
        self.deaf: set[int] = set()
        """Jobs that do not end when they are cancelled."""
        self.extended: list[tuple[str, int, int]] = []
        self.routes: dict[str, str] = {}
        self.hub: FakeHub | None = None
        """The hub of these days."""

    @property
    def silent(self) -> bool:
        """Whether nothing can be asked of Slurm."""
        return self.reader.fail is not None

    @silent.setter
    def silent(self, value: bool) -> None:
        self.reader.fail = no_answer() if value else None

    @property
    def jobs(self) -> dict[int, Job]:
        """All jobs as they really are."""
        return self.reader.all_jobs

    @property
    def living(self) -> list[int]:
        """The numbers of the jobs that have not ended."""
        return [number for number, job in self.jobs.items() if job.life not in DEAD]

    def arrive(self, account: str, options: list[str], server: str) -> int:
        """Take a job."""
        told = dict(option.lstrip("-").partition("=")[::2] for option in options)
        number = 100 + len(self.private)
        job = Job(number, account, "PENDING", "Priority", tag=told["comment"], submitted=self.loop.now)
        self.reader.put(job)
        self.private[number] = json.loads(server)
        return number

    def change(self, number: int, **changes: Any) -> None:
        """Change what the queue shows of a job."""
        self.reader.put(replace(self.jobs[number], **changes))

    def run(self, number: int, minutes: float = 120) -> None:
        """Start a job; its server listens from now on."""
        now = self.loop.now
        self.change(number, state="RUNNING", reason="None", nodes=("n1",), start=now, end=now + minutes * 60)
        self.servers[self.url(number)] = number

    def url(self, number: int) -> str:
        """Where the server of a job's present run listens."""
        return f"https://10.0.0.1:{20000 + 20 * number + self.jobs[number].restarts}"

    def end(self, number: int, state: str = "COMPLETED") -> None:
        """End a job and its server."""
        if number in self.private:
            self.servers.pop(self.url(number), None)
        self.change(number, state=state, end=self.loop.now)

    def requeue(self, number: int) -> None:
        """Put a job back into the queue; its next run has another port."""
        self.servers.pop(self.url(number), None)
        self.change(number, state="PENDING", nodes=(), restarts=self.jobs[number].restarts + 1)

    def forget(self, number: int) -> None:
        """Let the queue show a job no more, as Slurm does minutes after its end."""
        del self.reader.all_jobs[number]

    def report(self, number: int, **changes: Any) -> Report:
        """What a job tells the hub."""
        told = {
            "port": int(self.url(number).rpartition(":")[2]),
            "nonce": self.private[number]["nonce"],
            "job_id": number,
            "restarts": self.jobs[number].restarts,
            "proof": GOOD,
        }
        return Report.model_validate(told | changes)

    async def verify(self, url: str, certificate: str, timeout: float) -> None:
        """As `skiva_spawners.certificate.verify`."""
        address = url.partition("/user/")[0]
        if address in self.impostors:
            raise NotOurServer("Something else answers where your session should be, so it was not opened.")
        number = self.servers.get(address)
        if number is None:
            await asyncio.sleep(min(timeout, 1))
            raise ConnectionRefusedError("nobody listens there")
        if self.private[number]["certificate"] != certificate:
            raise NotOurServer("Something else answers where your session should be, so it was not opened.")


class _Helper:
    """As `Actor`, for one hub; it is never told what becomes of what it asked for once that hub is dead."""

    def __init__(self, cluster: FakeCluster) -> None:
        self.cluster = cluster
        self.is_dead = False
        self.hangs_for = ""
        """For whom it never ends."""
        self.hears_nothing = False
        """Whether it cannot say how a job is."""
        self.says: int | None = None
        """The number that it tells in place of a job's."""

    async def submit(self, account: str, *, nonce: str, options: list[str], script: str, server: str) -> int:
        """As `Actor.submit`; the job arrives whatever happens to whoever waits here."""
        cluster, loop = self.cluster, self.cluster.loop
        assert script.startswith("#!")
        assert json.loads(server)["nonce"] == nonce
        arrived: asyncio.Future[int] = loop.create_future()

        def arrive() -> None:
            if cluster.helps and not cluster.refuses:
                arrived.set_result(cluster.arrive(account, options, server))

        loop.call_later(cluster.submitting_takes, arrive)
        if self.says is not None and cluster.submitting_takes > 1000:
            return self.says
        await asyncio.sleep(cluster.submitting_takes + cluster.answering_takes)
        if not cluster.helps:
            raise ActingFailed("Your session could not be prepared: no such file.")
        if cluster.refuses:
            raise Refused(cluster.refuses)
        if not cluster.answers:
            raise SlurmUnanswered("silent")
        return arrived.result() if self.says is None else self.says

    async def cancel(self, account: str, job_id: int) -> None:
        """As `Actor.cancel`."""
        if account == self.hangs_for:
            await asyncio.Event().wait()
        await self._asked()
        assert self.cluster.jobs[job_id].user == account
        self.cluster.cancelled.append(job_id)
        if job_id in self.cluster.living and job_id not in self.cluster.deaf:
            self.cluster.end(job_id, "CANCELLED")

    async def shown(self, account: str, job_id: int) -> str:
        """As `Actor.shown`: people see their own jobs whatever the hub may see."""
        await self._asked()
        if self.hears_nothing:
            raise ActingFailed("The hub cannot act as anybody.")
        job = self.cluster.jobs.get(job_id)
        return job.state if job is not None and job.user == account else ""

    async def extend(self, operator: str, job_id: int, minutes: int) -> None:
        """As `Actor.extend`."""
        await self._asked()
        self.cluster.extended.append((operator, job_id, minutes))
        start = self.cluster.jobs[job_id].start or 0
        self.cluster.change(job_id, end=start + minutes * 60)

    async def log_tail(self, account: str, nonce: str) -> tuple[str, ...]:
        """As `Actor.log_tail`."""
        return (f"the log of {account} in {nonce}",)

    async def forget(self, account: str, nonce: str) -> None:
        """As `Actor.forget`."""

    async def _asked(self) -> None:
        await asyncio.sleep(0.1)
        if self.is_dead:
            await asyncio.Event().wait()
        if self.cluster.silent:
            raise SlurmUnanswered("silent")


class _Spawner(SliceSpawner):
    def start_polling(self) -> None:
        """Leave it to the hub here, which polls in virtual time."""


class _Keeper(Keeper):
    async def _until_hub_answers(self) -> None:
        """It does at once."""

    async def _ask_hub(self, user: str, server: str) -> None:  # noqa: ARG002 - there is one of each
        self._app.click()


class FakeHub(SimpleNamespace):
    """JupyterHub between two restarts; `crash` ends it wherever it is, and the next one has its database."""

    def __init__(
        self, cluster: FakeCluster, database: Any, site: Site | None = None, *, refuses_to_start: int = 0
    ) -> None:
        loop = cluster.loop
        self.cluster, self.database, self.db = cluster, database, database()
        self.site = site or a_site()
        self.watcher = Watcher(cluster.reader, idle_interval=5, busy_interval=1, clock=loop.time)
        self.helper = _Helper(cluster)
        given_up = GivenUp(cluster.state_dir / "given-up-sessions")
        given_up.load()
        helper, seal = cast("Any", self.helper), Seal(cluster.state_dir / "session-key")
        self.state = HubState(
            self.site, self.watcher, helper, given_up, seal, clock=loop.time, verify=cluster.verify
        )
        self.hub = Hub(ip="127.0.0.1", port=8081, base_url="/hub/")
        settings = {"skiva": self.state, "spawner_class": _Spawner, "hub": self.hub, "internal_ssl": False}
        self.users = UserDict(lambda: self.db, settings)
        self.log, self.log_level = logging.getLogger("tests.hub"), logging.INFO
        self.authenticator = SimpleNamespace(blocked_users=())
        self.proxy = _Proxy(cluster)
        self.user = self.users[PERSON]
        self.refuses_to_start = refuses_to_start
        self.polls = True
        """Whether JupyterHub asks after its servers by itself."""
        # The server answers as itself when JupyterHub looks for it.
        self.user._wait_up = self._wait_up
        cluster.hub = self
        self.wait(self._start())

    @property
    def spawner(self) -> Any:
        """Their server."""
        return self.user.spawners[""]

    @property
    def session(self) -> Session | None:
        """The session that their server is."""
        found: Session | None = self.spawner.session
        return found

    @property
    def kept(self) -> dict[str, Any]:
        """What the database has of their server, seen from outside of the hub."""
        row = self.db.query(orm.Spawner).first()
        return dict((row.state if row else None) or {})

    @property
    def route(self) -> str:
        """Where requests to their server go; empty where it has no route."""
        return self.cluster.routes.get(PERSON, "")

    def wait(self, work: Coroutine[Any, Any, _T]) -> _T:
        """Run the hub until `work` is done."""
        return self.cluster.loop.run_until_complete(work)

    def pass_time(self, seconds: float) -> None:
        """Let time go by."""
        self.wait(asyncio.sleep(seconds))

    async def _start(self) -> None:
        self.watcher.start()
        await JupyterHub.init_spawners(self)
        if not self.spawner.ready:
            self.cluster.routes.pop(PERSON, None)
        self.state.background(_Keeper(self, self.state, "token").run())
        self.state.background(self._poll())

    async def _wait_up(self, spawner: Any) -> None:
        while spawner.server.host not in self.cluster.servers:  # noqa: ASYNC110 - as JupyterHub does
            await asyncio.sleep(0.1)
        spawner._waiting_for_response = spawner._start_pending = False

    async def _poll(self) -> None:
        while True:
            await asyncio.sleep(10)
            if self.polls and self.spawner.ready:
                await self.spawner.poll_and_notify()

    def click(self, **options: Any) -> None:
        """Press Start: as `POST users/NAME/server`.

        Raises:
            HTTPError: it is starting, stopping or running.
        """
        user, spawner = self.user, self.spawner
        self.refuses_to_start -= 1
        if spawner.pending or spawner.ready or self.refuses_to_start >= 0:
            raise HTTPError(400)
        spawner._spawn_pending = True
        spawner._spawn_future = asyncio.ensure_future(self._spawn(user, options), loop=self.cluster.loop)

        def started(done: Any) -> None:
            now = user.spawners[""]
            if done.cancelled() or done.exception() is None:
                now._spawn_future = None
            now._spawn_pending = False

        spawner._spawn_future.add_done_callback(started)

    async def _spawn(self, user: Any, options: dict[str, Any]) -> None:
        await user.spawn("", options=options or None)
        await self.proxy.add_user(user)
        user.spawners[""].add_poll_callback(self.user_stopped, user, "")

    async def user_stopped(self, user: Any, server: str) -> None:
        """As JupyterHub's handlers do when a server was seen to have stopped."""
        await self.proxy.delete_user(user, server)
        await user.stop(server)

    async def cancel(self) -> None:
        """Press Cancel, or Stop: as `DELETE users/NAME/server`."""
        spawner = self.spawner
        if spawner.pending == "spawn":
            spawner._spawn_future.cancel()
            await asyncio.sleep(1)
        elif not spawner.ready or await spawner.poll_and_notify() is not None:
            return
        assert not spawner.pending, "it is still starting"
        spawner._stop_pending = True
        await self.user_stopped(self.user, "")
        spawner._stop_pending = False

    def keep_elsewhere(self, nonce: str | None) -> None:
        """Let the database know a session of somebody whom this hub has not loaded, or know it no more."""
        if nonce is None:
            self.db.query(orm.User).filter(orm.User.name == "elsewhere").delete()
        else:
            state = {"session": {"nonce": nonce, "phase": "ready"}}
            self.db.add(orm.Spawner(name="", state=state, user=orm.User(name="elsewhere")))
        self.db.commit()

    def tell(self, number: int, **changes: Any) -> None:
        """Let a job report, with changes, and the hub take it; raises as `SliceSpawner.receive` does."""
        self.wait(self.spawner.receive(self.cluster.report(number, **changes)))

    def submit(self, **options: Any) -> int:
        """Start a session; the number of its job, which waits."""
        before = set(self.cluster.jobs)
        self.click(**options)
        self.pass_time(2)
        (number,) = set(self.cluster.jobs) - before
        return number

    def open(self, **options: Any) -> int:
        """Start a session that is used; the number of its job."""
        number = self.submit(**options)
        self.cluster.run(number)
        self.tell(number)
        self.pass_time(2)
        assert self.is_open(number)
        return number

    def is_open(self, number: int) -> bool:
        """Whether the server in this job can be used, under the one route."""
        ready = bool(self.session and self.session.phase is State.READY and self.spawner.ready)
        return ready and self.route == self.cluster.url(number)

    def restarted(self, after: float = 0.0) -> "FakeHub":
        """The next hub, some seconds after this one has died."""
        self.crash()
        self.pass_time(after)
        return FakeHub(self.cluster, self.database, self.site)

    def crash(self) -> None:
        """Die at once: nothing more is written down, and nobody is asked for anything."""
        self.helper.is_dead = self.proxy.is_dead = True
        self.db.commit = self.db.flush = lambda *_: None
        loop = self.cluster.loop
        for _ in range(10):
            if not (tasks := asyncio.all_tasks(loop)):
                break
            for task in tasks:
                task.cancel()
            loop.run_until_complete(asyncio.wait(tasks, timeout=60))
        else:
            raise RuntimeError(f"these swallow their cancellation: {asyncio.all_tasks(loop)}")
        self.db.close()


class _Proxy:
    def __init__(self, cluster: FakeCluster) -> None:
        self.cluster = cluster
        self.is_dead = False
        self.fails = 0
        """How often no route can be made."""

    async def add_user(self, user: Any, server: str = "") -> None:
        """As JupyterHub's proxy."""
        await asyncio.sleep(0.1)
        self.fails -= 1
        if self.fails >= 0:
            raise ConnectionRefusedError
        if not self.is_dead:
            self.cluster.routes[user.name] = user.spawners[server].server.host

    async def delete_user(self, user: Any, server: str = "") -> None:  # noqa: ARG002 - it has one
        """As JupyterHub's proxy."""
        await asyncio.sleep(0.1)
        if not self.is_dead:
            self.cluster.routes.pop(user.name, None)


@contextmanager
def a_cluster(database: Any) -> Iterator[FakeCluster]:
    """A cluster of its own, for hubs over `database`, which is empty again afterwards."""
    loop = VirtualTimeLoop()
    with TemporaryDirectory() as state_dir:
        yield from _cluster_in(loop, Path(state_dir), database)


def _cluster_in(loop: VirtualTimeLoop, state_dir: Path, database: Any) -> Iterator[FakeCluster]:
    cluster = FakeCluster(loop, state_dir)
    try:
        yield cluster
    finally:
        if cluster.hub is not None:
            cluster.hub.crash()
        loop.close()
        with database() as db:
            for kept in (orm.Spawner, orm.APIToken, orm.OAuthClient, orm.Server):
                ours = db.query(kept)
                if kept is orm.OAuthClient:
                    ours = ours.filter(orm.OAuthClient.identifier != "jupyterhub")
                for row in ours:
                    db.delete(row)
            db.commit()


def database() -> Any:
    """Makes sessions of a database of JupyterHub's in memory, with one person in it."""
    make = orm.new_session_factory("sqlite:///:memory:")
    with make() as db:
        for role in roles.get_default_roles():
            roles.create_role(db, role)
        db.add(orm.OAuthClient(identifier="jupyterhub"))
        person = orm.User(name=PERSON)
        db.add(person)
        db.commit()
        roles.assign_default_roles(db, person)
        db.commit()
    return make
