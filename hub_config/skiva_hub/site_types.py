"""The kinds of values in a site file, and which names in it must fit together."""

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, Strict, StringConstraints
from pydantic_core import PydanticCustomError

from skiva_slurm import wishes


def wrong(what: str, cure: str) -> PydanticCustomError:
    """A mistake in the site file: what is wrong, and how to mend it."""
    return PydanticCustomError("site", "{what}; {cure}", {"what": what, "cure": cure})


def has_controls(text: str) -> bool:
    """Whether there are control characters (NUL, newline, escape …) in a text."""
    return any(ord(c) < 32 or ord(c) == 127 for c in text)


def is_plain(url: str) -> bool:
    """Whether an address is http:// to another machine; raises a mistake where it is no address at all."""
    cure = 'write e.g. api_url = "https://hub.example.org/hub/api"'
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise wrong("is not an address", cure) from None
    if parts.scheme not in {"http", "https"} or not host or re.search(r"[\s\x00-\x1f\x7f]", url):
        raise wrong("must be an http:// or https:// address", cure)
    return parts.scheme == "http" and host not in {"127.0.0.1", "localhost", "::1"}


def _absolute(path: Path) -> Path:
    if not path.is_absolute() or ".." in path.parts or has_controls(str(path)):
        raise wrong("must be an absolute path", "write the whole path, beginning with / and without ..")
    return path


def _plain(path: Path) -> Path:
    if not re.fullmatch(r"/[A-Za-z0-9_.+/-]{1,1023}", str(path)):
        raise wrong("may have only letters, digits and / _ . + -", "install it below a path without others")
    return path


_SET_FOR_EACH_JOB = re.compile(
    r"(JUPYTERHUB|JPY|SKIVA|SLURM|SBATCH)_.*|HOME|USER|LOGNAME|SHELL|TMPDIR|CUDA_(VISIBLE_DEVICES|DEVICE_ORDER)"
)


def _can_be_set(variables: dict[str, str]) -> dict[str, str]:
    for name in variables:
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,99}", name):
            raise wrong(f"{name[:60]!r} cannot be a variable", "write letters, digits and _ only")
        if _SET_FOR_EACH_JOB.fullmatch(name):
            raise wrong(f"{name} is set for each session or job", f"remove {name}")
    return variables


_ID = r"\A[A-Za-z0-9][A-Za-z0-9_.-]{0,39}\z"
_DEVICES = r"\A/[^\x00-\x1f\x7f]{1,400}\z"
_SLURM_NAME = r"\A[A-Za-z0-9][A-Za-z0-9_.:@+-]{0,63}\z"
_GRES = r"\A[a-z][a-z0-9_]*(:[A-Za-z0-9][A-Za-z0-9_.+-]*)?:[1-9][0-9]{0,3}\z"
_ONE_LINE = r"\A[^\x00-\x1f\x7f]*\z"
_LINES = r"\A[^\x00-\x08\x0b-\x1f\x7f]*\z"
_HUB_ID = r"\A[a-z0-9]{1,16}\z"
_ADDRESS = r"\A[A-Za-z0-9.:_%-]{0,255}\z"
_NAME = r"\A[^\s\x00-\x1f\x7f]{1,255}\z"

PATTERNS_IN_WORDS = {
    _ID: "must be 1 to 40 letters, digits or _ . -, the first a letter or digit",
    _SLURM_NAME: "must be 1 to 64 letters, digits or _ . : @ + -, the first a letter or digit",
    _GRES: "must be name:count or name:type:count",
    wishes.PARTITIONS: "must be a partition, or several with commas and without spaces",
    wishes.CONSTRAINT: "must be a feature, or several with & (all of them) or with | (any of them)",
    wishes.LICENSES: "must be name, name:count or name@server:count, several with commas and without spaces",
    wishes.HOST_LIST: "must be names of nodes, as in gpu[01-03],n7",
    wishes.EXTRA_GRES: "must be name:count or name:type:count, the count with K, M, G or T if need be",
    _ONE_LINE: "must be one line without control characters",
    _LINES: "must have no control characters",
    _DEVICES: "must be the path of device files, beginning with /",
    _HUB_ID: "must be 1 to 16 small letters or digits",
    _ADDRESS: "must be an address or a name of a machine",
    _NAME: "must be one name without spaces",
}

DEVICES = frozenset({"gpu", "shard", "mps"})
"""Generic resources that are GPUs or parts of GPUs."""
HELPER = ["sudo", "-n", "-H", "-u", "{user}", "--", "/usr/local/lib/skiva/libexec/skiva-act"]
"""The helper's command line as the manual has it."""

Id = Annotated[str, StringConstraints(pattern=_ID)]
"""What people and scripts call a slice or an environment."""

SlurmName = Annotated[str, StringConstraints(pattern=_SLURM_NAME)]
"""The name of something in Slurm: a partition, QOS, account, reservation."""

GresRequest = Annotated[str, StringConstraints(pattern=_GRES)]
"""What is asked of Slurm's --gres for one session, e.g. `gpu:1g.10gb:1`."""

Title = Annotated[
    str, StringConstraints(min_length=1, max_length=80, strip_whitespace=True, pattern=_ONE_LINE)
]
Text = Annotated[str, StringConstraints(max_length=400, strip_whitespace=True, pattern=_LINES)]
Name = Annotated[str, StringConstraints(pattern=_NAME)]
"""A user or a group of the hub."""
DevicePattern = Annotated[str, StringConstraints(pattern=_DEVICES)]
"""A glob pattern of device files, e.g. `/dev/nvidia[0-9]*`."""
HubId = Annotated[str, StringConstraints(pattern=_HUB_ID)]
Address = Annotated[str, StringConstraints(pattern=_ADDRESS)]
Value = Annotated[str, StringConstraints(max_length=4096, pattern=_ONE_LINE)]
"""What a variable is set to."""
Variables = Annotated[dict[str, Value], AfterValidator(_can_be_set)]
"""Names of environment variables to their values."""
Whole = Annotated[int, Strict()]
Number = Annotated[float, Strict()]
SomeHours = Annotated[Number, Field(gt=0, le=24 * 30)]
Flag = Annotated[bool, Strict()]
FullPath = Annotated[Path, AfterValidator(_absolute)]
PlainPath = Annotated[Path, AfterValidator(_absolute), AfterValidator(_plain)]
"""A path that stands in a job's script as it is."""

Misfit = tuple[tuple[str | int, ...], str, str]
"""Where names do not fit together, what is wrong, and the cure."""


def misfits(
    partitions: Sequence[str], slices: Sequence[tuple[str, str | None]], environments: Sequence[str]
) -> Iterator[Misfit]:
    """What does not fit between the tables; names as the file has them, slices as (id, partition)."""
    offered = ", ".join(dict.fromkeys(partitions))
    for i, (_, wanted) in enumerate(slices):
        missing = [name for name in (wanted or "").split(",") if name not in partitions]
        if wanted is not None and missing:
            yield (
                ("slice", i, "partition"),
                f"{missing[0]!r} is not among the file's partitions",
                f"write one of {offered}, or add a [[partition]] named {missing[0]!r}",
            )
    yield from _twice("partition", "name", partitions)
    yield from _twice("slice", "id", [slice_id for slice_id, _ in slices])
    yield from _twice("environment", "id", environments)


def _twice(table: str, key: str, names: Iterable[str]) -> Iterator[Misfit]:
    seen = set[str]()
    for i, name in enumerate(names):
        if name in seen:
            yield (table, i, key), f"{name!r} is there twice", f"give each [[{table}]] its own {key}"
        seen.add(name)
