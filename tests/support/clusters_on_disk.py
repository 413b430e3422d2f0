"""Clusters as their files tell of them, and a scheduler's HTTPS server that demands the cluster's key."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPHeaders
from tornado.testing import bind_unused_port
from tornado.web import Application, RequestHandler
from tornado.websocket import WebSocketHandler

from skiva.dask.place import ClusterDir
from skiva.dask.security import make_keys, server_context
from skiva.dask.spec import ClusterSpec
from skiva.runs.files import write_json, write_whole
from skiva_slurm.offer import EnvironmentOffer, SliceOffer

__all__ = ["Scheduler", "cluster_id", "lay_cluster", "scheduler_of"]


def cluster_id(number: int) -> str:
    """A cluster's id; the same for the same number."""
    return f"261122-clust{number:03}"


def lay_cluster(
    root: Path, number: int = 1, *, told: dict[str, Any] | None = None, keys: bool = True, **more: Any
) -> ClusterDir:
    """A cluster whose scheduler has told `told` last; without a scheduler."""
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    picked = SliceOffer(id="cpu", title="CPU", partition="cpu", cores=2, memory_mb=2000)
    known: dict[str, Any] = {
        "id": cluster_id(number),
        "name": f"cluster {number}",
        "created": time.time() - 100 + number,
        "hub": "test",
        "slice": picked,
        "environment": EnvironmentOffer(id="base", title="Base", launch={"python": "/usr/bin/python3"}),
        "bin": "/nowhere",
        "workers": 2,
        "processes": 1,
        "cuda": False,
        "hours": 1.0,
        "lifetime": 3000.0,
        "cwd": "/",
    }
    place = ClusterDir.make(root, ClusterSpec(**(known | more)), {"KEY": "secret of the cluster"})
    if keys:
        certificate, key = _keys(number)
        write_whole(place.certificate, certificate, sync=False)
        write_whole(place.key, key, sync=False)
    if told is not None:
        write_json(place.status, {"at": time.time(), "state": "running", **told})
    return place


@cache
def _keys(number: int) -> tuple[bytes, bytes]:
    """Real ones, made once: it takes tenths of a second."""
    with TemporaryDirectory() as directory:
        place = ClusterDir(Path(directory))
        place.key.parent.mkdir()
        make_keys(place)
        return place.certificate.read_bytes(), place.key.read_bytes()


class Scheduler:
    """What stands for a scheduler: what it was asked, and what it answers."""

    def __init__(self, place: ClusterDir) -> None:
        self.place = place
        self.address = ""
        self.asked: list[tuple[str, str, HTTPHeaders, bytes]] = []
        self.status: dict[str, Any] = {"id": place.id, "name": "of the scheduler", "slice": "cpu"}
        self.refusal = ""
        self.headers: dict[str, str] = {}
        self.left = asyncio.Event()
        """Whoever had opened a websocket has closed it."""

    def seen(self, path: str) -> HTTPHeaders:
        """The headers of the last request of an address."""
        return next(headers for _, uri, headers, _ in reversed(self.asked) if uri.partition("?")[0] == path)


class _Noting(RequestHandler):
    def initialize(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler

    def prepare(self) -> None:
        request = self.request
        self.scheduler.asked.append((str(request.method), str(request.uri), request.headers, request.body))


class _Control(_Noting):
    def get(self, name: str) -> None:
        """Tell."""
        self._answer(name)

    def post(self, name: str) -> None:
        """Do."""
        self._answer(name)

    def _answer(self, name: str) -> None:
        if self.scheduler.refusal:
            self.set_status(400)
            self.write({"message": self.scheduler.refusal})
            return
        self.write({**self.scheduler.status, "sentence": f"{name} {self.request.body.decode()}".strip()})


class _Page(_Noting):
    def get(self) -> None:
        """A page with all that must not come through."""
        for name, value in self.scheduler.headers.items():
            self.set_header(name, value)
        self.set_cookie("of-the-scheduler", "1")
        self.write(f"<p>{self.request.path}</p>")


class _Moved(_Noting):
    def get(self) -> None:
        """Lead elsewhere."""
        self.set_status(302)
        self.set_header("Location", self.get_argument("to"))


class _Socket(WebSocketHandler):
    def initialize(self, scheduler: Scheduler) -> None:
        self.scheduler = scheduler

    def select_subprotocol(self, subprotocols: list[str]) -> str | None:
        """As bokeh, which is told its secret as the second."""
        return subprotocols[0] if subprotocols else None

    def open(self) -> None:
        """Note how it was asked."""
        self.scheduler.left.clear()
        self.scheduler.asked.append(("WS", str(self.request.uri), self.request.headers, b""))
        self.write_message("welcome")

    def on_close(self) -> None:
        """Note that nobody looks any more."""
        self.scheduler.left.set()

    def on_message(self, message: str | bytes) -> None:
        """Send it back, or end."""
        if message == "end":
            self.close(4001, "as asked")
        else:
            self.write_message(message, binary=isinstance(message, bytes))


@asynccontextmanager
async def scheduler_of(place: ClusterDir) -> AsyncIterator[Scheduler]:
    """A scheduler's HTTPS server, as scheduler.json tells where it is."""
    scheduler = Scheduler(place)
    options = {"scheduler": scheduler}
    routes: list[Any] = [
        (r"/skiva/([a-z]+)", _Control, options),
        (r"/moved", _Moved, options),
        (r".*/ws", _Socket, options),
        (r"/.*", _Page, options),
    ]
    listener, port = bind_unused_port()
    server = HTTPServer(Application(routes), ssl_options=server_context(place))
    server.add_socket(listener)
    scheduler.address = f"https://127.0.0.1:{port}"
    write_json(place.scheduler, {"http": scheduler.address, "at": time.time()})
    try:
        yield scheduler
    finally:
        server.stop()
        await server.close_all_connections()
