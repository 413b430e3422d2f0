"""What a person asks for when they start a cluster, and what follows from it. Pure but for `lacks`."""

import re
from collections.abc import Collection
from importlib.util import find_spec
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, ValidationError

from skiva.dask.spec import ClusterSpec, devices_of
from skiva.runs.ids import is_run_id
from skiva.runs.offer import pick_slice
from skiva.runs.wish import BadWish, checked
from skiva_images.launch import Launch
from skiva_slurm.offer import Offer, SliceOffer

__all__ = ["ClusterWish", "cluster_wish", "default_lifetime", "lacks", "spec_of"]

_WORKERS = 10_000
_NEEDS = {
    "slice": "must be the id of a slice, such as '1g.10gb'",
    "name": "must be a text of 1 to 60 characters without line breaks",
    "workers": f"must be a whole number from 0 to {_WORKERS}",
    "minimum": f"must be a whole number from 0 to {_WORKERS}",
    "maximum": f"must be a whole number from 1 to {_WORKERS}",
    "hours": "must be a number of hours above 0 and of at most a year, such as 4 or 0.5",
    "lifetime": "must be a number of seconds above 0, or a text such as '55m' or '1h30m'",
    "processes": "must be a whole number from 1 to 64",
    "cuda": "must be True or False",
    "detached": "must be True or False",
    "key": "must be a text of at most 200 characters",
}
_LEAST_MARGIN, _MOST_MARGIN = 60.0, 600.0
"""Seconds that are left of a job, at least and at most, when its workers are to be replaced."""
_SHORT = 120
"""Seconds: of jobs that last no longer, half."""
_PART = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)\s*(d|h|m|s)[a-z]*\s*")
_SECONDS = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0}

_Number = Annotated[StrictInt, Field(ge=0, le=_WORKERS)]


class ClusterWish(BaseModel):
    """The options of `skiva.cluster()`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[
        str, Field(strict=True, min_length=1, max_length=60, pattern=r"\A[^\x00-\x1f\x7f\u2028\u2029]*\z")
    ] = ""
    slice: Annotated[str, Field(strict=True, max_length=60)] | None = None
    workers: _Number | None = None
    minimum: _Number | None = None
    maximum: Annotated[StrictInt, Field(ge=1, le=_WORKERS)] | None = None
    hours: Annotated[float, Field(gt=0, le=24 * 366, allow_inf_nan=False)] | None = None
    lifetime: Annotated[float, Field(gt=0, allow_inf_nan=False)] | None = None
    processes: Annotated[StrictInt, Field(ge=1, le=64)] | None = None
    cuda: StrictBool | None = None
    detached: StrictBool = False
    key: Annotated[str, Field(strict=True, max_length=200)] = ""


def cluster_wish(**given: Any) -> ClusterWish:
    """The wish that these options spell; None leaves an option to its default.

    Raises:
        BadWish: names the field.
    """
    if isinstance(given.get("lifetime"), str):
        given["lifetime"] = _seconds(given["lifetime"])
    elif isinstance(given.get("lifetime"), bool):
        raise BadWish(f"lifetime: {_NEEDS['lifetime']}")
    wish = checked(ClusterWish, _NEEDS, given)
    if wish.name != wish.name.strip() or is_run_id(wish.name):
        raise BadWish("name: must begin and end with a letter or a sign, and not look like a cluster's id")
    if wish.minimum is not None and wish.maximum is None:
        raise BadWish("maximum: must be there too where a minimum is")
    if wish.maximum is not None and wish.maximum < (wish.minimum or 0):
        raise BadWish(f"maximum: must be at least the minimum, {wish.minimum}")
    if wish.maximum is not None and wish.workers is not None:
        least = wish.minimum or 0
        if not least <= wish.workers <= wish.maximum:
            raise BadWish(f"workers: must be from {least} to {wish.maximum}, between which it adapts")
    return wish


def _seconds(text: str) -> float:
    left, total = text.strip().lower(), 0.0
    while found := _PART.match(left):
        total, left = total + float(found[1]) * _SECONDS[found[2]], left[found.end() :]
    if left or not total:
        raise BadWish(f"lifetime: {_NEEDS['lifetime']}")
    return total


def lacks(cuda: bool) -> str:
    """What this Python lacks for a cluster, as one sentence; empty where it has all of it."""
    if missing := _missing("distributed", "dask_jobqueue", "cryptography", "bokeh"):
        return f"This environment has no {missing}: install skiva[dask] in it and restart the kernel."
    if cuda and (missing := _missing("dask_cuda", "cuda.bindings")):
        return (
            f"cuda: this environment has no {missing}: install skiva[dask-cuda] in it and restart the "
            "kernel, or ask with cuda=False for workers that do not use the GPUs"
        )
    return ""


def _missing(*names: str) -> str:
    for name in names:
        try:
            there = find_spec(name) is not None
        except (ImportError, ValueError):
            there = False
        if not there:
            return name.replace("_", "-").replace("cuda.", "cuda-")
    return ""


def spec_of(
    wish: ClusterWish,
    offer: Offer,
    *,
    id: str,  # noqa: A002 - what it is called everywhere
    now: float,
    python: str,
    cwd: str,
    sys_path: tuple[str, ...] = (),
    taken: Collection[str] = (),
) -> ClusterSpec:
    """The cluster that a wish leads to at this site.

    Args:
        python: the Python of its workers, and of its scheduler where that is detached.
        taken: the names of the person's other clusters.

    Raises:
        BadWish: names the field.
    """
    picked = _picked(offer, wish.slice)
    cuda = devices_of(picked) > 0 if wish.cuda is None else wish.cuda
    processes = _processes(wish, picked, cuda=cuda)
    workers = wish.workers
    if workers is None:
        workers = processes if wish.maximum is None else (wish.minimum or 0)
    hours = _hours(wish, offer)
    return ClusterSpec(
        id=id,
        name=_name(wish.name, picked, taken),
        created=now,
        hub=offer.hub,
        slice=picked,
        environment=_environment(offer, python),
        bin=offer.bin,
        conf=offer.conf,
        dask=offer.dask,
        workers=workers,
        minimum=None if wish.maximum is None else (wish.minimum or 0),
        maximum=wish.maximum,
        processes=processes,
        cuda=cuda,
        hours=hours,
        lifetime=_lifetime(wish, hours),
        detached=wish.detached,
        scheduler_hours=max(hours, min(offer.dask.max_hours, offer.max_hours)) if wish.detached else 0.0,
        cwd=cwd,
        sys_path=sys_path,
    )


def default_lifetime(minutes: int) -> float:
    """Seconds after which the workers of a job that lasts so long are replaced, early enough to hand over."""
    seconds = minutes * 60
    if seconds <= _SHORT:
        return seconds / 2
    return seconds - min(_MOST_MARGIN, max(_LEAST_MARGIN, seconds / 10))


def _picked(offer: Offer, wanted: str | None) -> SliceOffer:
    try:
        return pick_slice(offer, wanted)
    except ValueError as problem:
        raise BadWish(str(problem)) from None


def _processes(wish: ClusterWish, picked: SliceOffer, *, cuda: bool) -> int:
    devices = devices_of(picked)
    if cuda and not devices:
        raise BadWish(f"cuda: the slice {picked.id!r} has no GPU of its own; choose another, or cuda=False")
    if cuda and wish.processes not in {None, devices}:
        raise BadWish(
            f"processes: on the slice {picked.id!r} there is one worker for each GPU, {devices} a job"
        )
    if cuda:
        return devices
    if (wish.processes or 1) > picked.cores:
        raise BadWish(
            f"processes: the slice {picked.id!r} has {picked.cores} cores, so at most {picked.cores}"
        )
    return wish.processes or 1


def _hours(wish: ClusterWish, offer: Offer) -> float:
    most = offer.dask.max_hours
    hours = min(offer.dask.hours, most) if wish.hours is None else wish.hours
    if hours > most:
        raise BadWish(f"hours: at most {most:g} are possible for a worker's job, not {hours:g}")
    return hours


def _lifetime(wish: ClusterWish, hours: float) -> float:
    minutes = max(1, round(hours * 60))
    if wish.lifetime is None:
        return default_lifetime(minutes)
    if wish.lifetime >= minutes * 60:
        raise BadWish(f"lifetime: must be less than the {minutes * 60} seconds that a worker's job lasts")
    return wish.lifetime


def _name(wanted: str, picked: SliceOffer, taken: Collection[str]) -> str:
    if not wanted:
        numbered = (f"{picked.id}-{number}" for number in range(2, len(taken) + 3))
        return next(name for name in (picked.id, *numbered) if name not in taken)
    if wanted in taken:
        raise BadWish(
            f"name: you have a cluster called {wanted!r} already; skiva.cluster({wanted!r}) attaches to it"
        )
    return wanted


def _environment(offer: Offer, python: str) -> Any:
    try:
        launch = Launch.model_validate({**offer.environment.launch, "python": python})
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise BadWish(f"environment: {'.'.join(map(str, first['loc']))}: {first['msg']}") from None
    return offer.environment.model_copy(update={"launch": launch.model_dump(mode="json", exclude_none=True)})
