"""The session as the status item shows it: the facts, and what has been learnt since the start."""

import math
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .gpus import Gpu
from .memory import Memory
from .session_facts import SessionFacts, read_facts

_SLACK = 120.0
"""Slurm's signal and its end of a job come up to a minute early or late; farther off means another cause."""
_USUAL_WARNING = 60.0
"""Seconds that a warning announces where nobody said how many."""
_SETTLE = 30.0
"""Seconds after an extension in which an earlier reading of the queue may still show the old end."""


@dataclass(frozen=True, slots=True)
class Warn:
    """Slurm's warning signal: when it came, what end it announced, and whether the time limit is not why."""

    at: float
    ends: float
    early: bool


class SessionState:
    """What this server knows of its session. Times are seconds since 1970 on this node's clock."""

    def __init__(self, path: Path | None, clock: Callable[[], float] = time.time) -> None:
        self._path = path
        self._clock = clock
        self._stamp: tuple[int, int] | None = None
        self._facts: SessionFacts | None = None
        self._ends: float | None = None
        self._settled = 0.0
        self._warn: Warn | None = None
        self.trouble = ""
        """One sentence about what keeps this from being up to date, or nothing."""
        self.can_ask_hub = False
        """Whether there is a hub to ask for an extension."""

    @property
    def facts(self) -> SessionFacts | None:
        """The launcher's facts, read again when the file changes; None outside a session."""
        if self._path is None:
            return None
        try:
            found = self._path.stat()
        except OSError:
            return self._facts
        stamp = (found.st_mtime_ns, found.st_ino)
        if stamp != self._stamp:
            facts = read_facts(self._path)
            if facts is not None:
                self._stamp, self._facts, self._ends = stamp, facts, facts.ends
        return self._facts

    @property
    def ends(self) -> float | None:
        """When Slurm ends the job, as it was last told; None where it has no time limit."""
        return self._ends if self.facts else None

    def saw_end(self, ends: float) -> None:
        """Note the end that the hub's stream told."""
        current = self.ends
        if current is not None and ends < current and self._clock() < self._settled:
            return
        self._move(ends)

    def extended(self, ends: float) -> None:
        """Note the end that an extension was answered with."""
        self._move(ends)
        self._settled = self._clock() + _SETTLE

    def _move(self, ends: float) -> None:
        if self._warn and not self._warn.early and ends > self._warn.ends + _SLACK:
            self._warn = None
        self._ends = ends

    def warned(self, seconds: float | None = None) -> None:
        """Note Slurm's warning signal, sent `seconds` before the end, or as long before as was asked."""
        now, facts, ends = self._clock(), self.facts, self.ends
        asked = float(facts.warn) if facts and facts.warn else _USUAL_WARNING
        announced = asked if seconds is None else max(0.0, seconds)
        early = ends is None or ends - now > max(asked, announced) + _SLACK
        self._warn = Warn(now, now + announced if early or ends is None else ends, early)

    def status(self, memory: Memory | None, gpus: tuple[Gpu, ...] | None) -> dict[str, Any]:
        """The answer of `GET skiva/status`; `{"slice": None}` outside a session."""
        facts, now = self.facts, self._clock()
        if facts is None:
            return {"slice": None}
        ends = self.ends
        return {
            "slice": facts.slice,
            "title": facts.title,
            "environment": facts.environment,
            "digest": facts.digest,
            "isolation": facts.isolation,
            "simulated": facts.simulated,
            "job_id": facts.job_id,
            "node": facts.node,
            "gres": facts.gres,
            "started": facts.started,
            "ends": ends,
            "seconds_left": None if ends is None else max(0.0, round(ends - now, 1)),
            "memory": asdict(memory) if memory else None,
            "gpus": [asdict(gpu) for gpu in gpus] if gpus else None,
            "warning": self._warning(now),
            "extend": self._extension(facts),
            "trouble": self.trouble,
        }

    def _warning(self, now: float) -> dict[str, Any] | None:
        # A signal that somebody sent by hand ends nothing; it must not be believed for ever.
        if self._warn is None or now > self._warn.ends + _SLACK:
            return None
        left = max(0.0, self._warn.ends - now)
        minutes = math.ceil(left / 60)
        when = f"in about {minutes} minute{'' if minutes == 1 else 's'}" if minutes else "now"
        cause = "it needs the node" if self._warn.early else "its time limit is reached then"
        return {
            "id": int(self._warn.at * 1000),
            "minutes": minutes,
            "seconds_left": round(left, 1),
            "early": self._warn.early,
            "sentence": f"Slurm ends this session {when}: {cause}.",
        }

    def _extension(self, facts: SessionFacts) -> dict[str, Any]:
        hours, until = facts.extend_hours, facts.extend_until
        if until is not None and self._ends is not None:
            hours = min(hours, max(0.0, (until - self._ends) / 3600))
        # Less than a minute is not worth a press.
        early = self._warning(self._clock()) is not None and self._warn is not None and self._warn.early
        allowed = self.can_ask_hub and self._ends is not None and hours * 60 >= 1 and not early
        return {"allowed": allowed, "hours": round(hours, 2), "until": until}
