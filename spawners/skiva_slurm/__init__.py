"""Slurm, as both sides see it: pure builders and parsers, one runner, one watcher.

Import what you need from the module that has it; none of them imports the hub's or the notebook's side.
"""

__all__ = [
    "errors",
    "gres",
    "hostlist",
    "jobs",
    "offer",
    "parse",
    "reader",
    "reasons",
    "refusal",
    "reservations",
    "runner",
    "sbatch",
    "slices",
    "states",
    "tags",
    "watcher",
]
