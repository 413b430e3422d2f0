"""Variables that travel together: what they share stays shared, and functions keep their notebook.

A function of a notebook reads the notebook's variables, also those that are assigned after it was written.
So that this holds on the other side as well, its globals are not copied: they become the namespace that it is
unpacked into.
"""

import builtins
import io
import pickle
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from skiva.runs.travel import Stays, packed_variables

__all__ = ["namespace_here", "pack_together", "sorted_out", "unpack_into"]

_into: ContextVar[dict[str, Any] | None] = ContextVar("skiva_namespace", default=None)


def namespace_here() -> dict[str, Any]:
    """The namespace of functions that are being unpacked; one of their own where nobody said which."""
    target = _into.get()
    return {"__name__": "__main__", "__builtins__": builtins} if target is None else target


class _Notebook(dict[str, Any]):
    """Stands for the namespace of the notebook."""

    def __reduce__(self) -> Any:
        return namespace_here, ()


def pack_together(values: Mapping[str, Any], namespace: Mapping[str, Any]) -> bytes:
    """All of them as bytes, with what they share; `namespace` is where they are from.

    Raises:
        Exception: one of them cannot travel; `sorted_out` tells which.
    """
    import cloudpickle

    for name, value in values.items():
        if isinstance(value, io.IOBase):  # its content would go along, and come back as something else
            raise Stays(name)
    file = io.BytesIO()
    pickler = cloudpickle.Pickler(file)
    pickler.globals_ref[id(namespace)] = _Notebook(known=True)
    pickler.dump(dict(values))
    return file.getvalue()


def sorted_out(values: Mapping[str, Any], namespace: Mapping[str, Any]) -> tuple[bytes, list[str], list[str]]:
    """The bytes of all that can travel, their names, and a sentence for each that cannot."""
    try:
        return pack_together(values, namespace), list(values), []
    except Exception:  # noqa: BLE001 - any type may refuse in any way
        alone, sentences = packed_variables(values, values)
    left = {name: values[name] for name in alone}
    try:
        return pack_together(left, namespace), list(left), sentences
    except Exception as problem:  # noqa: BLE001
        words = f"{', '.join(left)} cannot travel together: {type(problem).__name__}: {problem}."
        return pack_together({}, namespace), [], [*sentences, words[:500]]


@contextmanager
def _unpacking(namespace: dict[str, Any]) -> Iterator[None]:
    token = _into.set(namespace)
    try:
        yield
    finally:
        _into.reset(token)


def unpack_into(content: bytes, namespace: dict[str, Any]) -> dict[str, Any]:
    """The variables; functions among them read `namespace`, which gets what they need and it lacks.

    Raises:
        Exception: something is needed that is not here, such as a module.
    """
    before = dict(namespace)
    with _unpacking(namespace):
        found: dict[str, Any] = pickle.loads(content)  # noqa: S301 - of this person's own run
    # What is here already is not replaced by what the functions had there.
    namespace.update(before)
    return found
