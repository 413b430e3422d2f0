"""What a check found."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum


class Level(StrEnum):
    """How much a finding matters."""

    OK = "ok"
    WARNING = "warning"
    """People can work, though something is worse than it need be."""
    ERROR = "error"
    """Sessions will fail, or are not what the pages say."""


class Group(StrEnum):
    """What findings are printed together under."""

    SLURM = "Slurm"
    SLICES = "Slices and partitions"
    FENCING = "Fencing"
    ACCOUNTS = "Accounting and privacy"
    HUB = "This machine"
    NODES = "Nodes"
    PROBES = "Probe jobs"


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence on one thing, and how to mend it."""

    level: Level
    group: Group
    sentence: str
    cure: str = ""

    def __str__(self) -> str:
        """Sentence and cure on one line."""
        return f"{self.sentence} {self.cure}".strip()


def ok(group: Group, sentence: str, cure: str = "") -> Finding:
    """A thing that is as it should be; a cure is then a hint."""
    return Finding(Level.OK, group, sentence, cure)


def warning(group: Group, sentence: str, cure: str) -> Finding:
    """A thing that is worse than it need be."""
    return Finding(Level.WARNING, group, sentence, cure)


def error(group: Group, sentence: str, cure: str) -> Finding:
    """A thing that keeps sessions from working."""
    return Finding(Level.ERROR, group, sentence, cure)


def listed(names: Iterable[str], most: int = 6) -> str:
    """Names in a sentence; many are cut short."""
    every = list(names)
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more
