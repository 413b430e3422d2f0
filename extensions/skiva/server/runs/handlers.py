"""The addresses below `skiva/runs`: the person's runs, for the side panel and the cards in notebooks."""

from importlib import import_module
from typing import Any

from jupyter_server.auth.decorator import authorized
from tornado import web

from skiva.server.answering import AnsweringHandler
from skiva.server.problems import Problem

from .service import RunsService

__all__ = ["ROUTES"]

_PAGE, _LARGEST_PAGE = 200, 1000


def _in(module: str) -> Any:
    """A module of ours. It is called in threads: the first time takes tenths of a second."""
    return import_module(f"skiva.server.runs.{module}")


class RunsAPIHandler(AnsweringHandler):
    """Those of runs."""

    @property
    def runs(self) -> RunsService:
        """The runs of whoever owns this server."""
        found: RunsService = self.settings["skiva_runs"]
        return found

    async def row(self, run: str) -> dict[str, Any]:
        """One run, as it is this moment. Raises Problem."""
        return await self.runs.look(lambda index, reading: index.one(run, reading))


class RunsHandler(RunsAPIHandler):
    """All runs."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer with the newest, or with what has changed."""
        since = self.whole("since", None, 0, 10**17)
        limit = self.whole("limit", _PAGE, 1, _LARGEST_PAGE) or _PAGE
        before = self.get_query_argument("before", "") or None
        self.tell(
            await self.runs.look(
                lambda index, reading: _in("views").listed(index, reading, since, limit, before)
            )
        )

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Send a notebook off, unsaved edits and all, and answer when Slurm has taken it."""
        raw, served = self.request.body, self.runs.served
        run = await self.runs.apart(lambda root: _in("actions").submit(root, served, raw))
        self.tell(await self.row(run), 201)


class RunHandler(RunsAPIHandler):
    """One run."""

    @web.authenticated
    @authorized
    async def get(self, run: str) -> None:
        """Answer with everything about it."""
        task = self.whole("task", None, 0, 10**6)
        self.tell(await self.runs.look(lambda index, reading: _in("views").detail(index, reading, run, task)))

    @web.authenticated
    @authorized
    async def delete(self, run: str) -> None:
        """Put it away, if it is over; it can be brought back."""
        if (await self.row(run))["life"] != "ended":
            raise Problem(409, f"The run {run} is not over; cancel it first.")
        await self.runs.look(lambda index, _: _in("actions").delete(index.root, run))
        self.tell({"undo": True})


class LogHandler(RunsAPIHandler):
    """What a run prints."""

    @web.authenticated
    @authorized
    async def get(self, run: str) -> None:
        """Answer with the next piece from an offset, as text: whoever shows it must not take it for HTML."""
        offset = self.whole("offset", None, 0, 10**17)
        task = self.whole("task", None, 0, 10**6)
        self.tell(await self.runs.look(lambda index, _: _in("views").log(index, run, offset, task)))


class TasksHandler(RunsAPIHandler):
    """The tasks of a map."""

    @web.authenticated
    @authorized
    async def get(self, run: str) -> None:
        """Answer with each of them."""
        self.tell(
            {"tasks": await self.runs.look(lambda index, reading: _in("views").tasks(index, reading, run))}
        )


class CancelHandler(RunsAPIHandler):
    """The end of a run that its owner does not want any more."""

    @web.authenticated
    @authorized
    async def post(self, run: str) -> None:
        """Cancel it and answer with how it is then."""
        if (await self.row(run))["life"] != "ended":
            await self.runs.apart(lambda root: _in("actions").cancel(root, run))
        self.tell(await self.row(run))


class AgainHandler(RunsAPIHandler):
    """The same once more."""

    @web.authenticated
    @authorized
    async def post(self, run: str) -> None:
        """Send it off and answer with the new run."""
        await self.row(run)
        made = await self.runs.apart(lambda root: _in("actions").again(root, run, self.request.body))
        self.tell(await self.row(made), 201)


class RestoreHandler(RunsAPIHandler):
    """A deleted run."""

    @web.authenticated
    @authorized
    async def post(self, run: str) -> None:
        """Bring it back and answer with it."""
        await self.runs.look(lambda index, _: _in("actions").restore(index.root, run))
        self.tell(await self.row(run))


class DraftsHandler(RunsAPIHandler):
    """Notebooks whose rest a kernel will send off."""

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Keep one and answer with its name."""
        self.tell(
            await self.runs.apart(
                lambda root: _in("actions").draft(root, self.runs.served, self.request.body)
            )
        )


class OfferHandler(RunsAPIHandler):
    """What runs may be sent to."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer with the slices and the hours."""
        slices = self.runs.queue.slices
        self.tell(await self.runs.apart(lambda _: _in("offered").offered(slices)))


ROUTES = [
    ("runs", RunsHandler),
    ("runs/offer", OfferHandler),
    ("runs/drafts", DraftsHandler),
    (r"runs/([^/]+)", RunHandler),
    (r"runs/([^/]+)/log", LogHandler),
    (r"runs/([^/]+)/tasks", TasksHandler),
    (r"runs/([^/]+)/cancel", CancelHandler),
    (r"runs/([^/]+)/again", AgainHandler),
    (r"runs/([^/]+)/restore", RestoreHandler),
]
"""The addresses below `skiva/`. The first that fits answers."""
