"""What a job tells the hub, and the only three requests that a job may make of its spawner."""

import hmac
import json
from typing import TYPE_CHECKING, Annotated, cast

from jupyterhub.apihandlers import APIHandler, default_handlers
from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError
from tornado import web

from skiva_slurm.errors import Refused, SlurmUnanswered

if TYPE_CHECKING:
    from skiva_spawners.spawner import SliceSpawner

_MAX_BODY = 64 << 10


class Proof(BaseModel):
    """What the job found when it tried every device of its node."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    exclusive: bool
    """Exactly the devices that were asked for can be opened, and no other."""
    openable: Annotated[int, Field(ge=0, le=100_000)]
    denied: Annotated[int, Field(ge=0, le=100_000)]
    memory_limit: Annotated[int, Field(ge=0)] | None = None
    """Bytes that the node enforces, or None."""
    sentence: Annotated[str, StringConstraints(max_length=400)] = ""


class Report(BaseModel):
    """A job says where it listens. The host is never part of it: that comes from Slurm."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    port: Annotated[int, Field(strict=True, ge=1024, le=65535)]
    nonce: Annotated[str, StringConstraints(pattern=r"\A[0-9a-f]{16}\z")]
    job_id: Annotated[int, Field(strict=True, gt=0)]
    restarts: Annotated[int, Field(strict=True, ge=0, le=10_000)]
    proof: Proof
    digest: Annotated[str, StringConstraints(pattern=r"\A(sha256:[0-9a-f]{64})?\z")] = ""
    """Of the environment that runs the server; empty where it has no record."""


class Stale(Exception):
    """The report is of a job or a run that is no longer this server's."""


class NotYet(Exception):
    """The report may be right, but cannot be matched now; the job shall try again."""


class _JobHandler(APIHandler):
    """A request by a job, known by the token in its private file."""

    def check_xsrf_cookie(self) -> None:
        """A token in a header, never a cookie, authorizes these requests."""

    def _spawner(self) -> "SliceSpawner":
        token = self.get_auth_token()
        user = self.current_user
        if not token or user is None or not hasattr(user, "spawners"):
            raise web.HTTPError(403, "Only a session's own token may do this.")
        for name in list(user.orm_user.orm_spawners):
            spawner = user.spawners[name]
            if hmac.compare_digest(getattr(spawner, "session_token", "").encode(), token.encode()):
                return cast("SliceSpawner", spawner)
        raise web.HTTPError(403, "This token belongs to no session that is starting or running.")


class ReportHandler(_JobHandler):
    """`POST /hub/api/skiva/report`: the job's server listens and has proved its slice."""

    async def post(self) -> None:
        """Match the report with the session that this token was made for.

        409 tells the job that it is obsolete and shall end; 503 that it shall try again.
        """
        spawner = self._spawner()
        try:
            if len(self.request.body) > _MAX_BODY:
                raise web.HTTPError(400, "The report is too long.")
            report = Report.model_validate_json(self.request.body)
        except ValidationError as error:
            field = ".".join(str(p) for p in error.errors()[0]["loc"])[:60]
            raise web.HTTPError(400, f"The report is not valid: {field!a}.") from None
        try:
            await spawner.receive(report)
        except Stale as problem:
            raise web.HTTPError(409, str(problem)) from None
        except (NotYet, SlurmUnanswered) as problem:
            raise web.HTTPError(503, str(problem)) from None
        self.finish(json.dumps({"heard": True}))


class ExtendHandler(_JobHandler):
    """`POST /hub/api/skiva/extend`: a session asks for more time."""

    async def post(self) -> None:
        """Lengthen the session's job by the site's step; answers the new end in epoch seconds."""
        spawner = self._spawner()
        try:
            end = await spawner.extend()
        except (Refused, SlurmUnanswered, Stale) as problem:
            raise web.HTTPError(409, str(problem)) from None
        self.finish(json.dumps({"ends": end}))


class LeavingHandler(_JobHandler):
    """`POST /hub/api/skiva/leaving`: a session ends by itself; its word alone ends nothing."""

    async def post(self) -> None:
        """Have the queue looked at until it shows the end: the session's address shall lead nowhere soon."""
        self._spawner().leaving()
        self.finish(json.dumps({"heard": True}))


def register() -> None:
    """Add our routes to the hub's API and take batchspawner's own callback away.

    Importing batchspawner registers a route that sets attributes of a spawner by name.
    """
    default_handlers[:] = [h for h in default_handlers if not h[1].__module__.startswith("batchspawner")]
    routes = {"report": ReportHandler, "extend": ExtendHandler, "leaving": LeavingHandler}
    for name, handler in routes.items():
        route = rf"/api/skiva/{name}"
        if not any(existing[0] == route for existing in default_handlers):
            default_handlers.append((route, handler))
