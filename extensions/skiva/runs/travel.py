"""What can be taken to another process, and, in words, what cannot."""

import io
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["Stays", "packed", "packed_variables"]

_KNOWN = {
    "sqlite3": "a connection to a database lives in this process; connect inside instead",
    "_thread.lock": "a lock belongs to this process",
    "_thread.RLock": "a lock belongs to this process",
    "generator": "a generator that has begun cannot be copied; make it a list, or create it inside",
    "socket": "a network connection lives in this process; connect inside instead",
    "_io.": "an open file belongs to this process; open it inside, by its path",
    "frame": "a running piece of code cannot be copied",
    "weakref": "it refers to something that only this process has",
}


class Stays(TypeError):
    """Something that cannot travel to a job; says which and why."""


def packed(name: str, value: Any, where: str = "to the job") -> bytes:
    """`value` as bytes that another Python with the same packages can read.

    Functions and classes that were written in a notebook go along with all that they use.

    Raises:
        Stays: it cannot; the sentence begins with `name`.
    """
    import cloudpickle

    if isinstance(value, io.IOBase):
        raise Stays(f"{name} cannot travel {where}: {_KNOWN['_io.']}.")
    try:
        return bytes(cloudpickle.dumps(value))
    except Exception as problem:  # noqa: BLE001 - any type may refuse in any way
        raise Stays(f"{name} cannot travel {where}: {_reason(value, problem)}.") from None


def packed_variables(
    names: Iterable[str], namespace: Mapping[str, Any]
) -> tuple[dict[str, bytes], list[str]]:
    """The named variables as bytes, and a sentence for each that cannot travel."""
    found: dict[str, bytes] = {}
    sentences = []
    for name in names:
        try:
            found[name] = packed(name, namespace[name])
        except Stays as stays:
            sentences.append(str(stays))
    return found, sentences


def _reason(value: Any, problem: Exception) -> str:
    words = f"{type(problem).__name__}: {problem}".strip().splitlines()[0][:200]
    kind = f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
    for sign, sentence in _KNOWN.items():
        if sign in kind or sign in str(problem):
            return f"{sentence} ({kind})"
    return f"{words} ({kind})"
