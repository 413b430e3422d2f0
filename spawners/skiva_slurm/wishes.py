"""What a job may name of Slurm beside its cores and memory, in Slurm's own words. Pure.

Everything here is the value of one option of sbatch. None can begin with a dash, hold a space or a line
break, or (`--exclude`) be read as the name of a file.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Annotated

from pydantic import AfterValidator, StringConstraints
from pydantic_core import PydanticCustomError

from skiva_slurm.errors import Unreadable
from skiva_slurm.hostlist import expand
from skiva_slurm.jobs import Node

__all__ = [
    "Constraint",
    "ExtraGres",
    "HostList",
    "Licenses",
    "Partitions",
    "Place",
    "has_features",
    "licences",
]

_NAME = "[A-Za-z0-9][A-Za-z0-9_.:@+-]{0,63}"
_LICENCE = "[A-Za-z0-9][A-Za-z0-9_.+-]{0,63}(@[A-Za-z0-9][A-Za-z0-9_.-]{0,63})?(:[1-9][0-9]{0,5})?"

PARTITIONS = rf"\A{_NAME}(,{_NAME})*\z"
# Slurm reads a mixture of both from left to right, which nobody expects.
CONSTRAINT = rf"\A{_NAME}((&{_NAME})*|(\|{_NAME})*)\z"
LICENSES = rf"\A{_LICENCE}(,{_LICENCE})*\z"
HOST_LIST = r"\A[A-Za-z0-9][A-Za-z0-9_.,\[\]-]*\z"
EXTRA_GRES = r"\A[a-z][a-z0-9_]*(:[A-Za-z][A-Za-z0-9_.+-]*)?:[1-9][0-9]{0,8}[KMGT]?\z"


def _host_list(text: str) -> str:
    try:
        expand(text)
    except Unreadable as problem:
        raise PydanticCustomError("host_list", "{problem}", {"problem": str(problem)}) from None
    return text


Partitions = Annotated[str, StringConstraints(pattern=PARTITIONS, max_length=400)]
"""`gpu`, or several of which Slurm takes the one where the job starts first: `gpu,gpu2`."""
Constraint = Annotated[str, StringConstraints(pattern=CONSTRAINT, max_length=400)]
"""Features of a node: `ib`, all of `h100&ib`, or any of `a100|h100`."""
Licenses = Annotated[str, StringConstraints(pattern=LICENSES, max_length=400)]
"""`name`, `name:count`, `name@server:count`, and several with commas."""
HostList = Annotated[str, StringConstraints(pattern=HOST_LIST, max_length=400), AfterValidator(_host_list)]
"""Names of nodes, also in Slurm's short form: `gpu[01-03],n7`."""
ExtraGres = Annotated[str, StringConstraints(pattern=EXTRA_GRES)]
"""A generic resource beside the device, e.g. `tmpdisk:100` or `lscratch:100G`."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a job may run, by what it names."""

    partition: str
    """One or several, with commas."""
    constraint: str | None = None
    exclude: str | None = None

    def among(self, nodes: Iterable[Node]) -> Iterator[Node]:
        """Those nodes on which it may run, whatever their state."""
        partitions, excluded = set(self.partition.split(",")), set(expand(self.exclude or ""))
        for node in nodes:
            if (
                not partitions.isdisjoint(node.partitions)
                and node.name not in excluded
                and has_features(node, self.constraint)
            ):
                yield node


def has_features(node: Node, constraint: str | None) -> bool:
    """Whether a node has the features that a constraint asks for."""
    if constraint is None:
        return True
    if "|" in constraint:
        return not node.features.isdisjoint(constraint.split("|"))
    return node.features.issuperset(constraint.split("&"))


def licences(text: str) -> dict[str, int]:
    """How many of each licence are asked for, by its name with its server."""
    counted: dict[str, int] = {}
    for one in filter(None, text.split(",")):
        name, _, count = one.partition(":")
        counted[name] = counted.get(name, 0) + int(count or 1)
    return counted
