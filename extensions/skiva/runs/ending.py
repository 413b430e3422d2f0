"""From what is known of a child's death to what people are told. Pure but for a look at its files."""

import signal
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from skiva.runs.files import read_json
from skiva.runs.paths import RunDir

__all__ = ["Ending", "ending", "out_of_memory"]

_HOWS = ("completed", "failed", "cancelled", "time_limit", "out_of_memory", "killed")


@dataclass(frozen=True, slots=True)
class Ending:
    """How it ended; `interrupted` where Slurm may yet start it again, or knows the cause better."""

    how: str
    sentence: str
    event: Literal["ended", "interrupted"] = "ended"


def ending(
    status: int, place: RunDir, *, cancelled: bool, told_to_end: bool, warned: bool, may_go_on: bool
) -> Ending:
    """What an exit status (negative: a signal) means, with what else happened meanwhile."""
    if told := _told(place):
        return told
    if status == 0 and (not told_to_end or place.result.exists()):
        return Ending("completed", "Completed.")
    if error := read_json(place.error):
        words = f"{error.get('type', 'Error')}: {error.get('message', '')}"
        return Ending("failed", words.strip().splitlines()[0][:300])
    if told_to_end:
        return _from_outside(cancelled=cancelled, warned=warned, may_go_on=may_go_on)
    if status == -signal.SIGKILL and out_of_memory():
        return Ending("out_of_memory", "It needed more memory than its slice has, so the kernel ended it.")
    if status < 0:
        return Ending("killed", f"It was ended by the signal {_name(-status)}.")
    return Ending("failed", f"It ended with exit status {status}.")


def _told(place: RunDir) -> Ending | None:
    outcome = read_json(place.outcome)
    if outcome and outcome.get("how") in _HOWS:
        how, words = str(outcome["how"]), str(outcome.get("sentence") or "").strip()
        return Ending(how, words.splitlines()[0][:500] if words else f"It ended: {how.replace('_', ' ')}.")
    return None


def _from_outside(*, cancelled: bool, warned: bool, may_go_on: bool) -> Ending:
    if cancelled:
        return Ending("cancelled", "Cancelled.")
    if warned:
        return Ending("time_limit", "Stopped by the time limit.", "interrupted" if may_go_on else "ended")
    return Ending(
        "cancelled", "Slurm told it to end: it was cancelled, or gave way to other jobs.", "interrupted"
    )


def _name(number: int) -> str:
    with suppress(ValueError):
        return signal.Signals(number).name
    return str(number)


def out_of_memory() -> bool:
    """Whether this job's cgroup says that the kernel has killed for want of memory."""
    with suppress(OSError, ValueError, IndexError):
        for line in Path("/proc/self/cgroup").read_text().splitlines():
            number, controllers, path = line.split(":", 2)
            if number == "0" and not controllers:
                events = Path(f"/sys/fs/cgroup{path}/memory.events")
            elif "memory" in controllers.split(","):
                events = Path(f"/sys/fs/cgroup/memory{path}/memory.oom_control")
            else:
                continue
            with suppress(OSError):
                for entry in events.read_text().splitlines():
                    if entry.startswith("oom_kill "):
                        return int(entry.split()[1]) > 0
    return False
