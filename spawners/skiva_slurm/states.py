"""What each of Slurm's words for the state of a job or a node means to us."""

import re
from collections.abc import Collection
from enum import StrEnum
from functools import lru_cache

__all__ = ["JOB_STATES", "NODE_STATES", "Life", "life", "node_states", "node_usable"]


class Life(StrEnum):
    """Where a job is in its life."""

    QUEUED = "queued"
    """It waits for its turn, for the first time or again; also while its nodes boot."""
    RUNNING = "running"
    PAUSED = "paused"
    """It is alive and holds its memory, but does not compute."""
    ENDING = "ending"
    """Its processes are ending or its files are leaving; QUEUED may follow when Slurm requeues it."""
    ENDED = "ended"
    """It is over for good."""
    UNKNOWN = "unknown"
    """Not a word that we know. Never a reason to give a job up."""


JOB_STATES: dict[str, Life] = {
    # Base states.
    "PENDING": Life.QUEUED,
    "RUNNING": Life.RUNNING,
    "SUSPENDED": Life.PAUSED,
    "COMPLETED": Life.ENDED,
    "CANCELLED": Life.ENDED,
    "FAILED": Life.ENDED,
    "TIMEOUT": Life.ENDED,
    "NODE_FAIL": Life.ENDED,
    "PREEMPTED": Life.ENDED,
    "BOOT_FAIL": Life.ENDED,
    "DEADLINE": Life.ENDED,
    "OUT_OF_MEMORY": Life.ENDED,
    # Flags. squeue shows the most telling one in place of the base state.
    "REQUEUED": Life.QUEUED,
    "REQUEUE_HOLD": Life.QUEUED,
    "REQUEUE_FED": Life.QUEUED,
    "SPECIAL_EXIT": Life.QUEUED,
    "RESV_DEL_HOLD": Life.QUEUED,
    "CONFIGURING": Life.QUEUED,
    "POWER_UP_NODE": Life.QUEUED,
    "EXPEDITING": Life.QUEUED,
    "COMPLETING": Life.ENDING,
    "STAGE_OUT": Life.ENDING,
    "STOPPED": Life.PAUSED,
    "RESIZING": Life.RUNNING,
    "SIGNALING": Life.RUNNING,
    # Another cluster of a federation runs it under the same number: not ended, and not ours to see.
    "REVOKED": Life.UNKNOWN,
    # Say how an end came about or what is being written down, never more than the base state beside them.
    "LAUNCH_FAILED": Life.UNKNOWN,
    "RECONFIG_FAIL": Life.UNKNOWN,
    "UPDATE_DB": Life.UNKNOWN,
}
"""Every state and state flag of Slurm 20.11 to 25.11."""

_SILENT = frozenset({"LAUNCH_FAILED", "RECONFIG_FAIL", "UPDATE_DB"})
_REQUEUED = frozenset(
    {"REQUEUED", "REQUEUE_HOLD", "REQUEUE_FED", "SPECIAL_EXIT", "RESV_DEL_HOLD", "EXPEDITING"}
)
_STRONGEST_FIRST = (Life.UNKNOWN, Life.ENDING, Life.ENDED, Life.PAUSED, Life.QUEUED, Life.RUNNING)
_BY_SOMEBODY = re.compile(r" +by +\S{1,64}")


# A reading of the queue has thousands of jobs in a handful of states, and each is asked several times.
@lru_cache(maxsize=1024)
def life(state: str) -> Life:
    """What Slurm's word or words (`RUNNING`, `CANCELLED by 0`, `PREEMPTED+REQUEUED`) mean.

    Total: a word that is not in `JOB_STATES` makes the answer UNKNOWN. Of several words a requeue wins,
    because the job lives on, then what is nearest to the end.
    """
    words = frozenset(_BY_SOMEBODY.sub("", state[:256], count=1).strip().upper().split("+"))
    if not words <= JOB_STATES.keys():
        return Life.UNKNOWN
    if words & _REQUEUED:
        return Life.QUEUED
    lives = {JOB_STATES[word] for word in words - _SILENT}
    return next((found for found in _STRONGEST_FIRST if found in lives), Life.UNKNOWN)


NODE_STATES: dict[str, bool] = {
    # Base states: could a job ever start on such a node?
    "IDLE": True,
    "MIXED": True,
    "ALLOCATED": True,
    "ALLOC": True,
    "DOWN": False,
    "ERROR": False,
    "UNKNOWN": False,
    "FUTURE": False,
    "INVAL": False,
    # Flags: does it still take jobs?
    "CLOUD": True,
    "COMPLETING": True,
    "DYNAMIC_NORM": True,
    "DYNAMIC_FUTURE": True,
    "EXTERNAL": True,
    "PLANNED": True,
    "POWERED_DOWN": True,
    "POWERING_UP": True,
    "POWER_UP": True,
    "POWER": True,
    # Of the whole node or of a few of its cores: Slurm does not say here, and jobs may start on the rest.
    "RESERVED": True,
    "RESUME": True,
    "UNDRAIN": True,
    "DRAIN": False,
    "DRAINED": False,
    "DRAINING": False,
    "BLOCKED": False,
    "FAIL": False,
    "FAILING": False,
    "INVALID_REG": False,
    "MAINT": False,
    "MAINTENANCE": False,
    "NOT_RESPONDING": False,
    "NO_RESPOND": False,
    "PERFCTRS": False,
    "POWERING_DOWN": False,
    "POWER_DOWN": False,
    "POWER_DRAIN": False,
    "REBOOT": False,
    "REBOOT_ISSUED": False,
    "REBOOT_REQUESTED": False,
}
"""Every node state and flag of Slurm 20.11 to 25.11: whether a new job may start there.

A node that was powered down to save energy is started for a job, so it counts as usable.
"""

_BASE = frozenset({"IDLE", "MIXED", "ALLOCATED", "ALLOC"})
_SUFFIXES = {
    "*": "NOT_RESPONDING",
    "~": "POWERED_DOWN",
    "#": "POWERING_UP",
    "!": "POWER_DOWN",
    "%": "POWERING_DOWN",
    "$": "MAINT",
    "@": "REBOOT_REQUESTED",
    "^": "REBOOT_ISSUED",
    "-": "PLANNED",
}


def node_states(text: str) -> frozenset[str]:
    """Split `IDLE+DRAIN`, `DOWN*` or `MIXED+CLOUD~` into base state and flags, signs spelled out."""
    words: set[str] = set()
    for word in text[:256].strip().upper().split("+"):
        plain = word.rstrip("".join(_SUFFIXES))
        words.update(_SUFFIXES[sign] for sign in word[len(plain) :])
        words.add(plain)
    return frozenset(words - {""})


def node_usable(states: Collection[str], *, reserved: bool = False) -> bool:
    """Whether Slurm would start a new job on a node in these states.

    A node in maintenance takes only jobs of its reservation: say `reserved` for those. A word that is not in
    `NODE_STATES` makes the node unusable, so that nothing is promised.
    """
    blocking = {word for word in states if not NODE_STATES.get(word)}
    if reserved:
        blocking -= {"MAINT", "MAINTENANCE"}
    return not blocking and not _BASE.isdisjoint(states)
