"""Values as Slurm's users write them, read into the site file's units; what cannot be read is None."""

import math
import re

from pydantic import TypeAdapter, ValidationError

from skiva_hub.site_types import GresRequest, SlurmName
from skiva_slurm.gres import parse_gres
from skiva_slurm.wishes import Constraint, ExtraGres, HostList, Licenses, Partitions

_NAME: TypeAdapter[str] = TypeAdapter(SlurmName)
_GRES: TypeAdapter[str] = TypeAdapter(GresRequest)
_EXTRA_GRES: TypeAdapter[str] = TypeAdapter(ExtraGres)
_PARTITIONS: TypeAdapter[str] = TypeAdapter(Partitions)
_CONSTRAINT: TypeAdapter[str] = TypeAdapter(Constraint)
_LICENSES: TypeAdapter[str] = TypeAdapter(Licenses)
_HOST_LIST: TypeAdapter[str] = TypeAdapter(HostList)
_UNITS = {"K": 1 / 1024, "M": 1.0, "": 1.0, "G": 1024.0, "T": 1024.0 * 1024}


def slurm_name(text: str) -> str | None:
    """One name of an account, QOS or reservation."""
    return _valid(_NAME, text)


def partitions(text: str) -> str | None:
    """A --partition value."""
    return _valid(_PARTITIONS, text)


def constraint(text: str) -> str | None:
    """A --constraint value: features, all of which or any of which are wanted."""
    return _valid(_CONSTRAINT, text)


def licenses(text: str) -> str | None:
    """A --licenses value."""
    return _valid(_LICENSES, text)


def host_list(text: str) -> str | None:
    """An --exclude value that is no file."""
    return _valid(_HOST_LIST, text)


def extra_gres(text: str) -> str | None:
    """A part of a --gres value that is no device, with its count."""
    return _valid(_EXTRA_GRES, text) or _valid(_EXTRA_GRES, f"{text.strip()}:1")


def gres_request(text: str) -> str | None:
    """A --gres or --gpus value of one kind, with its count: `gpu` is `gpu:1`, `gpu:a100` is `gpu:a100:1`."""
    found = parse_gres(text.strip().removeprefix("gres:"))
    return _valid(_GRES, str(found[0])) if len(found) == 1 else None


def whole(text: str) -> int | None:
    """A positive whole number."""
    stripped = text.strip()
    return int(stripped) if re.fullmatch(r"0*[1-9][0-9]{0,8}", stripped, re.ASCII) else None


def megabytes(text: str) -> int | None:
    """Megabytes of a --mem value, which counts in megabytes unless it has a unit."""
    match = re.fullmatch(r"([0-9]{1,12})(?:([KMGT])i?B?)?", text.strip().upper(), re.ASCII)
    if match is None:
        return None
    return math.ceil(int(match[1]) * _UNITS[match[2] or ""]) or None


def hours(text: str) -> float | None:
    """Hours of a --time value: minutes, minutes:seconds, h:m:s, days-h, days-h:m, days-h:m:s."""
    match = re.fullmatch(r"(?:([0-9]{1,4})-)?([0-9]{1,7}(?::[0-9]{1,7}){0,2})", text.strip(), re.ASCII)
    if match is None:
        return None
    parts = [int(part) for part in match[2].split(":")]
    if match[1] is not None or len(parts) == 3:
        h, m, s = (*parts, 0, 0)[:3]
    else:
        h, (m, s) = 0, (*parts, 0)[:2]
    total = int(match[1] or 0) * 24 + h + m / 60 + s / 3600
    return round(total, 4) if total >= 1 / 60 else None


def _valid(adapter: TypeAdapter[str], text: str) -> str | None:
    try:
        return adapter.validate_python(text.strip())
    except ValidationError:
        return None
