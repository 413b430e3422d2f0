"""From what was picked to sbatch's command line. Pure: nothing here runs anything.

No text from a user or an operator reaches the script, and every option is one argument of its own,
`--name=value`, whose value cannot hold a line break, a control character or a second option.
"""

import re
import shlex
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, StrictInt, StringConstraints

from skiva_slurm.refusal import parse_job_id, refusal, submitted
from skiva_slurm.tags import ClusterTag, RunTag, Tag
from skiva_slurm.wishes import Constraint, ExtraGres, HostList, Licenses, Partitions

__all__ = ["JobRequest", "parse_job_id", "refusal", "sbatch_options", "script", "submitted"]


def _tag(text: str) -> str:
    if not any(kind.parse(text) for kind in (Tag, RunTag, ClusterTag)):
        raise ValueError("must be a tag of a session, a run or a cluster, such as skiva-run:<run>")
    return text


def _path(text: str) -> str:
    if not text.startswith("/") or len(text) > 1024 or not text.isprintable() or "\\" in text:
        raise ValueError("must be an absolute path without line breaks, control characters and backslashes")
    return text


def _command(words: tuple[str, ...]) -> tuple[str, ...]:
    if not re.fullmatch(r"[A-Za-z0-9_./+][A-Za-z0-9_./+-]*", words[0]):
        raise ValueError("must begin with a program: letters, digits and / _ . + - only")
    if any("\0" in word for word in words):
        raise ValueError("must have no NUL")
    return words


_Name = Annotated[str, StringConstraints(pattern=r"\A[A-Za-z0-9][A-Za-z0-9_.:@+-]{0,63}\z")]
_GresRequest = Annotated[
    str, StringConstraints(pattern=r"\A[a-z][a-z0-9_]*(:[A-Za-z0-9][A-Za-z0-9_.+-]*)?:[1-9][0-9]{0,3}\z")
]


class JobRequest(BaseModel):
    """All that decides the job of a session or a run. What does not fit is refused with the field's name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: _Name = "skiva"
    """The same for every session, so that the queue shows nothing of what people do; a run's as they like."""
    tag: Annotated[str, AfterValidator(_tag)]
    partition: Partitions
    gres: _GresRequest | None = None
    extra_gres: tuple[ExtraGres, ...] = ()
    """What is asked for beside the device, on the same node."""
    cores: Annotated[StrictInt, Field(ge=1, le=4096)]
    memory_mb: Annotated[StrictInt, Field(ge=1, le=64 * 1024 * 1024)]
    minutes: Annotated[StrictInt, Field(ge=1, le=60 * 24 * 366)]
    account: _Name | None = None
    qos: _Name | None = None
    constraint: Constraint | None = None
    reservation: _Name | None = None
    licenses: Licenses | None = None
    exclude: HostList | None = None
    output: Annotated[str, AfterValidator(_path)]
    """The job's log; taken literally, `%` too, but for a last part of `%a.log`: an array's task's number."""
    chdir: Annotated[str, AfterValidator(_path)]
    warn_seconds: Annotated[StrictInt, Field(ge=1, le=65535)] = 120
    """How long before its end the session is told by SIGUSR1, so that it can save."""
    requeue: StrictBool = False
    tasks: Annotated[StrictInt, Field(ge=1, le=4_000_000)] | None = None
    """Makes it an array of so many tasks, from 0."""
    at_once: Annotated[StrictInt, Field(ge=1, le=4_000_000)] | None = None
    """How many tasks of the array may run at the same time; None leaves that to Slurm."""
    command: Annotated[tuple[str, ...], Field(min_length=1), AfterValidator(_command)]
    """What the job runs, word for word: its environment's Python with a module of ours, however entered."""


def sbatch_options(request: JobRequest) -> list[str]:
    """The arguments that follow `sbatch`; the script goes to its standard input.

    The warning comes `warn_seconds` before the end, though in a short session not before half of it is
    over; Slurm may send it up to a minute early.
    """
    warn = min(request.warn_seconds, request.minutes * 30)
    options = {
        "job-name": request.name,
        "comment": request.tag,
        "partition": request.partition,
        "gres": ",".join(filter(None, [request.gres, *request.extra_gres])) or None,
        "nodes": 1,
        "ntasks": 1,
        "cpus-per-task": request.cores,
        "mem": f"{request.memory_mb}M",
        "time": request.minutes,
        "output": _output(request),
        "chdir": request.chdir,
        "signal": f"B:USR1@{warn}",
        "open-mode": "append",
        "export": "ALL",
        "account": request.account,
        "qos": request.qos,
        "constraint": request.constraint,
        "reservation": request.reservation,
        "licenses": request.licenses,
        "exclude": request.exclude,
        "array": _array(request),
    }
    flags = ["--parsable", "--requeue" if request.requeue else "--no-requeue"]
    return flags + [f"--{name}={value}" for name, value in options.items() if value is not None]


def _output(request: JobRequest) -> str:
    if request.tasks is None or not request.output.endswith("/%a.log"):
        return request.output.replace("%", "%%")
    return request.output.removesuffix("/%a.log").replace("%", "%%") + "/%a.log"


def _array(request: JobRequest) -> str | None:
    if request.tasks is None:
        return None
    return f"0-{request.tasks - 1}" + (f"%{request.at_once}" if request.at_once else "")


def script(request: JobRequest) -> str:
    """The batch script: nothing in it but the environment's command line differs from job to job.

    The warning signal is ignored until the launcher listens to it, or it would end a session that is
    just starting.
    """
    return f"#!/bin/sh\ntrap '' USR1\nexec {shlex.join(request.command)}\n"
