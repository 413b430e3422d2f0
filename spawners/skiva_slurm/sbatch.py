"""From what was picked to sbatch's command line. Pure: nothing here runs anything.

No text from a user or an operator reaches the script, and every option is one argument of its own,
`--name=value`, whose value cannot hold a line break, a control character or a second option.
"""

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StrictBool, StrictInt, StringConstraints

from skiva_slurm.tags import Tag

__all__ = ["JobRequest", "parse_job_id", "refusal", "sbatch_options", "script"]


def _tag(text: str) -> str:
    if Tag.parse(text) is None:
        raise ValueError("must be a tag, skiva:<hub>:<owner>:<nonce>")
    return text


def _path(text: str) -> str:
    if not text.startswith("/") or len(text) > 1024 or not text.isprintable() or "\\" in text:
        raise ValueError("must be an absolute path without line breaks, control characters and backslashes")
    return text


def _plain_path(text: str) -> str:
    if not re.fullmatch(r"/[A-Za-z0-9_.+/-]{1,1023}", text):
        raise ValueError("must be an absolute path of letters, digits and _ . + - only")
    return text


_Name = Annotated[str, StringConstraints(pattern=r"\A[A-Za-z0-9][A-Za-z0-9_.:@+-]{0,63}\z")]
_GresRequest = Annotated[
    str, StringConstraints(pattern=r"\A[a-z][a-z0-9_]*(:[A-Za-z0-9][A-Za-z0-9_.+-]*)?:[1-9][0-9]{0,3}\z")
]


class JobRequest(BaseModel):
    """Everything that decides a session's job. Whatever does not fit is refused with the field's name."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: _Name = "skiva"
    """The same for every job, so that the queue shows nothing of what people do."""
    tag: Annotated[str, AfterValidator(_tag)]
    partition: _Name
    gres: _GresRequest | None = None
    cores: Annotated[StrictInt, Field(ge=1, le=4096)]
    memory_mb: Annotated[StrictInt, Field(ge=1, le=64 * 1024 * 1024)]
    minutes: Annotated[StrictInt, Field(ge=1, le=60 * 24 * 366)]
    account: _Name | None = None
    qos: _Name | None = None
    constraint: _Name | None = None
    reservation: _Name | None = None
    output: Annotated[str, AfterValidator(_path)]
    """The job's log; taken literally, `%` too."""
    chdir: Annotated[str, AfterValidator(_path)]
    warn_seconds: Annotated[StrictInt, Field(ge=1, le=65535)] = 120
    """How long before its end the session is told by SIGUSR1, so that it can save."""
    requeue: StrictBool = False
    python: Annotated[str, AfterValidator(_plain_path)]
    """The environment's Python, which runs the launcher."""


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
        "gres": request.gres,
        "nodes": 1,
        "ntasks": 1,
        "cpus-per-task": request.cores,
        "mem": f"{request.memory_mb}M",
        "time": request.minutes,
        "output": request.output.replace("%", "%%"),
        "chdir": request.chdir,
        "signal": f"B:USR1@{warn}",
        "open-mode": "append",
        "export": "ALL",
        "account": request.account,
        "qos": request.qos,
        "constraint": request.constraint,
        "reservation": request.reservation,
    }
    flags = ["--parsable", "--requeue" if request.requeue else "--no-requeue"]
    return flags + [f"--{name}={value}" for name, value in options.items() if value is not None]


def script(request: JobRequest) -> str:
    """The batch script: nothing in it but the environment's Python differs from job to job.

    The warning signal is ignored until the launcher listens to it, or it would end a session that is
    just starting.
    """
    return f"#!/bin/sh\ntrap '' USR1\nexec {request.python} -I -m skiva.session\n"


def parse_job_id(stdout: str) -> int | None:
    """The job's number from `sbatch --parsable` (`123` or `123;cluster`), None where there is none."""
    found = re.fullmatch(r"([1-9][0-9]{0,9})(;[A-Za-z0-9_.-]{1,64})?\s*", _last_line(stdout))
    return int(found[1]) if found else None


_NOISE = re.compile(r"^(?:sbatch|scancel|scontrol|srun): (?:error: )?(?:Batch job submission failed: )?")
_SENTENCES = {
    "Invalid account or account/partition combination specified": (
        "Your account may not use this partition: choose another slice, or ask the operators for access."
    ),
    "Invalid partition name specified": (
        "Slurm does not know the partition of this slice any more: choose another slice."
    ),
    "User's group not permitted to use this partition": (
        "You are not in a group that may use this partition: choose another slice."
    ),
    "Invalid qos specification": "You may not use this quality of service: choose another slice.",
    "Invalid generic resource (gres) specification": (
        "This cluster does not have such a device any more: choose another slice."
    ),
    "Requested node configuration is not available": (
        "No node of this partition has so many devices, cores and so much memory: choose a smaller slice."
    ),
    "Requested time limit is invalid (missing or exceeds some limit)": (
        "This partition does not allow so many hours: choose fewer."
    ),
    "Requested reservation is invalid": "The reservation of this slice does not exist or is over.",
    "Access denied to requested reservation": "The reservation of this slice is not open to you.",
    "Job violates accounting/QOS policy (job submit limit, user's size and/or time limits)": (
        "This would exceed what you may have in the queue: end one of your sessions, or choose less."
    ),
}


def refusal(stderr: str) -> str:
    """One plain sentence from what sbatch wrote when it refused, ending with Slurm's own words."""
    lines = [line for line in stderr[:65536].splitlines() if line.strip()]
    last = next((line for line in reversed(lines) if "failed" in line or "error" in line.lower()), "")
    words = _printable(_NOISE.sub("", last or (lines[-1] if lines else "")).strip())
    if not words:
        return "Slurm refused the job and did not say why."
    known = next((sentence for phrase, sentence in _SENTENCES.items() if words.startswith(phrase)), None)
    return f"{known} (Slurm: {words})" if known else f"Slurm refused the job: {words}"


def _printable(text: str) -> str:
    return "".join(letter if letter.isprintable() else " " for letter in text)[:400]


def _last_line(text: str) -> str:
    lines = text[-4096:].split("\n")
    return next((line for line in reversed(lines) if line.strip()), "")
