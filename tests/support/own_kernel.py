"""A kernel of somebody's notebook server that stays, and in which cells are run one after the other."""

import json
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import urlsplit

import httpx
from websockets.sync.client import ClientConnection, connect

__all__ = ["Cell", "Kernel", "kernel_of"]


@dataclass
class Cell:
    """A cell that was run, with what came of it so far, also after it was done.

    Attributes:
        printed: its text.
        shown: the bundles that it displayed, as they are now.
        error: what it raised, `Name: words`; empty where it did not.
        done, replied: whether the kernel is ready for the next one, and has answered.
        good: whether the kernel says that the cells after it may be run.
    """

    asked: str
    printed: str = ""
    shown: list[dict[str, Any]] = field(default_factory=list)
    error: str = ""
    done: bool = False
    replied: bool = False
    good: bool = False
    _ids: list[str] = field(default_factory=list)

    def hear(self, kind: str, said: dict[str, Any]) -> None:
        """Take in one message of the kernel's."""
        display_id = str(said.get("transient", {}).get("display_id", ""))
        if kind == "stream":
            self.printed += said["text"]
        elif kind == "error":
            self.error = f"{said['ename']}: {said['evalue']}"
        elif kind in {"display_data", "execute_result"}:
            self.shown.append(said["data"])
            self._ids.append(display_id)
        elif kind == "update_display_data":
            for place, known in enumerate(self._ids):
                if known == display_id:
                    self.shown[place] = said["data"]
        elif kind == "status" and said["execution_state"] == "idle":
            self.done = True

    @property
    def run(self) -> str:
        """The id of the run whose card it shows."""
        cards = [one["application/vnd.skiva.run+json"] for one in self.shown if len(one) == 3]
        return str(cards[0]["id"])


class Kernel:
    """The kernel, as a browser holds it."""

    def __init__(self, channels: ClientConnection) -> None:
        self._channels = channels
        self._cells: dict[str, Cell] = {}

    def cell(self, code: str, cell_id: str = "", *, seconds: float = 60) -> Cell:
        """Run a cell and wait until it is done."""
        asked = uuid.uuid4().hex
        cell = self._cells[asked] = Cell(asked)
        header = {"msg_id": asked, "msg_type": "execute_request", "username": "", "session": asked}
        content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}}
        message = {"header": {**header, "version": "5.3"}, "parent_header": {}, "content": content}
        metadata = {"cellId": cell_id} if cell_id else {}
        self._channels.send(json.dumps({"channel": "shell", "buffers": [], "metadata": metadata, **message}))
        self.hear(lambda: cell.done and cell.replied, seconds)
        return cell

    def hear(self, enough: Any, seconds: float) -> None:
        """Take in what the kernel says until that is `enough`.

        Raises:
            AssertionError: it was not within `seconds`.
        """
        end = time.monotonic() + seconds
        while not enough():
            try:
                told = json.loads(self._channels.recv(timeout=max(0.1, end - time.monotonic())))
            except TimeoutError:
                told_so_far = {cell.printed[-500:] + cell.error for cell in self._cells.values()}
                raise AssertionError(f"not within {seconds:g} s; it said: {told_so_far}") from None
            cell = self._cells.get(told["parent_header"].get("msg_id", ""))
            if cell is not None and told["channel"] == "iopub":
                cell.hear(told["msg_type"], told["content"])
            elif cell is not None and told["msg_type"] == "execute_reply":
                cell.replied = True
                cell.good = told["content"]["status"] == "ok"

    def value(self, expression: str) -> Any:
        """What an expression is, by way of JSON."""
        told = self.cell(f"import json as _json; print(_json.dumps({expression}))")
        assert not told.error, told.error
        return json.loads(told.printed)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._channels.close()


@contextmanager
def kernel_of(url: str, token: str, path: str = "") -> Iterator[Kernel]:
    """A new kernel of the server at `url`, for the notebook at `path`; it is ended afterwards."""
    headers = {"Authorization": f"token {token}"}
    with httpx.Client(base_url=url, headers=headers, timeout=60, trust_env=False) as server:
        asked = {
            "type": "notebook",
            "name": path,
            "path": path or uuid.uuid4().hex,
            "kernel": {"name": "python3"},
        }
        session = server.post("api/sessions", json=asked).raise_for_status().json()
        kernel = session["kernel"]["id"]
        place = urlsplit(url)
        address = f"ws://{place.netloc}{place.path}api/kernels/{kernel}/channels"
        try:
            with connect(address, additional_headers=headers, proxy=None, max_size=None) as channels:
                yield Kernel(channels)
        finally:
            server.delete(f"api/sessions/{session['id']}")
