"""The pages in a browser without a hub: JupyterHub's templates and files, sample data.

Run `python -m tests.unit.pages.preview PORT` and open `/hub/preview`; the browser tests use it too.
"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import tornado.web
from jinja2 import ChoiceLoader, Environment, FileSystemLoader, PrefixLoader
from jupyterhub._data import DATA_FILES_PATH
from tests.unit.pages import samples

from skiva_hub.pages.cards import board
from skiva_hub.pages.form import from_query
from skiva_hub.pages.render import STATIC, TEMPLATES, options_form, template_vars
from skiva_hub.permitted import Charge, Permitted, Terms
from skiva_hub.site import Site
from skiva_images.record import ImageRecord
from skiva_slurm.jobs import Snapshot
from skiva_slurm.limits import Limit
from skiva_spawners.failure import Failure, ended
from skiva_spawners.progress import line

HUB = Path(DATA_FILES_PATH)
USER = "researcher1"
JOB = 900

Events = Callable[[], AsyncIterator[dict[str, Any]]]


@dataclass
class State:
    """What the preview shows; tests change it while a page is open."""

    site: Site = field(default_factory=samples.site)
    terms: dict[str, Terms] = field(default_factory=dict)
    snapshot: Snapshot | None = None
    records: dict[str, ImageRecord] = field(default_factory=lambda: samples.records("base", "pytorch"))
    failure: Failure | None = None
    started: bool = True
    pending: str = "spawn"
    events: list[dict[str, Any]] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    stream_status: int = 200
    deleted: int = 0
    delete_answers: list[int] = field(default_factory=lambda: [204])
    posted: dict[str, list[str]] | None = None
    error: str = ""
    wishes: list[dict[str, Any]] = field(default_factory=list)

    @property
    def allowed(self) -> Permitted:
        """The site as the person may use it."""
        return Permitted(self.site, self.terms)

    def push(self, *events: dict[str, Any]) -> None:
        """Tell every open pending page these events, too."""
        self.events += events
        self.changed.set()
        self.changed = asyncio.Event()


def _jinja() -> Environment:
    paths = [str(TEMPLATES), str(HUB / "templates")]
    loader = ChoiceLoader(
        [PrefixLoader({"templates": FileSystemLoader([paths[1]])}, "/"), FileSystemLoader(paths)]
    )
    return Environment(loader=loader, autoescape=True)


class _Page(tornado.web.RequestHandler):
    @property
    def state(self) -> State:
        found: State = self.settings["state"]
        return found

    def show(self, name: str, **more: Any) -> None:
        state = self.state
        spawner = SimpleNamespace(
            name="",
            user_options={"slice": "1g.10gb", "environment": "base", "hours": 2.0},
            failure=state.failure,
            pending=state.pending,
            orm_spawner=SimpleNamespace(started=None),
            options_form=True,
        )
        user = SimpleNamespace(
            name=USER, escaped_name=USER, json_escaped_name=USER, spawner=spawner, spawners={"": spawner}
        )
        page = self.settings["jinja"].get_template(name)
        self.finish(
            page.render(
                base_url="/hub/",
                prefix="/",
                user=user,
                spawner=spawner,
                login_url="/hub/login",
                logout_url="/hub/logout",
                static_url=lambda path, **_: f"/hub/static/{path}",
                version_hash="preview",
                services=[],
                parsed_scopes={},
                xsrf_token="xsrf",
                **template_vars(state.site, lambda: state.records),
                **more,
            )
        )


class _Spawn(_Page):
    def get(self) -> None:
        state = self.state
        query = {k: [v.decode() for v in vs] for k, vs in self.request.query_arguments.items()}
        form = options_form(
            state.allowed,
            USER,
            frozenset(),
            state.snapshot,
            time.time(),
            from_query(query),
            *state.wishes,
            records=state.records,
        )
        self.show(
            "spawn.html",
            spawner_options_form=form,
            url=self.request.uri,
            error_message=state.error,
            for_user=SimpleNamespace(name=USER),
        )

    def post(self) -> None:
        self.state.posted = {k: [v.decode() for v in vs] for k, vs in self.request.body_arguments.items()}
        self.redirect(f"/hub/spawn-pending/{USER}")


class _Pending(_Page):
    def get(self) -> None:
        if not self.state.started:
            self.set_status(500)
            self.show("not_running.html", server_name="", spawn_url=f"/hub/spawn/{USER}", failed=True)
            return
        self.show("spawn_pending.html", progress_url=f"/hub/api/users/{USER}/server/progress?_xsrf=xsrf")


class _Ended(_Page):
    def get(self) -> None:
        self.show("not_running.html", server_name="", spawn_url=f"/hub/spawn/{USER}", failed=False)


class _Slices(_Page):
    def get(self) -> None:
        state = self.state
        told = board(state.allowed, USER, frozenset(), state.snapshot, time.time(), state.records)
        self.finish(json.dumps(told))


class _Progress(_Page):
    async def get(self) -> None:
        state = self.state
        if state.stream_status != 200:
            self.send_error(state.stream_status)
            return
        self.set_header("Content-Type", "text/event-stream")
        sent = 0
        while True:
            changed = state.changed
            for event in state.events[sent:]:
                self.write(f"data: {json.dumps(event)}\n\n")
                sent += 1
            await self.flush()
            if state.stream_status != 200:
                return
            await changed.wait()


class _Server(_Page):
    def delete(self) -> None:
        self.state.deleted += 1
        answers = self.state.delete_answers
        self.set_status(answers.pop(0) if len(answers) > 1 else answers[0])
        self.finish()


class _Show(_Page):
    """Sets one of the sample states and goes to the page that shows it."""

    def get(self, name: str) -> None:
        where = show(self.state, name or "free")
        self.redirect(where)


def _charges() -> dict[str, Terms]:
    spent = Limit("chem", "cpu", 600, 540, minutes=True)
    full = Limit("gpu1", "gres/gpu", 1, 1)
    chem = Charge("chem", hours=0.5, budget=spent)
    return {
        "cpu": Terms((Charge("physics"), chem), price=4.5),
        "1g.10gb": Terms((Charge("physics", full=full),)),
        "h100": Terms((chem,)),
    }


def show(state: State, name: str) -> str:
    """Set a sample state by name; returns the path of the page for it."""
    now = time.time()
    shift = now - samples.NOW
    fresh = State(changed=state.changed)
    state.__dict__.update(fresh.__dict__)
    full = _shifted(samples.full(samples.pending(300), samples.pending(301)), shift)
    spawn, pending = f"/hub/spawn/{USER}", f"/hub/spawn-pending/{USER}"
    if name in {"free", "charges"}:
        state.terms = _charges() if name == "charges" else {}
        nodes = (samples.node(mig_used=3, h100_used=1), samples.shard_node(), samples.cpu_node())
        state.snapshot = _shifted(samples.snapshot(samples.running(1), nodes=nodes), shift)
        return spawn
    if name in {"one", "three", "many", "unrecorded", "long"}:
        _environments(state, name)
        state.snapshot = replace(full, taken=now - 1)
        return spawn
    if name in {"full", "stale", "notice", "error"}:
        state.snapshot = replace(full, taken=now - (140 if name == "stale" else 1))
        notice = "These slices are simulated: there is no GPU in this machine." if name == "notice" else ""
        state.site = samples.site(notice=notice)
        state.error = "hours: at most 4 hours are possible on One H100, not 8." if name == "error" else ""
        return spawn
    if name == "empty":
        return spawn
    if name in {"queued", "starting", "proved", "silent", "limit"}:
        state.push({"progress": 0, "message": "Server requested"}, _event(state, name, full, now))
        return pending
    _fail(state, name, now)
    return pending if not state.started else f"/hub/ended/{USER}"


def _environments(state: State, name: str) -> None:
    count = {"one": 1, "many": 12}.get(name, 3)
    state.site = samples.site(environments=count, simulated=False)
    known = () if name == "unrecorded" else tuple(e.id for e in state.site.environment)
    state.records = samples.records(*known)
    if name != "long":
        return
    long = "A sentence that does not end where one thinks it would, but goes on. " * 8
    word = "without-any-place-to-break-" * 8
    versions = {f"package-{n}-{word[:60]}": f"1.2.{n}+{word[:40]}" for n in range(8)}
    state.records["base"] = samples.record("base", good_for=long, needs=word, versions=versions)
    images = [
        e.model_copy(
            update={
                "title": word[:60],
                "description": long + word,
                "launcher": "namespace",
                "image": Path("/opt/skiva/base.sif"),
            }
        )
        for e in state.site.environment[:1]
    ]
    state.site = state.site.model_copy(update={"environment": (*images, *state.site.environment[1:])})


def _event(state: State, name: str, full: Snapshot, now: float) -> dict[str, Any]:
    job = samples.pending(JOB, user=USER, priority=50, start=now + 1500)
    if name == "limit":
        job = samples.pending(JOB, user=USER, reason="QOSMaxGRESPerUser")
    if name in {"starting", "proved"}:
        job = replace(samples.running(JOB, user=USER), nodes=("n2",))
    taken = now - (130 if name == "silent" else 1)
    seen = replace(full, jobs={**full.jobs, JOB: job}, taken=taken)
    step: Any = "proved" if name == "proved" else ""
    others = [job] if name == "limit" else []
    return line(job, seen, state.site, "1g.10gb", now, others, user=USER, step=step)


def _fail(state: State, name: str, now: float) -> None:
    log = "\n".join(
        [
            "skiva: this job holds gpu:1g.10gb, device /dev/skiva/gpu3",
            "skiva: proof: /dev/skiva/gpu0 can be opened by this job, but it is not its own",
            "Traceback (most recent call last):",
            *(f'  File "/opt/base/lib/python3.11/site-packages/some.py", line {n}' for n in (12, 48, 9)),
            "RuntimeError: <script>alert('a log is only text')</script>",
        ]
    )
    if name == "failed":
        state.started = False
        state.failure = Failure(
            "The node does not fence its devices, so the slice would not be yours alone.",
            "Choose another slice; the operators have been told which node it is.",
            tuple(log.splitlines()),
            4711,
            "unfenced",
        )
        return
    word = {"timeout": "TIMEOUT", "memory": "OUT_OF_MEMORY", "node": "NODE_FAIL"}.get(name, "FAILED")
    job = replace(samples.running(4712, user=USER), state=word, end=now)
    state.failure = ended(job, log=log if word == "FAILED" else "")


def _shifted(snapshot: Snapshot, by: float) -> Snapshot:
    jobs = {
        number: replace(
            job,
            submitted=(job.submitted or 0) + by,
            start=job.start and job.start + by,
            end=job.end and job.end + by,
        )
        for number, job in snapshot.jobs.items()
    }
    return replace(snapshot, jobs=jobs, taken=snapshot.taken + by)


def application(state: State) -> tornado.web.Application:
    """The preview's routes over `state`."""
    files = tornado.web.StaticFileHandler
    return tornado.web.Application(
        [
            (r"/hub/static/(.*)", files, {"path": str(HUB / "static")}),
            (r"/hub/skiva/static/(.*)", files, {"path": str(STATIC)}),
            (r"/hub/logo()", files, {"path": str(HUB / "static/images/jupyterhub-80.png")}),
            (r"/hub/preview/?(.*)", _Show),
            (rf"/hub/spawn/{USER}", _Spawn),
            (rf"/hub/spawn-pending/{USER}", _Pending),
            (rf"/hub/ended/{USER}", _Ended),
            (r"/hub/api/skiva/slices", _Slices),
            (rf"/hub/api/users/{USER}/server/progress", _Progress),
            (rf"/hub/api/users/{USER}/server", _Server),
        ],
        state=state,
        jinja=_jinja(),
    )


async def _main(port: int) -> None:
    application(State()).listen(port, "127.0.0.1")
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_main(int(sys.argv[1])))
