"""The notebook that a run writes: on disk soon after anything happened, and whole at every moment."""

import asyncio
import contextlib
import json
import threading
import time
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

from skiva.runs.files import write_whole
from skiva.runs.notebook.outputs import Outputs

__all__ = ["Document", "code_cells", "now"]

_EVERY = 1.0
"""Seconds between two writes, at least."""
_SHARE = 4.0
"""A write is followed by a pause so many times as long as it took."""


def now() -> str:
    """This moment, as cells' metadata have it."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def code_cells(notebook: NotebookNode) -> list[int]:
    """The indices of the cells that can be run."""
    return [i for i, cell in enumerate(notebook.cells) if cell.cell_type == "code" and cell.source.strip()]


class Document:
    """A notebook and its file, which only this process writes.

    Attributes:
        outputs: of the cells that this job ran or runs, by index.
        writes: how often it was written.
    """

    def __init__(self, path: Path, notebook: NotebookNode) -> None:
        self.path = path
        self.notebook = notebook
        self.outputs: dict[int, Outputs] = {}
        self.writes = 0
        self._cells: list[bytes | None] = [None] * len(notebook.cells)
        self._changed = asyncio.Event()
        self._number = self._on_disk = 0
        self._lock = threading.Lock()

    def touch(self, index: int | None = None) -> None:
        """Say that a cell, or only what is said of the notebook, has changed."""
        if index is not None:
            self._cells[index] = None
        self._changed.set()

    def mark(self, index: int, state: str, **facts: Any) -> None:
        """Say in a cell's metadata what became of it."""
        cell = self.notebook.cells[index]
        cell.metadata["skiva"] = {**cell.metadata.get("skiva", {}), "state": state, **facts}
        self.touch(index)

    def state(self, index: int) -> str:
        """What is said of a cell."""
        return str(self.notebook.cells[index].metadata.get("skiva", {}).get("state", ""))

    def drop_interruption(self, index: int) -> None:
        """Take out what our own interrupt made a cell say; it will go on."""
        if index in self.outputs:
            kept = [one for one in self.outputs[index].listed() if one.get("ename") != "KeyboardInterrupt"]
            self.outputs[index] = Outputs(kept)
            self.touch(index)

    def say(self, **facts: Any) -> None:
        """Say in the notebook's metadata what became of the run."""
        self.notebook.metadata["skiva"] = {**self.notebook.metadata.get("skiva", {}), **facts}
        self.touch()

    async def keep_saving(self) -> None:
        """Write whatever changes, until cancelled; large notebooks more seldom."""
        while True:
            await self._changed.wait()
            begun = time.monotonic()
            # A full disk is told at the end; until then the next write may find room.
            with contextlib.suppress(OSError):
                await self.save()
            took = time.monotonic() - begun
            await asyncio.sleep(max(_EVERY - took, took * _SHARE))

    async def save(self) -> None:
        """Write it now, while other things go on. Raises OSError."""
        await asyncio.to_thread(self._write, *self._encoded())

    def save_now(self) -> None:
        """Write it now, before anything else; a slower write that has begun changes nothing after it.

        Raises:
            OSError: it could not be written.
        """
        self._write(*self._encoded())

    def finish(self) -> None:
        """Write it the last time, laid out as Jupyter does, so that it compares well. Raises OSError."""
        self._collect()
        content = nbformat.writes(self.notebook, version=nbformat.NO_CONVERT) + "\n"
        self._number += 1
        self._write(_bytes(content), self._number)

    def _collect(self) -> None:
        for index, outputs in self.outputs.items():
            if self._cells[index] is None:
                self.notebook.cells[index]["outputs"] = outputs.listed()

    def _encoded(self) -> tuple[bytes, int]:
        self._changed.clear()
        self._collect()
        for index, text in enumerate(self._cells):
            if text is None:
                self._cells[index] = _bytes(json.dumps(self.notebook.cells[index], ensure_ascii=False))
        rest = {name: value for name, value in self.notebook.items() if name != "cells"}
        # One cell a line: the others need not be made again for a change in one.
        cells = b",\n".join(text or b"" for text in self._cells)
        self._number += 1
        rest_text = _bytes(json.dumps(rest, ensure_ascii=False))[1:]
        return b'{"cells":[\n' + cells + b"\n],\n" + rest_text + b"\n", self._number

    def _write(self, content: bytes, number: int) -> None:
        temporary = self.path.with_name(f".{self.path.name}.{number}")
        try:
            write_whole(temporary, content)
            with self._lock:
                if number > self._on_disk:
                    temporary.replace(self.path)
                    self._on_disk = number
                    self.writes += 1
        finally:
            temporary.unlink(missing_ok=True)


def _bytes(text: str) -> bytes:
    # Half a letter of UTF-16, which JSON can spell and UTF-8 cannot.
    return text.encode("utf-8", "backslashreplace")
