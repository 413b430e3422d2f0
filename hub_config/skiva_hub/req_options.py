"""What stock batchspawner settings (`req_*`) ask of Slurm, in the site file's words. Pure."""

import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from skiva_hub.site_types import DEVICES
from skiva_hub.slurm_values import (
    constraint,
    extra_gres,
    gres_request,
    host_list,
    hours,
    licenses,
    megabytes,
    partitions,
    slurm_name,
    whole,
)
from skiva_slurm.gres import parse_gres

Value = str | int | float

CARRIED = ("req_partition", "req_account", "req_qos", "req_reservation", "req_options")
"""The settings that `site_defaults` reads."""
FOR_A_SLICE = ("partition", "account", "qos", "reservation", "constraint", "licenses", "exclude")


@dataclass(frozen=True, slots=True)
class Wish:
    """What settings ask for: fields of a slice, hours, and what did not carry over."""

    fields: Mapping[str, Value] = field(default_factory=dict)
    """Among `FOR_A_SLICE`, gres, cores, memory_mb, hours; extra_gres with commas; and memory_per_core
    and memory_per_gpu, in megabytes, for whoever knows how many there are."""
    notes: tuple[str, ...] = ()
    no_device: str = ""
    """Which devices were asked for that could not be carried over."""


@dataclass(frozen=True, slots=True)
class _Kind:
    field: str
    read: Callable[[str], Value | None]
    what: str


def _gpus(text: str) -> str | None:
    return gres_request(f"gpu:{text.strip()}")


_PARTITION = _Kind("partition", partitions, "a partition, or several with commas")
_ACCOUNT = _Kind("account", slurm_name, "one account's name")
_QOS = _Kind("qos", slurm_name, "one QOS's name")
_RESERVATION = _Kind("reservation", slurm_name, "one reservation's name")
_CONSTRAINT = _Kind("constraint", constraint, "a feature, or several with & or with | between them")
_LICENSES = _Kind("licenses", licenses, "a list of licences")
_EXCLUDE = _Kind("exclude", host_list, "a list of nodes")
_GRES = _Kind("gres", gres_request, "one kind of device with its count")
_GPUS = _Kind("gres", _gpus, "a number of GPUs")
_CORES = _Kind("cores", whole, "a number of cores")
_MEMORY = _Kind(
    "memory_mb",
    megabytes,
    "an amount of memory (0 is all that a node has: write how much that is as memory_mb)",
)
_PER_CORE = _Kind("memory_per_core", megabytes, "an amount of memory")
_PER_GPU = _Kind("memory_per_gpu", megabytes, "an amount of memory")
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
    "licenses": _LICENSES,
    "exclude": _EXCLUDE,
    "gres": _GRES,
    "gpus": _GPUS,
    "gpus-per-node": _GPUS,
    "cpus-per-task": _CORES,
    "mem": _MEMORY,
    "mem-per-cpu": _PER_CORE,
    "mem-per-gpu": _PER_GPU,
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
    "exclusive": "a slice is a part of a node; for a whole one write all its cores and memory",
    "nodes": "a session runs on one node",
    "ntasks": "a session is one task; write what all of them have as cores and memory_mb",
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
    "cpus-per-gpu": "a slice names its cores as a whole; write GPUs times this as cores",
}
_AS_SLICES_ARE = {("nodes", "1"), ("ntasks", "1"), ("ntasks-per-node", "1")}
_NO_FIELD = "a slice has no field for it; a QOS or a reservation can often do the same"
_TRAIT_REASONS = {
    "queue": "Slurm has partitions",
    "host": "Slurm's own configuration says where it is",
    "cluster": "one site file describes one Slurm",
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

    Fields of a slice to their values, among `FOR_A_SLICE`. Of `req_options` the flags for these count;
    `skiva migrate` tells what of it does not.
    """
    named = {f"req_{name.removeprefix('req_')}": value for name, value in req.items()}
    fields = wish({name: value for name, value in named.items() if name in CARRIED}).fields
    return {name: str(fields[name]) for name in FOR_A_SLICE if name in fields}


def wish(req: Mapping[str, object], directives: str = "") -> Wish:
    """Read `req_*` settings, named with or without `req_`, and a script's fixed #SBATCH lines.

    Settings win over the lines, and `options` wins over other settings, as in batchspawner's script.
    """
    asked = _Asked()
    asked.take_options(directives)
    named = {name.removeprefix("req_"): value for name, value in req.items()}
    for name in sorted(named, key=lambda n: (n == "options", n == "gres")):
        text, kind = "" if named[name] is None else str(named[name]), _TRAITS.get(name)
        if name == "options":
            asked.take_options(text)
        elif text.strip() and kind is None:
            reason = _TRAIT_REASONS.get(name, "it is not one of batchspawner's own settings")
            asked.notes.append(left(f"req_{name}", reason))
        elif text.strip() and kind is not None:
            asked.take(kind, text, f"req_{name}")
    return Wish(asked.fields, tuple(asked.notes), asked.no_device)


class _Asked:
    """What was read so far, and which setting said it."""

    def __init__(self) -> None:
        self.fields: dict[str, Value] = {}
        self.notes: list[str] = []
        self.no_device = ""
        self._said: dict[str, str] = {}

    def take_options(self, text: str) -> None:
        """Read sbatch options as they stand in `req_options` or on a script's #SBATCH lines."""
        for name, value in _flags(text, self.notes):
            kind = _FLAGS.get(name)
            if kind is not None:
                self.take(kind, value, f"--{name}")
            elif (name, value) not in _AS_SLICES_ARE:
                self.notes.append(left(f"--{name}", _REASONS.get(name, _NO_FIELD)))

    def take(self, kind: _Kind, text: str, said: str) -> None:
        """Read one value; what it displaces is told, and what it cannot be, too."""
        if kind is _GRES:
            text = self._only_devices(text, said)
        value = kind.read(text)
        said = f"{said} = {short(text)}"
        if value is None:
            self.notes.append(left(said, f"it is not {kind.what}"))
            if kind.field == "gres":
                self.no_device = short(text)
            return
        if self.fields.get(kind.field, value) != value:
            self.notes.append(left(self._said[kind.field], f"{said} has the last word"))
        self.fields[kind.field], self._said[kind.field] = value, said
        if kind.field == "gres":
            self.no_device = ""

    def _only_devices(self, text: str, said: str) -> str:
        """Leave the GPUs of a list; what else is asked for stands beside them."""
        entries = [entry.strip() for entry in text.split(",")]
        devices = [e for e in entries if any(found.name in DEVICES for found in parse_gres(e))]
        if not devices:
            return text
        others = [
            extra_gres(entry) or self._no_gres(entry, said) for entry in entries if entry not in devices
        ]
        self.fields["extra_gres"] = ",".join(dict.fromkeys(filter(None, others)))
        return ",".join(devices)

    def _no_gres(self, entry: str, said: str) -> str:
        if entry:
            self.notes.append(left(f"{short(entry)} of {said}", "it is no gres with its count"))
        return ""


def _flags(text: str, notes: list[str]) -> Iterator[tuple[str, str]]:
    for line in text.splitlines():
        try:
            words = shlex.split(line.strip().removeprefix("#SBATCH"), comments=True)
        except ValueError:
            notes.append(left(short(line), "its quotes do not match"))
            continue
        while words:
            yield from _flag(words, notes)


def _flag(words: list[str], notes: list[str]) -> Iterator[tuple[str, str]]:
    """Take one option, with its value, from the front of `words`."""
    word = words.pop(0)
    long = re.fullmatch(r"--([a-z][a-z-]*)(?:=(.*))?", word, re.DOTALL)
    letter = re.fullmatch(r"-([A-Za-z])=?(.*)", word, re.DOTALL)
    if long:
        name, value = long[1], long[2]
    elif letter:
        name, value = _LETTERS.get(letter[1], letter[1]), letter[2] or None
    else:
        notes.append(left(short(word), "it is not an sbatch option"))
        return
    if value is None and name not in _BARE and words and not words[0].startswith("-"):
        value = words.pop(0)
    yield name, value or ""


def left(said: str, reason: str) -> str:
    """The sentence for what was not carried over."""
    return f"{said} was not carried over, because {reason}."


def short(text: str) -> str:
    """A text that fits into a line of notes."""
    clean = "".join(c if c.isprintable() else " " for c in text).strip()
    return clean if len(clean) <= 60 else clean[:57] + "..."


VARIABLES = frozenset({*_TRAITS, *_TRAIT_REASONS, "options", "cmd"})
"""What stock batchspawner fills into a script, without `req_`."""
