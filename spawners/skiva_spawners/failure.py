"""Why a session did not start or ended, in words for the person who pressed Start. Pure."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from skiva_slurm.jobs import Job

LOG_LINES = 30
_LINE_LENGTH = 400

_NOBODY = "Slurm tells no more about it; the last lines of its log may."

_PUNCTUAL = 30.0
"""Seconds by which Slurm may end a job before its time limit, as clocks and readings go."""
_ENDING = 300.0
"""Seconds that Slurm may take to end the jobs of a reservation that is over."""
_RESERVATION, _EARLY = "reservation", "early"
"""Ends that Slurm calls TIMEOUT, though the job's own time limit was not reached."""

_ENDS: dict[str, tuple[str, str, str]] = {
    _RESERVATION: (
        "reservation",
        "Your session ended: the reservation of its slice ended.",
        "Files that were saved are there. Start again on another slice, or ask the operators for more time.",
    ),
    _EARLY: (
        "timeout",
        "Your session ended: Slurm ended it before its time limit was reached.",
        "Files that were saved are there. Ask the operators: a reservation or your hours may be over.",
    ),
    "TIMEOUT": (
        "timeout",
        "Your session ended: its time limit was reached.",
        "Files that were saved are there. Start again, with more hours if it needs them.",
    ),
    "DEADLINE": (
        "deadline",
        "Your session ended: its deadline passed.",
        "Files that were saved are there. Please start again.",
    ),
    "CANCELLED": (
        "cancelled",
        "Your session ended: its job was cancelled in Slurm.",
        "If that was not you, an operator or a limit did it; ask them before you start again.",
    ),
    "PREEMPTED": (
        "preempted",
        "Your session ended: Slurm gave its place to work with a higher priority.",
        "Files that were saved are there. Start again, or choose a slice that is not preempted.",
    ),
    "NODE_FAIL": (
        "node_failure",
        "Your session ended: its compute node failed.",
        "This was no mistake of yours. Files that were saved are there; please start again.",
    ),
    "BOOT_FAIL": (
        "node_failure",
        "Your session could not start: its compute node did not boot.",
        "This was no mistake of yours. Please start again; if it happens twice, tell the operators.",
    ),
    "LAUNCH_FAILED": (
        "node_failure",
        "Your session could not start: Slurm could not launch it on its node.",
        "This was no mistake of yours. Please start again; if it happens twice, tell the operators.",
    ),
    "OUT_OF_MEMORY": (
        "out_of_memory",
        "Your session ended: it used more memory than its slice has.",
        "Choose a slice with more memory, or load less data at once.",
    ),
    "FAILED": (
        "crash",
        "Your session ended: its server stopped with an error.",
        "The last lines of its log say more. Start again; if it happens twice, show them to the operators.",
    ),
    "COMPLETED": (
        "finished",
        "Your session ended: its server was shut down.",
        "Start again whenever you like.",
    ),
}


@dataclass(frozen=True, slots=True)
class Failure:
    """What the pages show when a session is not there any more, or never was."""

    sentence: str
    action: str = ""
    log_tail: tuple[str, ...] = ()
    job_id: int | None = None
    cause: str = "error"
    """A short word for metrics, e.g. `timeout`."""
    lived: bool = False
    """Whether the session had been usable before; otherwise its start failed."""
    at: float | None = None
    """Seconds since the epoch."""

    def to_state(self) -> dict[str, Any]:
        """What the hub's database keeps of it."""
        return {
            "sentence": self.sentence,
            "action": self.action,
            "log_tail": list(self.log_tail),
            "job_id": self.job_id,
            "cause": self.cause,
            "lived": self.lived,
            "at": self.at,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> Self | None:
        """Read back what `to_state` gave; None when it is not that."""
        try:
            tail = tuple(str(line) for line in state.get("log_tail", ()))
            job_id, at = state.get("job_id"), state.get("at")
            return cls(
                sentence=str(state["sentence"]),
                action=str(state.get("action", "")),
                log_tail=tail,
                job_id=int(job_id) if job_id is not None else None,
                cause=str(state.get("cause", "error")),
                lived=bool(state.get("lived", False)),
                at=float(at) if at is not None else None,
            )
        except (KeyError, TypeError, ValueError):
            return None


def ended(
    job: Job,
    *,
    lived: bool = True,
    log: str = "",
    due: float | None = None,
    reserved_until: Collection[float] = (),
) -> Failure:
    """The words for a job that Slurm was seen to have ended.

    Args:
        lived: whether its server had answered before.
        log: the job's output, of which the last lines are kept.
        due: when its time limit was to end it.
        reserved_until: the ends that its reservation was seen to have.
    """
    word = _word(job.state)
    if word == "TIMEOUT" and job.end is not None and due is not None and job.end < due - _PUNCTUAL:
        # Slurm has one state for both, and says nothing of reservations in it.
        word = _RESERVATION if any(0 <= job.end - at < _ENDING for at in reserved_until) else _EARLY
    unknown = ("unknown", f"Your session ended ({ascii(word[:40])[1:-1]}).", _NOBODY)
    cause, sentence, action = _ENDS.get(word, unknown)
    if not lived:
        sentence = sentence.replace("Your session ended:", "Your session could not start:")
    if not lived and word in {"FAILED", "COMPLETED"}:
        cause, sentence = "crash", "Your session could not start: its server stopped before it answered."
        action = _ENDS["FAILED"][2]
    return Failure(sentence, action, tail(log), job.id, cause, lived, job.end)


def tail(log: str, lines: int = LOG_LINES) -> tuple[str, ...]:
    """The last lines of a log, each cut to a readable length, without control characters."""
    return tuple(_clean(line) for line in _last_lines(log, lines))


def _word(state: str) -> str:
    words = state.split(" ", maxsplit=1)[0].upper().split("+")
    return "LAUNCH_FAILED" if "LAUNCH_FAILED" in words else words[0]


def _last_lines(log: str, lines: int) -> Sequence[str]:
    return log[-lines * 4 * _LINE_LENGTH :].rstrip().splitlines()[-lines:]


def _clean(line: str) -> str:
    shown = "".join(c if c.isprintable() or c == "\t" else "\N{REPLACEMENT CHARACTER}" for c in line)
    return shown if len(shown) <= _LINE_LENGTH else shown[: _LINE_LENGTH - 1] + "…"
