"""The IPython in which a cell runs in its job: magics, shell lines and display() work as in a notebook.

Text goes to the log. What is shown is kept too, as a notebook keeps it, so that a card can show it.
"""

import base64
import json
import sys
import tempfile
import time
from pathlib import Path
from types import CodeType, ModuleType
from typing import Any

from IPython.core.compilerop import CachingCompiler
from IPython.core.displayhook import DisplayHook
from IPython.core.displaypub import DisplayPublisher
from IPython.core.interactiveshell import InteractiveShell
from traitlets import Type
from traitlets.config import Config

from skiva.runs.files import write_json

__all__ = ["CELL", "CellShell", "Shown", "cell_shell"]

CELL = "<batch cell>"
"""What tracebacks call the cell."""
_MOST = 32 * 1024 * 1024
"""Bytes of what is shown that are kept."""
_EVERY = 0.5


class Shown:
    """What a cell has shown, in a file that is whole at any time."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._outputs: list[dict[str, Any]] = []
        self._sizes: list[int] = []
        self._clear = False
        self._written = 0.0
        self._left_out = False

    def add(self, kind: str, data: dict[str, Any], metadata: Any, display_id: str = "") -> None:
        """Keep one bundle; one with a `display_id` that is there already takes its place."""
        if self._clear:
            self.clear()
        output = {"output_type": kind, "data": _plain(data), "metadata": _plain(dict(metadata or {}))}
        size = len(json.dumps(output))
        if display_id:
            output["display_id"] = display_id
            for place, known in enumerate(self._outputs):
                if known.get("display_id") == display_id:
                    self._outputs[place], self._sizes[place] = output, size
                    self.write()
                    return
        if sum(self._sizes) + size > _MOST:
            if not self._left_out:
                print("skiva: what this cell shows is more than 32 MiB; the rest is not kept.", flush=True)
            self._left_out = True
            return
        self._outputs.append(output)
        self._sizes.append(size)
        self.write()

    def clear(self, *, wait: bool = False) -> None:
        """Forget all of it, now or when the next one comes."""
        self._clear = wait
        if not wait:
            self._outputs.clear()
            self._sizes.clear()

    def write(self, *, now: bool = False) -> None:
        """Write it down, not more often than twice a second; at the end surely."""
        if self._outputs and (now or time.monotonic() - self._written >= _EVERY):
            write_json(self._path, {"outputs": self._outputs}, sync=now)
            self._written = time.monotonic()


def _plain(value: Any) -> Any:
    """As JSON has it; pictures in letters."""
    match value:
        case dict():
            return {str(key): _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case bytes():
            return base64.b64encode(value).decode()
        case None | bool() | int() | float() | str():
            return value
        case _:
            return str(value)


class _Publisher(DisplayPublisher):
    shell: Any

    def publish(
        self,
        data: Any,
        metadata: Any = None,
        source: Any = None,  # noqa: ARG002 - IPython's
        *,
        transient: Any = None,
        update: bool = False,
        **_: Any,
    ) -> None:
        display_id = str((transient or {}).get("display_id") or "")
        self.shell.shown.add("display_data", data, metadata, display_id)
        if "text/plain" in data and not update:
            print(data["text/plain"], flush=True)

    def clear_output(self, wait: bool = False) -> None:
        self.shell.shown.clear(wait=wait)


class _Hook(DisplayHook):
    shell: Any

    def write_output_prompt(self) -> None:
        pass

    def write_format_data(self, format_dict: Any, md_dict: Any = None) -> None:
        self.shell.shown.add("execute_result", format_dict, md_dict)
        if "text/plain" in format_dict:
            print(format_dict["text/plain"], flush=True)


class _Compiler(CachingCompiler):
    def get_code_name(self, raw_code: str, transformed_code: str, number: int) -> str:  # noqa: ARG002
        return CELL


class CellShell(InteractiveShell):
    """Says nothing of its own; errors are raised to whoever runs the cell."""

    display_pub_class = Type(_Publisher)
    displayhook_class = Type(_Hook)
    compiler_class = Type(_Compiler)
    shown: Shown

    def run(self, code: str) -> None:
        """Run a cell. Raises what it raises."""
        shell: Any = self
        found = shell.run_cell(code, store_history=False)
        self.shown.write(now=True)
        error = found.error_before_exec or found.error_in_exec
        if error is not None:
            raise error.with_traceback(_from_the_cell(error.__traceback__) or error.__traceback__)

    def ask_exit(self) -> None:
        """What `exit` asks for."""
        raise SystemExit

    def showtraceback(self, *_: Any, **__: Any) -> None:
        """The error is told by whoever runs the cell."""

    def showsyntaxerror(self, *_: Any, **__: Any) -> None:
        """See above."""


def _from_the_cell(trace: Any) -> Any:
    while trace is not None and _file(trace.tb_frame.f_code) != CELL:
        trace = trace.tb_next
    return trace


def _file(code: CodeType) -> str:
    return code.co_filename


def cell_shell(module: ModuleType, outputs: Path) -> CellShell:
    """The one shell of this process, whose namespace is that of `module`. Nothing of it is kept anywhere."""
    config = Config()
    config.HistoryManager.enabled = False
    config.HistoryManager.hist_file = ":memory:"
    config.InteractiveShell.colors = "nocolor"
    config.InteractiveShell.xmode = "Plain"
    folder = tempfile.mkdtemp(prefix="skiva-ipython-")
    shell: CellShell = CellShell.instance(
        user_module=module, user_ns=vars(module), ipython_dir=folder, config=config
    )
    shell.shown = Shown(outputs)
    sys.modules["__main__"] = module
    return shell
