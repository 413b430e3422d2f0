"""A value's digest that is the same in every kernel for equal values, or none at all.

Two values with one digest are equal as far as a computation can tell: order in dictionaries and lists counts,
order in sets and of attributes does not. Where that cannot be told, there is no digest.
"""

import copyreg
import dis
import hashlib
import pickle
import sys
import types
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from skiva.runs.own_modules import own_source

__all__ = ["digest"]

_PLAIN = frozenset({type(None), bool, int, float, complex, str, type(...), type(NotImplemented)})
_NOT_OF_A_CLASS = frozenset(
    {
        "__dict__",
        "__weakref__",
        "__module__",
        "__abstractmethods__",
        "_abc_impl",
        "__firstlineno__",
        "__static_attributes__",
        "__annotate_func__",  # from Python 3.14 on; the fields of a dataclass tell its annotations
        "__annotations_cache__",
    }
)
_OF_CODE = (
    "co_name",
    "co_argcount",
    "co_posonlyargcount",
    "co_kwonlyargcount",
    "co_flags",
    "co_code",
    "co_names",
    "co_varnames",
    "co_freevars",
    "co_cellvars",
    "co_exceptiontable",
)


def digest(value: Any) -> str | None:
    """The digest in hexadecimal digits; None where equal values might have another one in another kernel."""
    try:
        return _Digest().of(value).hex()
    except Exception:  # noqa: BLE001 - any type may refuse in any way
        return None


def _text(value: Any) -> bytes:
    return repr(value).encode("utf-8", "surrogatepass")


def _hash(kind: str, parts: Iterable[bytes | bytearray | memoryview] = ()) -> bytes:
    found = hashlib.blake2b(kind.encode(), digest_size=20)
    for part in parts:
        found.update(len(part).to_bytes(8, "big"))
        found.update(part)
    return found.digest()


class _Digest:
    """One walk through a value; what was seen is not walked through again."""

    def __init__(self) -> None:
        self._done: dict[int, bytes] = {}
        self._open: dict[int, int] = {}
        self._kept: list[Any] = []  # so that no id is given away twice

    def of(self, value: Any) -> bytes:
        if type(value) is bytes or type(value) is bytearray:
            return _hash(type(value).__name__, [value])
        if type(value) in _PLAIN:
            return _hash(type(value).__name__, [_text(value)])
        place = id(value)
        if place in self._done:
            return self._done[place]
        if place in self._open:
            return _hash("cycle", [str(len(self._open) - self._open[place]).encode()])
        self._open[place] = len(self._open)
        self._kept.append(value)
        try:
            self._done[place] = self._inside(value)
        finally:
            del self._open[place]
        return self._done[place]

    def all(self, values: Iterable[Any]) -> Iterator[bytes]:
        return map(self.of, values)

    def _inside(self, value: Any) -> bytes:
        how = _KINDS.get(type(value))
        if how is not None:
            return _hash(type(value).__name__, how(self, value))
        if isinstance(value, type):
            return _hash("class", self.type(value))
        return _hash("object", self.reduced(value))

    # -- what there is ---------------------------------------------------------------------

    def sequence(self, value: Any) -> Iterable[bytes]:
        if set(map(type, value)) <= _PLAIN:
            return [_text(value)]
        return self.all(value)

    def set(self, value: Any) -> Iterable[bytes]:
        return sorted(self.all(value))

    def dict(self, value: Any) -> Iterable[bytes]:
        for key, item in value.items():
            yield self.of(key)
            yield self.of(item)

    def attributes(self, value: Any) -> Iterable[bytes]:
        """A dictionary whose order nobody chose."""
        return sorted(self.of(key) + self.of(item) for key, item in value.items())

    def by_name(self, value: Any) -> list[bytes] | None:
        """What is imported by its name in the job too: its name, and its source where that may change."""
        name, module = getattr(value, "__qualname__", None), getattr(value, "__module__", None)
        if not name or not module or module == "__main__":
            return None
        found: Any = sys.modules.get(module)
        for word in name.split("."):
            found = getattr(found, word, None)
        return [f"{module}:{name}".encode(), own_source(module)] if found is value else None

    def function(self, value: Any) -> Iterable[bytes]:
        if named := self.by_name(value):
            return named
        parts = [value.__name__, value.__code__, value.__defaults__, value.__kwdefaults__, value.__closure__]
        known = value.__globals__
        used = {name: known[name] for name in _globals_of(value.__code__) if name in known}
        return [*self.all(parts), *self.attributes(value.__dict__), b"uses", *self.attributes(used)]

    def code(self, value: Any) -> Iterable[bytes]:
        return self.all([*(getattr(value, name, None) for name in _OF_CODE), value.co_consts])

    def type(self, value: Any) -> Iterable[bytes]:
        if named := self.by_name(value):
            return named
        own = {n: v for n, v in vars(value).items() if n not in _NOT_OF_A_CLASS and not _is_slot(v)}
        return [value.__qualname__.encode(), *self.all(value.__bases__), b"own", *self.attributes(own)]

    def reduced(self, value: Any) -> Iterable[bytes]:
        """Anything else, as it would be pickled."""
        if named := self.by_name(value):
            return named
        reduce = copyreg.dispatch_table.get(type(value))
        found: Any = reduce(value) if reduce else value.__reduce_ex__(5)
        if isinstance(found, str):
            return [type(value).__module__.encode(), found.encode()]
        make, given, state, items, pairs = (*tuple(found), None, None, None)[:5]
        parts = [self.of(make), self.of(given)]
        parts += sorted(self._state(state))
        parts += [b"items", *self.all(items or ()), b"pairs", *self.all(pairs or ())]
        return parts

    def _state(self, state: Any) -> Iterable[bytes]:
        if type(state) is dict:
            return self.attributes(state)
        if type(state) is tuple and len(state) == 2 and type(state[1]) is dict:  # with slots
            return [
                self.of(part) if type(part) is not dict else _hash("", self._state(part)) for part in state
            ]
        return [self.of(state)]


def _is_slot(value: Any) -> bool:
    return isinstance(value, (types.MemberDescriptorType, types.GetSetDescriptorType))


def _globals_of(code: types.CodeType) -> set[str]:
    """The global names that a function reads, with those of the functions in it."""
    found = {
        str(one.argval) for one in dis.get_instructions(code) if one.opname in {"LOAD_GLOBAL", "LOAD_NAME"}
    }
    for inner in code.co_consts:
        if isinstance(inner, types.CodeType):
            found |= _globals_of(inner)
    return found


def _module(_: _Digest, value: Any) -> Iterable[bytes]:
    return [value.__name__.encode(), own_source(value.__name__)]


_KINDS: dict[type, Callable[[_Digest, Any], Iterable[bytes | memoryview]]] = {
    list: _Digest.sequence,
    tuple: _Digest.sequence,
    set: _Digest.set,
    frozenset: _Digest.set,
    dict: _Digest.dict,
    types.MappingProxyType: _Digest.dict,
    types.FunctionType: _Digest.function,
    types.CodeType: _Digest.code,
    types.ModuleType: _module,
    types.MethodType: lambda self, value: self.all([value.__func__, value.__self__]),
    types.CellType: lambda self, value: self.all([value.cell_contents]),
    property: lambda self, value: self.all([value.fget, value.fset, value.fdel]),
    classmethod: lambda self, value: self.all([value.__func__]),
    staticmethod: lambda self, value: self.all([value.__func__]),
    pickle.PickleBuffer: lambda _, value: [value.raw()],
    Path: lambda _, value: [str(value).encode()],
}
