"""Runs a Python program as it was when it was sent off, under the path that it had then.

Started as a program of its own by its path: the standard library alone, and nothing of Skiva.
"""

import importlib.util
import linecache
import sys
import traceback
from pathlib import Path
from types import ModuleType, TracebackType

__all__ = ["main"]


def main(snapshot: str, original: str, arguments: list[str]) -> None:
    """Run the file `snapshot` as if it were `original`, with `arguments`, the first of which is its name."""
    source = Path(snapshot).read_bytes()
    sys.argv[:] = arguments
    sys.path[0] = str(Path(original).parent)
    program = ModuleType("__main__")
    program.__file__ = original
    sys.modules["__main__"] = program
    # Tracebacks show what runs, which need not be what lies there now.
    lines = importlib.util.decode_source(source).splitlines(keepends=True)
    linecache.cache[original] = (len(source), None, lines, original)
    sys.excepthook = _tell
    exec(compile(source, original, "exec"), vars(program))  # noqa: S102 - this is what it is for


def _tell(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    # Not `__file__`: from Python 3.14 on this module's names are gone when another one is `__main__`.
    while trace is not None and trace.tb_frame.f_code.co_filename == _tell.__code__.co_filename:
        trace = trace.tb_next
    traceback.print_exception(kind, error, trace)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
