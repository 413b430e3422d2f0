"""What a measurement found, as text for people and as JSON for programs."""

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median


@dataclass(frozen=True)
class Goal:
    """What was to be reached, and what was."""

    text: str
    value: float
    limit: float

    @property
    def reached(self) -> bool:
        """Whether the value is at most the limit."""
        return self.value <= self.limit


@dataclass
class Report:
    """A table with goals below it.

    Attributes:
        name: of the measurement.
        method: how it was taken, in sentences.
        columns: headings; the first is that of the row's name.
        rows: one for each side or state.
        raw: every single value, for programs.
    """

    name: str
    method: str
    columns: Sequence[str]
    rows: list[tuple[str, ...]] = field(default_factory=list)
    goals: list[Goal] = field(default_factory=list)
    raw: dict[str, object] = field(default_factory=dict)

    def text(self) -> str:
        """For people."""
        table = [tuple(self.columns), *self.rows]
        widths = [max(len(row[i]) for row in table) for i in range(len(self.columns))]
        lines = [f"{self.name}, on {machine()}", self.method, ""]
        for row in table:
            cells = [
                cell.ljust(w) if i == 0 else cell.rjust(w)
                for i, (cell, w) in enumerate(zip(row, widths, strict=True))
            ]
            lines.append("  ".join(cells).rstrip())
        lines.append("")
        lines += [
            f"{_verdict(goal)}: {goal.text}: {goal.value:.3g}, at most {goal.limit:.3g}"
            for goal in self.goals
        ]
        return "\n".join(lines)

    def json(self) -> str:
        """For programs."""
        goals = [
            {"text": g.text, "value": g.value, "limit": g.limit, "reached": g.reached} for g in self.goals
        ]
        told = {
            "name": self.name,
            "machine": machine(),
            "method": self.method,
            "goals": goals,
            "raw": self.raw,
        }
        return json.dumps(told, indent=1)


def _verdict(goal: Goal) -> str:
    return "reached" if goal.reached else "MISSED"


def machine() -> str:
    """The machine in general terms."""
    return f"{len(os.sched_getaffinity(0))} cores ({platform.machine()}), Python {platform.python_version()}"


def spread(values: Sequence[float], unit: str = "s") -> str:
    """`median (least to most)`."""
    return f"{median(values):.2f} {unit} ({min(values):.2f} to {max(values):.2f})"
