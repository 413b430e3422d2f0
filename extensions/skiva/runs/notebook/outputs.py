"""The outputs of one cell, as the notebook keeps them: merged as a page would show them, and bounded."""

import re
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from nbformat import NotebookNode
from nbformat.v4 import new_output

__all__ = ["Outputs", "note", "plain"]

_HALF = 2 * 1024 * 1024
"""Characters kept of a cell's beginning, and of its end."""
_EACH = 256
"""What an output costs beside its text: a page suffers from many small ones too."""
_RICH = 16
"""Pictures and tables may be so much larger than text."""
_CHUNK = 64 * 1024
_OVERWRITTEN = re.compile(r"[^\n]*\r(?=[^\n\r])")
"""What a progress bar has drawn anew."""


@dataclass(slots=True)
class _Item:
    output: NotebookNode
    size: int
    parts: list[str] = field(default_factory=list)
    fresh: int = 0
    """Characters that came since it was last looked at for what was overwritten."""

    @property
    def stream(self) -> str:
        return str(self.output.get("name", "")) if self.output.output_type == "stream" else ""

    def add(self, text: str) -> int:
        """Append to a stream; by how much it grew."""
        self.parts.append(text)
        self.fresh += len(text)
        self.size += len(text)
        if self.fresh < _CHUNK:
            return len(text)
        return len(text) + self.squeeze()

    def squeeze(self) -> int:
        """Leave out what later text has overwritten; by how much it grew, so nothing or less."""
        whole = "".join(self.parts)
        text = _OVERWRITTEN.sub("", whole) if "\r" in whole else whole
        self.parts[:] = [text]
        self.fresh = 0
        self.size -= len(whole) - len(text)
        return len(text) - len(whole)

    def node(self) -> NotebookNode:
        if not self.stream:
            return self.output
        self.squeeze()
        return NotebookNode(new_output("stream", name=self.stream, text=self.parts[0]))


def note(text: str, kind: str) -> NotebookNode:
    """Words of ours to whoever reads the notebook."""
    words = {"text/plain": text}
    return NotebookNode(new_output("display_data", words, metadata={"skiva": {"note": kind}}))


def plain(output: NotebookNode, longest: int = 4000) -> str:
    """What the log shows of an output that is no stream."""
    if output.output_type == "error":
        return "\n".join(output.get("traceback", ())) or f"{output.ename}: {output.evalue}"
    data = output.get("data", {})
    text = data.get("text/plain", "")
    words = str(text if isinstance(text, str) else "".join(text))
    return words if len(words) <= longest else f"{words[:longest]}…"


class Outputs:
    """What one cell has put out: its beginning and its end, where it is more than a notebook can bear."""

    def __init__(self, earlier: Iterable[NotebookNode] = (), half: int = _HALF) -> None:
        self._earlier = list(earlier)
        self._half = half
        self.clear()

    def clear(self) -> None:
        """Forget what this job put out; what an earlier one did stays above."""
        self._head: list[_Item] = []
        self._tail: deque[_Item] = deque()
        self._head_size = self._tail_size = 0
        self._left_out = 0

    def add(self, output: NotebookNode) -> None:
        """One more."""
        if output.output_type == "stream":
            self.add_stream(str(output.name), str(output.text))
        else:
            self._add_item(_Item(output, _EACH + _weight(output) // _RICH))

    def add_stream(self, name: str, text: str) -> None:
        """Text that was printed."""
        if not self._tail:
            if self._head and self._room < len(text):
                self._head_size += self._head[-1].squeeze()
            room = max(0, self._room)
            first, text = text[:room], text[room:]
            if first:
                self._head_size += _append(self._head, name, first, None)
        if text:
            self._tail_size += _append(self._tail, name, text[-self._half :], _CHUNK)
            self._left_out += max(0, len(text) - self._half)
            self._shorten()

    @property
    def _room(self) -> int:
        return self._half - self._head_size - _EACH

    def listed(self) -> list[NotebookNode]:
        """All that the notebook shall have."""
        middle = [] if not self._left_out else [note(_LEFT_OUT.format(_amount(self._left_out)), "left_out")]
        nodes = [item.node() for item in self._head] + middle + [item.node() for item in self._tail]
        merged: list[NotebookNode] = []
        for node in nodes:
            if (
                merged
                and "stream" == node.output_type == merged[-1].output_type
                and merged[-1].name == node.name
            ):
                merged[-1] = new_output("stream", name=node.name, text=merged[-1].text + node.text)
            else:
                merged.append(node)
        return [*self._earlier, *merged]

    def _add_item(self, item: _Item) -> None:
        if not self._tail and self._head_size + item.size <= self._half:
            self._head.append(item)
            self._head_size += item.size
        else:
            self._tail.append(item)
            self._tail_size += item.size
            self._shorten()

    def _shorten(self) -> None:
        while self._tail_size > self._half and len(self._tail) > 1:
            gone = self._tail.popleft()
            self._tail_size -= gone.size
            self._left_out += gone.size


_LEFT_OUT = "… Skiva: {} of output were left out here; what was printed is in the run's log, all of it …"


def _append(items: Any, name: str, text: str, longest: int | None) -> int:
    """Put text at the end of the last stream, or begin another; by how much it all grew."""
    if items and items[-1].stream == name and (longest is None or items[-1].size < longest):
        return int(items[-1].add(text))
    item = _Item(new_output("stream", name=name), _EACH)
    items.append(item)
    return _EACH + item.add(text)


def _weight(output: NotebookNode) -> int:
    if output.output_type == "error":
        return sum(map(len, output.get("traceback", ())))
    return sum(len(value) if isinstance(value, str) else len(repr(value)) for value in output.data.values())


def _amount(characters: int) -> str:
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if characters >= size:
            return f"{characters / size:.1f} {unit}"
    return f"{characters} characters"
