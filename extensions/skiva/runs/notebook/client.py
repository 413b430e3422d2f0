"""nbclient's client for one notebook, made to keep what comes, as it comes."""

import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionComplete
from nbclient.util import ensure_async
from nbformat import NotebookNode
from nbformat.v4 import output_from_msg

from skiva.runs.notebook.document import Document
from skiva.runs.notebook.outputs import Outputs, plain

__all__ = ["Client", "log"]

_PATIENCE = 60
"""Seconds for outputs that are still on their way when a cell has ended."""
_LATE = frozenset({"stream", "display_data", "error"})
"""What a thread that an earlier cell started may put out."""


def log(text: str) -> None:
    """Add to the run's log; a disk that is full now may have room for the next lines."""
    with suppress(OSError):
        sys.stdout.buffer.write(text.encode("utf-8", "replace"))
        sys.stdout.buffer.flush()


class Client(NotebookClient):
    """Runs cells one by one; their outputs go to the document and, as text, to the log."""

    def __init__(self, document: Document, km: Any, show: Callable[[str], None] = log) -> None:
        super().__init__(document.notebook, km=km, iopub_timeout=_PATIENCE, ipython_hist_file="")
        self._document = document
        self._show = show
        self._parents: dict[str, int] = {}
        self._shown: dict[str, list[tuple[int, NotebookNode]]] = {}
        self._line_begins = True

    def begin(self, index: int, earlier: list[NotebookNode]) -> None:
        """Get ready for a cell; the outputs of an earlier job stay above its own."""
        self._document.outputs[index] = Outputs(earlier)
        self._document.touch(index)

    def tell(self, line: str) -> None:
        """A line of ours in the log."""
        self._show(line + "\n" if self._line_begins else f"\n{line}\n")
        self._line_begins = True

    async def _async_poll_output_msg(self, parent_msg_id: str, cell: NotebookNode, cell_index: int) -> None:
        self._parents[parent_msg_id] = cell_index
        while True:
            assert self.kc is not None  # noqa: S101 - a cell is running
            message: dict[str, Any] = await ensure_async(self.kc.iopub_channel.get_msg(timeout=None))
            parent = message["parent_header"].get("msg_id")
            if parent == parent_msg_id:
                try:
                    self.process_message(message, cell, cell_index)
                except CellExecutionComplete:
                    return
            elif parent in self._parents and message["msg_type"] in _LATE:
                index = self._parents[parent]
                self.process_message(message, self._document.notebook.cells[index], index)

    def output(
        self, outs: list[NotebookNode], msg: dict[str, Any], display_id: str | None, cell_index: int
    ) -> NotebookNode | None:
        """Keep one output."""
        hooks = self.output_hook_stack[msg["parent_header"].get("msg_id")]
        if hooks:
            hooks[-1].output(outs, msg, display_id, cell_index)
            return None
        outputs = self._document.outputs[cell_index]
        if self.clear_before_next_output:
            self.clear_before_next_output = False
            outputs.clear()
        self._document.touch(cell_index)
        if msg["msg_type"] == "stream":  # there may be very many
            outputs.add_stream(msg["content"]["name"], msg["content"]["text"])
            self._log(msg["content"]["text"])
            return None
        try:
            output: NotebookNode = output_from_msg(msg)
        except ValueError:
            return None
        if display_id:
            self._shown.setdefault(display_id, []).append((cell_index, output))
        outputs.add(output)
        if text := plain(output):
            self._log(("" if self._line_begins else "\n") + text + "\n")
        return output

    def clear_output(self, outs: list[NotebookNode], msg: dict[str, Any], cell_index: int) -> None:
        """Clear what a cell has put out, now or when the next output comes."""
        hooks = self.output_hook_stack[msg["parent_header"].get("msg_id")]
        if hooks:
            hooks[-1].clear_output(outs, msg, cell_index)
        elif msg["content"].get("wait"):
            self.clear_before_next_output = True
        else:
            self._document.outputs[cell_index].clear()
            self._document.touch(cell_index)

    def _update_display_id(self, display_id: str, msg: dict[str, Any]) -> None:
        """Change what is shown under a name, wherever it is."""
        content = msg["content"]
        for index, output in self._shown.get(display_id, ()):
            output["data"], output["metadata"] = content["data"], content["metadata"]
            self._document.touch(index)

    def _log(self, text: str) -> None:
        if text:
            self._show(text)
            self._line_begins = text.endswith("\n")
