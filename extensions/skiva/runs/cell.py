"""A cell in a job: its code, the variables that it reads, and then those that it assigned or changed."""

import importlib
import pickle
import re
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from skiva.runs.digest import digest
from skiva.runs.files import write_json, write_whole
from skiva.runs.paths import RunDir
from skiva.runs.together import sorted_out, unpack_into

__all__ = ["CellCall", "keep_variables", "run_cell"]

_NONE = object()
_OF_THE_SHELL = re.compile(r"__\w*|_+\d*|_i+\d*|_exit_code")


@dataclass(frozen=True, slots=True)
class CellCall:
    """What a cell takes along, beside its variables.

    Attributes:
        code: as it was written.
        modules: that its variables need imported, such as `scipy.sparse` for `scipy`.
        digests: of its variables as they were sent; None where one cannot be told.
    """

    code: str
    modules: tuple[str, ...] = ()
    digests: Mapping[str, str | None] | None = None

    def to_bytes(self) -> bytes:
        """As `call.pkl` has it."""
        return pickle.dumps({"code": self.code, "modules": self.modules, "digests": dict(self.digests or {})})

    @classmethod
    def from_bytes(cls, content: bytes) -> "CellCall":
        """The same back."""
        return cls(**pickle.loads(content))  # noqa: S301 - the person's own


def run_cell(run: RunDir) -> dict[str, Any]:
    """Run the cell; the variables that it assigned or changed, which are kept in `result.pkl` together."""
    from skiva.runs.cell_shell import cell_shell

    call = CellCall.from_bytes(run.call.read_bytes())
    # What the cell defines belongs to `__main__`, as in the notebook, so that it can travel back.
    module = ModuleType("__main__")
    sys.modules["__main__"] = module
    shell = cell_shell(module, run.path / "outputs.json")
    namespace = vars(module)
    try:
        for name in call.modules:
            with suppress(ImportError):
                importlib.import_module(name)
        if run.variables.exists():
            namespace |= unpack_into(run.variables.read_bytes(), namespace)
        before = dict(namespace)
        _run(shell, call.code)
    finally:
        shell.shown.write(now=True)
        shutil.rmtree(shell.ipython_dir, ignore_errors=True)
    return dict(_new(namespace, before, call.digests or {}, shell.user_ns_hidden))


def _run(shell: Any, code: str) -> None:
    try:
        shell.run(code)
    except SystemExit as wish:  # a cell that says that it is done has done what it should
        if wish.code not in {0, None}:
            raise


def _new(
    namespace: Mapping[str, Any],
    before: Mapping[str, Any],
    sent: Mapping[str, str | None],
    hidden: Mapping[str, Any],
) -> Iterator[tuple[str, Any]]:
    """What the cell has assigned, and what it has changed of that which was sent."""
    for name, value in namespace.items():
        if name in hidden or _OF_THE_SHELL.fullmatch(name):
            continue
        changed = name in sent and not isinstance(value, ModuleType) and _has_changed(value, sent[name])
        if changed or before.get(name, _NONE) is not value:
            yield name, value


def _has_changed(value: Any, was: str | None) -> bool:
    """Whether it is another one now; where nobody can tell it goes back, so that nothing is lost."""
    return was is None or digest(value) != was


def keep_variables(place: RunDir, found: Mapping[str, Any]) -> None:
    """Write down what can travel back, and a sentence for each that cannot. Raises OSError."""
    modules = {
        name: value.__name__
        for name, value in found.items()
        if isinstance(value, ModuleType) and sys.modules.get(value.__name__) is value
    }
    rest = {name: value for name, value in found.items() if name not in modules}
    content, names, sentences = sorted_out(rest, vars(sys.modules["__main__"]))
    stay = [sentence.replace("to the job", "back from the job") for sentence in sentences]
    for sentence in stay:
        print(f"skiva: {sentence}", flush=True)
    write_json(place.path / "bound.json", {"names": names, "modules": modules, "stay": stay})
    write_whole(place.result, content)
