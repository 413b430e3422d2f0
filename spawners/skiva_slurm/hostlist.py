"""Slurm's short form for many node names."""

import re
from functools import lru_cache
from itertools import product

from skiva_slurm.errors import Unreadable

__all__ = ["expand"]

_NONE = frozenset({"", "(null)", "N/A", "n/a", "None assigned", "(None assigned)"})
_NAME = re.compile(r"[A-Za-z0-9_.:-]+")
_RANGE = re.compile(r"([0-9]{1,9})(?:-([0-9]{1,9}))?")
_PIECES = re.compile(r"\[([^\[\]]*)\]|([^\[\],]+)|(,)")
_MAX_NODES = 65536
_MAX_TEXT = 1024 * 1024


@lru_cache(maxsize=1024)
def expand(text: str) -> tuple[str, ...]:
    """Spell out `n[1-3,07],gpu1` as `n1 n2 n3 n07 gpu1`; what Slurm prints for no node gives none.

    Raises:
        Unreadable: `text` is no such list, or means more than 65,536 nodes.
    """
    if text.strip() in _NONE:
        return ()
    names: list[str] = []
    for parts in _words(text.strip()):
        count = 1
        for part in parts:
            count *= len(part)
        if len(names) + count > _MAX_NODES:
            raise Unreadable("a list of nodes is too long")
        names.extend("".join(letters) for letters in product(*parts))
    return tuple(names)


def _words(text: str) -> list[list[list[str]]]:
    """The words between commas, each as its parts, each part as the texts it stands for."""
    words: list[list[list[str]]] = [[]]
    end = 0
    for piece in _PIECES.finditer(text[:_MAX_TEXT]):
        if piece.start() != end:
            break
        end = piece.end()
        ranges, plain, comma = piece.groups()
        if comma:
            words.append([])
        elif plain is not None and _NAME.fullmatch(plain):
            words[-1].append([plain])
        elif ranges is not None:
            words[-1].append(_numbers(ranges))
        else:
            raise Unreadable("a list of nodes has a name that no node can have")
    if end != len(text) or not all(words):
        raise Unreadable("a list of nodes is cut off or garbled")
    return words


def _numbers(text: str) -> list[str]:
    numbers: list[str] = []
    for item in text.split(","):
        found = _RANGE.fullmatch(item)
        if not found:
            raise Unreadable("a list of nodes has a range that is none")
        first, last = found[1], found[2] or found[1]
        count = int(last) - int(first) + 1
        if count < 1 or len(numbers) + count > _MAX_NODES:
            raise Unreadable("a list of nodes has a range that runs backwards or too far")
        numbers.extend(str(number).zfill(len(first)) for number in range(int(first), int(last) + 1))
    return numbers
