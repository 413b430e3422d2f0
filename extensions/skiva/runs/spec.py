"""What a run is: written once, before Slurm is asked, and never changed."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from math import isfinite
from types import UnionType
from typing import Any, Literal, Self, get_origin

__all__ = ["KINDS", "Kind", "Spec"]

Kind = Literal["function", "map", "cell", "notebook", "command"]
KINDS: tuple[Kind, ...] = ("function", "map", "cell", "notebook", "command")


@dataclass(frozen=True, slots=True, kw_only=True)
class Spec:
    """One run, as `spec.json` has it. Every job begins by reading it: the standard library is enough.

    Raises:
        ValueError: `from_json` was given what is no description of a run.
    """

    id: str
    name: str
    kind: Kind
    created: float
    """Seconds since the epoch."""
    slice: str
    slice_title: str = ""
    simulated: bool = False
    hours: float
    """What was asked for; the job's limit is this in whole minutes."""
    warn_seconds: int = 60
    """How long before its end the job is told."""
    cwd: str
    sys_path: tuple[str, ...] = ()
    """Where modules are found, as in the kernel that submitted."""
    restarts: int = 0
    """How often the run may begin again after a time limit, a preemption or a lost node."""
    resume: bool = False
    """Whether a notebook goes on at the cell at which it was stopped."""
    tasks: int | None = None
    """How many tasks a map has."""
    at_once: int | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    """Of a notebook."""
    start_at: int = 0
    """The index of the notebook's first cell to run."""
    argv: tuple[str, ...] = ()
    """Of a command."""
    source: Mapping[str, Any] = field(default_factory=dict)
    """Where it came from: `notebook`, `cell_id`, `code`."""
    key: str = ""
    """Submissions with the same key are one run."""
    again_of: str = ""
    """The run that this one repeats."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """`id`, `digest`, `python`, `kernel`, `kernel_digest`: what it runs in."""
    proof: Mapping[str, Any] = field(default_factory=dict)
    """How the job proves its slice: `devices`, `always_open`, `wanted`, `must`."""
    hub: str = ""

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Self:
        """Take the known fields; a newer version's others are left alone."""
        known = {f.name: values[f.name] for f in fields(cls) if f.name in values}
        for f in fields(cls):
            if f.name in known and not _fits(f.type, known[f.name]):
                raise ValueError(f"{f.name}: cannot be {known[f.name]!r:.60}")
        for name in ("sys_path", "argv"):
            known[name] = tuple(known.get(name, ()))
        try:
            return cls(**known)
        except TypeError as missing:
            raise ValueError(f"spec.json: {missing}") from None

    def to_json(self) -> dict[str, Any]:
        """As it is written."""
        return asdict(self)


def _fits(wanted: Any, value: Any) -> bool:
    """Whether what JSON has for a field can be its value."""
    if isinstance(value, bool):
        return wanted is bool
    if wanted is float:
        return isinstance(value, (int, float)) and isfinite(value)
    if wanted == tuple[str, ...]:
        return isinstance(value, (list, tuple)) and all(isinstance(one, str) for one in value)
    if wanted == Kind:
        return value in KINDS
    return isinstance(value, wanted if isinstance(wanted, UnionType) else get_origin(wanted) or wanted)
