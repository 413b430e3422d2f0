"""What stock batchspawner settings (`req_*`) ask of Slurm, in the site file's words. Pure."""

import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from skiva_hub.slurm_values import gres_request, hours, megabytes, slurm_name, whole

Value = str | int | float

CARRIED = ("req_partition", "req_account", "req_qos", "req_reservation", "req_options")
"""The settings that `site_defaults` reads."""
FOR_A_SLICE = ("partition", "account", "qos", "reservation", "constraint")


@dataclass(frozen=True, slots=True)
class Wish:
    """What settings ask for: fields of a slice, hours, and what did not carry over."""

    fields: Mapping[str, Value] = field(default_factory=dict)
    """Among partition, account, qos, reservation, constraint, gres, cores, memory_mb, hours."""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Kind:
    field: str
    read: Callable[[str], Value | None]
    what: str


def _gpus(text: str) -> str | None:
    return gres_request(f"gpu:{text.strip()}")


_PARTITION = _Kind("partition", slurm_name, "one partition's name")
_ACCOUNT = _Kind("account", slurm_name, "one account's name")
_QOS = _Kind("qos", slurm_name, "one QOS's name")
_RESERVATION = _Kind("reservation", slurm_name, "one reservation's name")
_CONSTRAINT = _Kind("constraint", slurm_name, "one feature's name")
_GRES = _Kind("gres", gres_request, "one kind of device with its count")
_GPUS = _Kind("gres", _gpus, "a number of GPUs")
_CORES = _Kind("cores", whole, "a number of cores")
_MEMORY = _Kind("memory_mb", megabytes, "an amount of memory")
_TIME = _Kind("hours", hours, "a length of time")

_TRAITS = {
    "partition": _PARTITION,
    "account": _ACCOUNT,
    "qos": _QOS,
    "reservation": _RESERVATION,
    "ngpus": _GPUS,
    "gres": _GRES,
    "nprocs": _CORES,
    "memory": _MEMORY,
    "runtime": _TIME,
}
_FLAGS = {
    "partition": _PARTITION,
    "account": _ACCOUNT,
    "qos": _QOS,
    "reservation": _RESERVATION,
    "constraint": _CONSTRAINT,
    "gres": _GRES,
    "gpus": _GPUS,
    "gpus-per-node": _GPUS,
    "cpus-per-task": _CORES,
    "mem": _MEMORY,
    "time": _TIME,
}
_LETTERS = {
    "p": "partition",
    "A": "account",
    "q": "qos",
    "C": "constraint",
    "G": "gpus",
    "c": "cpus-per-task",
    "t": "time",
    "N": "nodes",
    "n": "ntasks",
    "w": "nodelist",
    "x": "exclude",
    "L": "licenses",
    "J": "job-name",
    "o": "output",
    "e": "error",
    "D": "chdir",
}
_BARE = {
    "exclusive",
    "overcommit",
    "oversubscribe",
    "requeue",
    "no-requeue",
    "hold",
    "contiguous",
    "spread-job",
}
_OURS = "the hub sets it for each session itself"
_REASONS = {
    "exclusive": "a slice is a part of a node",
    "nodes": "a session runs on one node",
    "ntasks": "a session is one task",
    "ntasks-per-node": "a session is one task",
    "export": "a job gets only the variables that it needs",
    "get-user-env": "a job gets only the variables that it needs",
    "job-name": _OURS,
    "output": _OURS,
    "error": _OURS,
    "chdir": _OURS,
    "comment": "the hub marks its jobs with it",
    "signal": "the hub uses it for the warning before the end",
    "requeue": _OURS,
    "no-requeue": _OURS,
    "mem-per-cpu": "a slice names its memory as a whole; add cores times this as memory_mb",
    "mem-per-gpu": "a slice names its memory as a whole; add GPUs times this as memory_mb",
}
_NO_FIELD = "a slice has no field for it; a QOS or a reservation can often do the same"
_TRAIT_REASONS = {
    "queue": "Slurm has partitions",
    "host": "Slurm's own configuration says where it is",
    "cluster": "one site file describes one Slurm",
    "options": "",
    "prologue": "no text of a configuration runs in a job; put what it sets up into an environment",
    "epilogue": "no text of a configuration runs in a job; a Slurm epilog can do the same",
    "srun": "the server is started by its launcher",
    "keepvars": "a job gets only the variables that it needs",
    "keepvars_extra": "a job gets only the variables that it needs",
    "username": "the hub knows the account",
    "homedir": "the node knows the home",
}


def site_defaults(req: Mapping[str, str]) -> dict[str, str]:
    """What `req_*` settings (named with or without `req_`) say for slices that do not say it themselves.

    Fields of a slice to their values, among partition, account, qos, reservation and constraint. Of
    `req_options` the flags for these count; `skiva migrate` tells what of it does not.
    """
    named = {f"req_{name.removeprefix('req_')}": value for name, value in req.items()}
    fields = wish({name: value for name, value in named.items() if name in CARRIED}).fields
    return {name: str(fields[name]) for name in FOR_A_SLICE if name in fields}


def wish(req: Mapping[str, object]) -> Wish:
    """Read `req_*` settings, named with or without `req_`; `options` wins, as in batchspawner's script."""
    fields: dict[str, Value] = {}
    notes: list[str] = []
    named = {name.removeprefix("req_"): value for name, value in req.items()}
    for name in sorted(named, key=lambda n: n == "gres"):
        text, kind = "" if named[name] is None else str(named[name]), _TRAITS.get(name)
        if not text.strip() or name == "options":
            continue
        if kind is None:
            reason = _TRAIT_REASONS.get(name, "it is not one of batchspawner's own settings")
            notes.append(_left(f"req_{name}", reason))
        else:
            _take(kind, text, f"req_{name}", fields, notes)
    given = directives(str(named.get("options") or ""))
    return Wish({**fields, **given.fields}, (*notes, *given.notes))


def directives(text: str) -> Wish:
    """Read sbatch options as they stand in `req_options` or on a script's #SBATCH lines."""
    fields: dict[str, Value] = {}
    notes: list[str] = []
    for name, value in _flags(text, notes):
        kind = _FLAGS.get(name)
        if kind is None:
            notes.append(_left(f"--{name}", _REASONS.get(name, _NO_FIELD)))
        else:
            _take(kind, value, f"--{name}", fields, notes)
    return Wish(fields, tuple(notes))


def _take(kind: _Kind, text: str, said: str, fields: dict[str, Value], notes: list[str]) -> None:
    value = kind.read(text)
    if value is None:
        notes.append(_left(f"{said} = {_short(text)}", f"it is not {kind.what}"))
    else:
        fields[kind.field] = value


def _flags(text: str, notes: list[str]) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        try:
            words = shlex.split(line.strip().removeprefix("#SBATCH"), comments=True)
        except ValueError:
            notes.append(_left(_short(line), "its quotes do not match"))
            continue
        while words:
            yield from _flag(words, notes)


def _flag(words: list[str], notes: list[str]) -> Iterator[tuple[str, str]]:
    """Take one option, with its value, from the front of `words`."""
    word = words.pop(0)
    long = re.fullmatch(r"--([a-z][a-z-]*)(?:=(.*))?", word, re.DOTALL)
    short = re.fullmatch(r"-([A-Za-z])=?(.*)", word, re.DOTALL)
    if long:
        name, value = long[1], long[2]
    elif short:
        name, value = _LETTERS.get(short[1], short[1]), short[2] or None
    else:
        notes.append(_left(_short(word), "it is not an sbatch option"))
        return
    if value is None and name not in _BARE and words and not words[0].startswith("-"):
        value = words.pop(0)
    yield name, value or ""


def _left(said: str, reason: str) -> str:
    return f"{said} was not carried over, because {reason}."


def _short(text: str) -> str:
    clean = "".join(c if c.isprintable() else " " for c in text).strip()
    return clean if len(clean) <= 60 else clean[:57] + "..."
