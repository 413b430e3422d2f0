"""`SliceSpawner`: a notebook server in a Slurm job, from the click to its end.

The order of things is what makes it safe. The record is in the database before Slurm hears
of the job; the job id is in it the moment that sbatch answers; a submission is never torn by
a cancelled request; a server gets a route only after it has proved to be ours; and only an
end that was seen ends a session.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from functools import partial
from typing import Any

from batchspawner import SlurmSpawner
from jupyterhub.spawner import SpawnException
from jupyterhub.utils import url_escape_path, url_path_join, wait_for_http_server
from pydantic import ValidationError
from traitlets import default

from skiva_hub import metrics
from skiva_hub.pages import form, render
from skiva_hub.pages.cards import is_stale
from skiva_hub.req_options import CARRIED, site_defaults
from skiva_slurm.jobs import Job
from skiva_slurm.states import Life
from skiva_spawners import arrival, progress
from skiva_spawners.certificate import Pair, trust
from skiva_spawners.errors import BadOption, SessionFailed, SkivaSpawnError
from skiva_spawners.failure import Failure
from skiva_spawners.hub_state import HubState
from skiva_spawners.lifecycle import Event, State
from skiva_spawners.options import Choice, choose
from skiva_spawners.record import Record
from skiva_spawners.report import Report, Stale
from skiva_spawners.sealing import SealBroken
from skiva_spawners.session import Session

__all__ = ["SliceSpawner"]

_FOREVER = 366 * 24 * 3600
_END_PATIENCE = 20.0


class SliceSpawner(SlurmSpawner):
    """Starts a person's notebook server in a Slurm job on the slice that they picked.

    It is a batchspawner only in the names of its settings: `req_partition`, `req_account` and
    their like fill in what a site's slices leave open. How it submits, watches and ends jobs
    is its own.
    """

    api_token: str
    session: Session | None = None
    """The session that this server is, from its submission to its end."""
    failure: Failure | None = None
    """Why the last start failed or the last session ended, for the pages."""
    _leaving: asyncio.Task[None] | None = None

    # A job may wait for days; what must be quick has time limits of its own.
    @default("start_timeout")
    def _wait_in_the_queue(self) -> int:
        return _FOREVER

    # The route exists only after the server has answered; silence later is not its death.
    @default("http_timeout")
    def _silence_is_not_death(self) -> int:
        return 3600

    @default("poll_interval")
    def _poll_is_a_look_up(self) -> int:
        return 10

    @default("disable_user_config")
    def _the_operator_decides_what_runs(self) -> bool:
        return True

    @default("options_form")
    def _form(self) -> Any:
        return _options_form

    @default("options_from_form")
    def _from_form(self) -> Any:
        return _options_from_form

    @default("apply_user_options")
    def _check(self) -> Any:
        return _check_options

    def options_from_query(self, query_data: Mapping[str, list[str]]) -> dict[str, Any]:  # noqa: ARG002
        """Refuse to start from a link: a link only fills in the form."""
        raise form.OnlyFillsIn

    @property
    def skiva(self) -> HubState:
        """The site, the watcher and the helper of this hub."""
        state: HubState = self.user.settings["skiva"]
        return state

    @property
    def groups(self) -> frozenset[str]:
        """The hub groups of the server's owner."""
        return frozenset(group.name for group in self.user.groups)

    @property
    def server(self) -> Any:
        """Where JupyterHub reaches the session; it waits for it as the proxy asks it, by its certificate."""
        server = SlurmSpawner.server.fget(self)
        if server is not None and self.session is not None:
            # After a restart JupyterHub corrects the rest of an address that it kept, but not this.
            server.proto = "https"
            server.wait_up = partial(_wait_up, server, self.session.record.certificate)
        return server

    @server.setter
    def server(self, server: Any) -> None:
        SlurmSpawner.server.fset(self, server)

    @property
    def session_token(self) -> str:
        """The token that this session's job holds; empty where there is no session."""
        return self.session.record.api_token if self.session else ""

    def choice(self) -> Choice:
        """What was picked, checked against the site as it is now.

        Raises:
            SpawnException: one sentence that names the field.
        """
        try:
            state, now = self.skiva, time.time()
            snapshot = state.watcher.snapshot
            return choose(
                self.user_options or {},
                state.allowed(self.user.name),
                self.user.name,
                self.groups,
                state.records,
                snapshot=None if is_stale(state.site, snapshot, now) else snapshot,
                now=now,
            )
        except BadOption as problem:
            raise _told(str(problem), "option") from None

    # -- the life of a session -------------------------------------------------------------

    async def start(self) -> str:
        """Submit a job, wait for its turn, prove the server; its address.

        Raises:
            SpawnException: in words for the user.
        """
        self.failure = None
        try:
            if self.session is None:
                await self._submit(clicked=time.time())
            else:
                await self._take_up(self.session)
            return await arrival.until_answering(self._living())
        except SessionFailed as problem:
            raise self._exception(problem.failure) from None
        except SkivaSpawnError as problem:
            raise self._exception(Failure(str(problem), cause="helper")) from None

    async def _submit(self, *, clicked: float) -> None:
        choice = self.choice()
        pair = Pair.new()
        record = Record.new(
            choice,
            certificate=pair.certificate,
            api_token=self.api_token,
            account=self.user.name,
            clicked=clicked,
        )
        self.session = self._session(record)
        env, defaults = self._private_environment(), self._defaults()
        await arrival.submit(self.session, choice, pair.private_key, env, defaults, self.groups)

    async def _take_up(self, session: Session) -> None:
        """Go on where an earlier hub left off; what never reached Slurm is submitted anew."""
        self.api_token = session.record.api_token
        session.happened(Event.TAKEN_UP)
        session.log.info("taken up again", job=session.record.job_id)
        if not await arrival.was_submitted(session):
            session.give_up()
            self.skiva.background(session.forget())
            await self._submit(clicked=session.record.clicked)

    def _session(self, record: Record) -> Session:
        base_path = url_path_join(self.user.base_url, url_escape_path(self.name), "/")
        return Session(
            self.skiva,
            user=self.user.name,
            server=self.name,
            base_path=base_path,
            record=record,
            keep=self._keep,
        )

    def _exception(self, failure: Failure) -> SpawnException:
        self.failure = failure
        metrics.count_failure(failure.cause)
        if self.session:
            self.session.end()
            self.session.log.warning(
                "failed", job=failure.job_id, cause=failure.cause, sentence=failure.sentence
            )
        return _told(f"{failure.sentence} {failure.action}".strip(), failure.cause)

    def _living(self) -> Session:
        if self.session is None:
            raise Stale("There is no such session any more.")
        return self.session

    def _defaults(self) -> dict[str, str]:
        return site_defaults({name: getattr(self, name) for name in CARRIED})

    def user_env(self, env: dict[str, str]) -> dict[str, str]:
        """Add nothing: home and shell are looked up where it may take its time, by the helper."""
        return env

    def _private_environment(self) -> dict[str, str]:
        env: dict[str, str] = self.get_env()
        env["JUPYTERHUB_API_URL"] = self.skiva.site.hub.api_url.rstrip("/")
        env["JUPYTERHUB_ACTIVITY_URL"] = (
            f"{env['JUPYTERHUB_API_URL']}/users/{self.user.escaped_name}/activity"
        )
        return env

    def _keep(self) -> None:
        """Commit the record at once: what the hub knows must survive its next instruction."""
        self.orm_spawner.state = self.get_state()
        self.db.commit()

    async def poll(self) -> int | None:
        """None while the session lives or may live; an exit status only for an end that was seen."""
        session = self.session
        if session is None:
            return 0
        unproved = session.phase is State.UNPROVED and session.ended_job() is None
        if unproved and not await session.proves_again():
            session.happened(Event.SILENT)
        if session.phase is State.INTERRUPTED:
            # JupyterHub drops it, route and all, and the keeper takes it up again.
            self.will_resume = True
            self.skiva.interrupted.add((self.user.name, self.name))
            return 0
        job = session.seen_end()
        if job is None:
            return None
        if self.failure is None:
            log = await session.log_tail()
            self.failure = session.failure(job, log)
            metrics.count_failure(self.failure.cause)
            session.log.info("ended", job=job.id, state=job.state, cause=self.failure.cause)
        session.end()
        return 0 if job.state.startswith("COMPLETED") else 1

    async def get_url(self) -> str:
        """The server's address, also where the hub died before it had written it down itself."""
        return (self.session.url if self.session else "") or str(self.server.url)

    async def stop(self, now: bool = False) -> None:
        """End the job. If Slurm does not answer, the keeper ends it as soon as it does."""
        if self.session is None:
            return
        if await self.session.cancel() and not now:
            await self.session.until_ended(_END_PATIENCE)

    async def receive(self, report: Report) -> None:
        """Take the job's report; raises as `Session.receive` does."""
        await self._living().receive(report)

    def leaving(self) -> None:
        """Look for the end of a session that says it is ending; the keeper clears away what has ended.

        Once, however often it says so.
        """
        if self._leaving is None or self._leaving.done():
            self._leaving = self.skiva.background(self._living().until_gone(_END_PATIENCE))

    async def extend(self) -> float:
        """Lengthen the session by the site's step; the new end in seconds since the epoch."""
        return await self._living().extend()

    async def progress(self) -> AsyncIterator[dict[str, Any]]:
        """Where the start is, in plain words, again whenever something changed."""
        last: dict[str, Any] = {}
        while True:
            event = self._progress_line()
            if event != last:
                last = event
                yield event
            if self.session:
                await self.session.news(5)
            else:
                await asyncio.sleep(0.1)

    def _progress_line(self) -> dict[str, Any]:
        state, session = self.skiva, self.session
        snapshot = state.watcher.snapshot
        job = session.job if session else None
        mine: list[Job] = []
        if snapshot and session:
            alive = {Life.QUEUED, Life.RUNNING, Life.PAUSED}
            account = session.record.account
            mine = [j for j in snapshot.jobs.values() if j.user == account and j.life in alive and j != job]
        return progress.line(
            job,
            snapshot,
            state.site,
            session.record.slice if session else "",
            time.time(),
            mine,
            user=self.user.name,
            groups=self.groups,
            allowed=state.allowed(self.user.name),
            unseen=session is not None and session.is_unseen,
            step=session.step if session else "",
        )

    # -- what survives a restart of the hub ------------------------------------------------

    def load_state(self, state: dict[str, Any]) -> None:
        """Restore the session of a hub that was restarted."""
        super().load_state(state)
        if "session" in state:
            try:
                record = Record.model_validate(self.skiva.seal.open(state["session"]))
            except (SealBroken, ValidationError):
                # Its job goes on: nobody has given it up, and another hub may know it.
                self.log.exception("The session of %s is left alone", self.user.name)
                return
            self.session = self._session(record)
            self.session.restored()
            self.api_token = record.api_token
            self.will_resume = self.session.phase is State.INTERRUPTED
        if "failure" in state:
            self.failure = Failure.from_state(state["failure"])

    def get_state(self) -> dict[str, Any]:
        """What the hub's database keeps of the session."""
        state: dict[str, Any] = super().get_state()
        if self.session and self.session.phase is not State.OVER:
            state["session"] = self.skiva.seal.close(self.session.record.model_dump())
        if self.failure:
            state["failure"] = self.failure.to_state()
        return state

    def clear_state(self) -> None:
        """Forget a session that has ended; one whose start was interrupted is kept for the keeper."""
        super().clear_state()
        if self.session and self.session.phase is not State.INTERRUPTED:
            self.skiva.background(self.session.forget())
            self.session = None
        self.will_resume = False


async def _wait_up(server: Any, certificate: str, *, timeout: float, extra_path: str = "", **_: Any) -> Any:
    """As `jupyterhub.objects.Server.wait_up`, which knows one authority for all servers or none."""
    url = url_path_join(server.url, extra_path)
    return await wait_for_http_server(url, timeout=timeout, ssl_context=trust(certificate))


def _told(sentence: str, reason: str) -> SpawnException:
    """A refusal of which the pages and the API show the sentence alone."""
    refusal = SpawnException(sentence, reason=reason, status_code=400)
    refusal.jupyterhub_message = sentence
    return refusal


async def _options_form(spawner: SliceSpawner) -> str:
    state = spawner.skiva
    allowed = await state.look(spawner.user.name)
    query = {
        key: [value.decode(errors="replace") for value in values]
        for key, values in (spawner.handler.request.query_arguments if spawner.handler else {}).items()
    }
    return render.options_form(
        allowed,
        spawner.user.name,
        spawner.groups,
        state.watcher.snapshot,
        time.time(),
        form.from_query(query),
        spawner.orm_spawner.user_options or {},
        records=state.records,
    )


def _options_from_form(formdata: Mapping[str, list[str]]) -> dict[str, Any]:
    try:
        return form.from_form(formdata)
    except ValueError as problem:
        raise _told(str(problem), "option") from None


def _check_options(spawner: SliceSpawner, user_options: Mapping[str, Any]) -> None:  # noqa: ARG001 - it is on the spawner
    if spawner.session is None:
        _check_number(spawner)
        spawner.choice()


def _check_number(spawner: SliceSpawner) -> None:
    most = spawner.skiva.site.limits.servers
    others = [one for one in spawner.user.spawners.values() if one is not spawner and one.active]
    if len(others) >= most:
        names = ", ".join(sorted(one.name or "the default server" for one in others))
        raise _told(f"servers: at most {most} at a time, and you have {names}; stop one first.", "option")
