"""The addresses below `skiva/clusters`: the person's Dask clusters, for the side panel and the cards."""

from importlib import import_module
from typing import Any

from jupyter_server.auth.decorator import authorized
from tornado import web

from skiva.server.answering import AnsweringHandler
from skiva.server.problems import body_of

from .dashboard import DashboardHandler, DashboardSocket, StaticsHandler
from .service import ClustersService

__all__ = ["ROUTES"]


def _in(module: str) -> Any:
    """A module of ours. It is called in threads: the first time takes tenths of a second."""
    return import_module(f"skiva.server.clusters.{module}")


class ClustersAPIHandler(AnsweringHandler):
    """Those of clusters."""

    @property
    def clusters(self) -> ClustersService:
        """The clusters of whoever owns this server."""
        found: ClustersService = self.settings["skiva_clusters"]
        return found

    def tell_status(self, status: Any, code: int = 200) -> None:
        """Answer with how a cluster is."""
        self.tell(status.model_dump(mode="json"), code)


class ClustersHandler(ClustersAPIHandler):
    """All clusters."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer with the living ones and the last that have ended."""
        found = await self.clusters.all()
        self.tell({"clusters": [one.model_dump(mode="json") for one in found], "trouble": ""})

    @web.authenticated
    @authorized
    async def post(self) -> None:
        """Start one that does not end with a kernel, and answer when Slurm has taken its scheduler."""
        made = await self.clusters.apart(lambda _: _in("actions").start(self.request.body))
        self.tell_status(await self.clusters.one(made), 201)


class ClusterHandler(ClustersAPIHandler):
    """One cluster."""

    @web.authenticated
    @authorized
    async def get(self, cluster: str) -> None:
        """Answer with how it is."""
        self.tell_status(await self.clusters.one(cluster))

    @web.authenticated
    @authorized
    async def delete(self, cluster: str) -> None:
        """Take it off the list, if it has ended."""
        await self.clusters.delete(cluster)
        self.tell({})


class LogHandler(ClustersAPIHandler):
    """What a worker's job prints, or a detached scheduler."""

    @web.authenticated
    @authorized
    async def get(self, cluster: str) -> None:
        """Answer with the next piece from an offset, as text: whoever shows it must not take it for HTML."""
        offset = self.whole("offset", None, 0, 10**17)
        worker = self.get_query_argument("worker", "", strip=False)
        self.tell(
            await self.clusters.look(lambda index: _in("views").log(index.root, cluster, worker, offset))
        )


class ScaleHandler(ClustersAPIHandler):
    """How many workers it is to have."""

    @web.authenticated
    @authorized
    async def post(self, cluster: str) -> None:
        """Ask its scheduler for it; it does not adapt any more."""
        body = body_of(self.request.body, frozenset({"workers"}))
        self.tell_status(await self.clusters.order(cluster, "scale", body))


class AdaptHandler(ClustersAPIHandler):
    """Between how many workers it is to adapt."""

    @web.authenticated
    @authorized
    async def post(self, cluster: str) -> None:
        """Ask its scheduler for it."""
        body = body_of(self.request.body, frozenset({"minimum", "maximum"}))
        self.tell_status(await self.clusters.order(cluster, "adapt", body))


class CloseHandler(ClustersAPIHandler):
    """The end of a cluster."""

    @web.authenticated
    @authorized
    async def post(self, cluster: str) -> None:
        """Let its scheduler end it, or end its jobs where that is gone."""
        body_of(self.request.body, frozenset())
        self.tell_status(await self.clusters.close(cluster))


class OfferHandler(ClustersAPIHandler):
    """What clusters may be started on."""

    @web.authenticated
    @authorized
    async def get(self) -> None:
        """Answer with the slices, the limits, and whether this environment has Dask."""
        slices = self.settings["skiva_runs"].queue.slices
        self.tell(await self.clusters.apart(lambda _: _in("views").offered(slices)))


ROUTES = [
    ("clusters", ClustersHandler),
    ("clusters/offer", OfferHandler),
    (r"clusters/([^/]+)", ClusterHandler),
    (r"clusters/([^/]+)/log", LogHandler),
    (r"clusters/([^/]+)/scale", ScaleHandler),
    (r"clusters/([^/]+)/adapt", AdaptHandler),
    (r"clusters/([^/]+)/close", CloseHandler),
    (r"clusters/([^/]+)/dashboard/(ws|.*/ws)", DashboardSocket),
    (r"clusters/([^/]+)/dashboard/(.*)", DashboardHandler),
    (r"clusters/([^/]+)/statics/([A-Za-z0-9._/-]+)", StaticsHandler),
]
"""The addresses below `skiva/`. The first that fits answers."""
