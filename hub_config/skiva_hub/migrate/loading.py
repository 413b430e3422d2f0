"""Running a configuration to read it, with stubs in place of the modules that are not installed here."""

import contextlib
import importlib
import importlib.abc
import importlib.machinery
import inspect
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

from traitlets import MetaHasTraits
from traitlets.config.configurable import Configurable
from traitlets.config.loader import PyFileConfigLoader

_IMPORTERS = ("<frozen importlib", importlib.__file__, __file__)
"""The files of Python's own import system, and this one, which stand between a stub and who asked for it."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a configuration set, and which modules it asked for in vain."""

    config: Mapping[str, Any]
    missing: tuple[str, ...] = ()
    """Names of the modules that were stubbed, in the order in which they were asked for."""


def load(path: Path) -> Loaded:
    """Run the configuration at `path`, as JupyterHub would, and return what it set.

    What it prints goes to the standard error, because the standard output is the site file. Raises whatever
    the configuration raises.
    """
    where = path.resolve()
    stubs = _StubFinder(where.parent)
    sys.meta_path.append(stubs)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            config = PyFileConfigLoader(where.name, path=str(where.parent)).load_config()
    finally:
        sys.meta_path.remove(stubs)
        for name in stubs.made:
            sys.modules.pop(name, None)
    return Loaded(config, tuple(name for name in stubs.made if name.rpartition(".")[0] not in stubs.made))


class _StubType(MetaHasTraits):
    """Makes classes that have every attribute, of a kind that may be bases of a class beside a spawner."""

    def __getattr__(self, name: str) -> "_StubType":
        if name.startswith("_"):
            raise AttributeError(name)
        return _stub(f"{self.__module__}.{self.__qualname__}", name)

    def __getitem__(self, key: object) -> "_StubType":
        return _stub(f"{self.__module__}.{self.__qualname__}", "item")

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __str__(self) -> str:
        return f"<{self.__module__}.{self.__qualname__}>"

    def __fspath__(self) -> str:
        return str(self)


class Stub(Configurable, metaclass=_StubType):
    """Stands for whatever a missing module has: a class, a function, a value."""

    def __init__(self, *_: Any, **__: Any) -> None:
        super().__init__()

    def __getattr__(self, name: str) -> _StubType:
        return getattr(type(self), name)  # type: ignore[no-any-return]

    def __call__(self, *_: Any, **__: Any) -> "Stub":
        return self

    def __getitem__(self, key: object) -> _StubType:
        return type(self)[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(())

    def __str__(self) -> str:
        return str(type(self))

    def __fspath__(self) -> str:
        return str(self)


def _stub(owner: str, name: str) -> _StubType:
    made: _StubType = _StubType(name, (Stub,), {"__module__": owner})
    return made


class _StubModule(ModuleType):
    def __getattr__(self, name: str) -> _StubType:
        if name.startswith("__"):
            raise AttributeError(name)
        made = _stub(self.__name__, name)
        setattr(self, name, made)
        return made


class _StubFinder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds what nobody else finds, for the configuration and for modules beside it.

    Not for libraries: many of them try one module after the other, and must not be told that all are there.
    """

    def __init__(self, directory: Path) -> None:
        self.made: list[str] = []
        self._directory = directory

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002 - Python's import system passes them
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> importlib.machinery.ModuleSpec | None:
        """Take what is below a stub, and what the configuration asks for."""
        below = fullname.rpartition(".")[0]
        if below not in self.made and not self._is_asked_by_the_configuration():
            return None
        return importlib.machinery.ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        """Make a module that has every attribute."""
        self.made.append(spec.name)
        module = _StubModule(spec.name)
        # Configurations name files of theirs, templates above all.
        module.__file__ = f"/<{spec.name}>/__init__.py"
        return module

    def exec_module(self, module: ModuleType) -> None:
        """Run nothing."""

    def _is_asked_by_the_configuration(self) -> bool:
        frame = inspect.currentframe()
        while frame is not None and frame.f_code.co_filename.startswith(_IMPORTERS):
            frame = frame.f_back
        if frame is None:
            return False
        if "load_subconfig" in frame.f_globals:
            return True
        asker = Path(frame.f_code.co_filename)
        return asker.is_relative_to(self._directory) and "site-packages" not in asker.parts
