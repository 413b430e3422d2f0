"""Generic resources (GPUs, MIG instances, shards) in every spelling that Slurm prints."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

__all__ = ["Gres", "parse_gres", "parse_sharded"]

_MAX_TEXT = 65536
_COUNT = re.compile(r"([0-9]{1,18})([kmgtp]?)", re.IGNORECASE)
_WORD = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+-]*")
_PREFIX = re.compile(r"\Agres[:/]")
_PARENTHESES = re.compile(r"\([^)]*\)?|\)")
_FACTORS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4, "p": 1024**5}


@dataclass(frozen=True, slots=True)
class Gres:
    """So many of one kind of generic resource."""

    name: str
    """`gpu`, `shard`, …"""
    type: str = ""
    """`h100`, `1g.10gb`, …; empty where Slurm names none."""
    count: int = 1

    def __str__(self) -> str:
        """The spelling that `--gres` takes."""
        return ":".join(part for part in (self.name, self.type, str(self.count)) if part)


def parse_gres(text: str) -> tuple[Gres, ...]:
    """Read a list of generic resources, from a node, a job or a list of TRES.

    What is counted as none is left out, equal names and types are added up in the order in which they
    first appear, and an entry that is no generic resource (`cpu=4`) is passed over. Beside the types a
    list of TRES also names their total (`gres/gpu=2,gres/gpu:h100=2`): it is not counted twice.
    """
    counted: dict[tuple[str, str], int] = {}
    totals: dict[str, int] = {}
    for entry in _entries(text[:_MAX_TEXT]):
        is_tres = "=" in entry
        if is_tres and not entry.startswith("gres/"):
            continue
        found = _parse_entry(_PREFIX.sub("", entry).replace("=", ":"))
        if found is None:
            continue
        if is_tres and not found.type:
            totals[found.name] = totals.get(found.name, 0) + found.count
        else:
            key = (found.name, found.type)
            counted[key] = counted.get(key, 0) + found.count
    return tuple(_with_totals(counted, totals))


def parse_sharded(text: str) -> tuple[Gres, ...]:
    """How many whole devices are out as shards (or MPS), from a node's GresUsed.

    Such a device is not given to anybody whole. Slurm up to 22.05 lists the devices,
    `shard:h100:1(IDX:4)`, and counts them instead of their shards; later ones say for each device how many
    of its shards are taken, `shard:8(-/5,5/5,3/5)`, with `-` where it is taken whole.
    """
    devices: dict[tuple[str, str], int] = {}
    for kind, details in _SHARED.findall(text[:_MAX_TEXT]):
        count = _listed(details[4:]) if details.startswith("IDX:") else len(_TAKEN.findall(details))
        if count:
            devices["gpu", kind] = max(count, devices.get(("gpu", kind), 0))
    return tuple(Gres(name, kind, count) for (name, kind), count in devices.items())


_SHARED = re.compile(r"\b(?:shard|mps):(?:([A-Za-z0-9_.+-]+):)?[0-9]+[kKmMgG]?\(([^()]*)\)")
_TAKEN = re.compile(r"(?:^|,)0*[1-9][0-9]*/")
_RANGE = re.compile(r"([0-9]{1,6})(?:-([0-9]{1,6}))?")


def _listed(text: str) -> int:
    """How many numbers `0-2,5` lists."""
    ranges = (_RANGE.fullmatch(part) for part in text.split(","))
    return sum(max(0, int(found[2] or found[1]) - int(found[1]) + 1) for found in ranges if found)


def _with_totals(counted: dict[tuple[str, str], int], totals: dict[str, int]) -> Iterator[Gres]:
    for name, total in totals.items():
        counted[name, ""] = total - sum(count for (other, _), count in counted.items() if other == name)
    yield from (Gres(name, kind, count) for (name, kind), count in counted.items() if count > 0)


def _entries(text: str) -> Iterable[str]:
    """The entries of a comma-separated list, without what stands in parentheses."""
    return (entry.strip() for entry in _PARENTHESES.sub("", text).split(","))


def _parse_entry(entry: str) -> Gres | None:
    name, *rest = entry.split(":")
    if not _WORD.fullmatch(name):
        return None
    count = 1
    if rest and (number := _COUNT.fullmatch(rest[-1])):
        rest.pop()
        count = int(number[1]) * _FACTORS[number[2].lower()]
    types = [part for part in rest if part != "no_consume"]
    if len(types) > 1 or not all(map(_WORD.fullmatch, types)):
        return None
    return Gres(name, types[0] if types else "", count)
