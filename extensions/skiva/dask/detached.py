"""A scheduler as a job of its own: the cluster stays when its kernel goes. Needs no Dask itself."""

import os
import time
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from skiva.dask.ending import note_closed
from skiva.dask.listing import names_taken
from skiva.dask.making import claims, make
from skiva.dask.place import ClusterDir, clusters_dir
from skiva.dask.spec import ClusterSpec
from skiva.dask.wish import cluster_wish, spec_of
from skiva.runs.environment import travelling
from skiva.runs.files import write_json
from skiva.runs.ids import new_run_id
from skiva.runs.offer import find_offer, pick_slice
from skiva.runs.slurm import Slurm, wait_for
from skiva.runs.submit import NotSubmitted
from skiva.runs.wish import BadWish, job_name
from skiva_images.launch import Launch, command_line
from skiva_slurm.errors import Refused, SlurmUnanswered
from skiva_slurm.offer import Offer, SliceOffer
from skiva_slurm.sbatch import JobRequest, sbatch_options, script
from skiva_slurm.tags import ClusterTag

__all__ = ["request", "start", "submit"]

_MEMORY_MB = 2048
"""Of a scheduler; it has the graph of the work, not its data."""
_WARN_SECONDS = 60


def start(
    *,
    slice: str | None = None,  # noqa: A002 - what it is called everywhere
    workers: int | None = None,
    name: str | None = None,
    hours: float | None = None,
    minimum: int | None = None,
    maximum: int | None = None,
    key: str | None = None,
) -> ClusterDir:
    """Make a cluster in the session's own environment, and hand its scheduler to Slurm; waits for no job.

    Args:
        key: asked for once more with the same key while that one lives, it gives the first one.

    Raises:
        BadWish: names the field; nothing was written or submitted.
        NoOffer: no site is known here.
        NotSubmitted: Slurm refused, or did not answer.
        OSError: its files could not be written.
    """
    wish = cluster_wish(
        slice=slice,
        workers=workers,
        name=name or None,
        hours=hours,
        minimum=minimum,
        maximum=maximum,
        detached=True,
        key=key,
    )
    if wish.key and (found := claims().find(wish.key)):
        return found
    offer, now = find_offer(), time.time()
    spec = spec_of(
        wish,
        offer,
        id=new_run_id(now),
        now=now,
        python=str(offer.environment.launch.get("python", "")),
        cwd=str(Path.home()),
        taken=names_taken(clusters_dir()),
    )
    request(spec, offer, clusters_dir() / spec.id)
    place = make(spec, travelling(os.environ, sites=offer.environment.variables), wish.key)
    if place.id == spec.id:
        wait_for(submit(place, spec, offer))
    return place


async def submit(place: ClusterDir, spec: ClusterSpec, offer: Offer) -> int:
    """Hand a cluster's scheduler to Slurm, once; its job's number.

    Raises:
        NotSubmitted: Slurm refused, or did not answer; the cluster has ended then.
    """
    wanted = request(spec, offer, place.path)
    try:
        number = await Slurm(spec).submit(wanted)
    except (Refused, SlurmUnanswered) as problem:
        words = str(problem)
        with suppress(OSError):
            write_json(place.refused(0), {"sentence": words, "at": time.time()}, sync=False)
        # A job that turns up after all finds this, and ends at once.
        note_closed(place, f"Its scheduler was not started: {words}")
        raise NotSubmitted(words) from None
    told = {"job_id": number, "at": time.time(), "argv": ["sbatch", *sbatch_options(wanted)]}
    # Where it cannot be written the job is there all the same, and is found by its tag.
    with suppress(OSError):
        write_json(place.submitted(0), told | {"script": script(wanted)}, sync=False)
    return number


def request(spec: ClusterSpec, offer: Offer, path: Path) -> JobRequest:
    """What is asked of Slurm for a scheduler: one core, without a GPU, for as long as the site allows.

    Raises:
        BadWish: a path of this environment cannot be given to Slurm.
    """
    picked = _where(spec, offer)
    place = ClusterDir(path)
    command = command_line(
        Launch.model_validate(spec.environment.launch), ["-I", "-m", "skiva.dask.host", str(path)]
    )
    try:
        return JobRequest(
            name=job_name(f"dask-{spec.name}-scheduler"),
            tag=ClusterTag(spec.id, 0, 0).text,
            partition=picked.partition,
            cores=1,
            memory_mb=min(_MEMORY_MB, picked.memory_mb),
            minutes=max(1, round(spec.scheduler_hours * 60)),
            account=picked.account,
            qos=picked.qos,
            constraint=picked.constraint,
            reservation=picked.reservation,
            exclude=picked.exclude,
            output=str(place.scheduler_log),
            chdir=str(path),
            warn_seconds=_WARN_SECONDS,
            command=tuple(command),
        )
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise BadWish(f"{'.'.join(map(str, first['loc'])) or 'environment'}: {first['msg']}") from None


def _where(spec: ClusterSpec, offer: Offer) -> SliceOffer:
    """A slice without a GPU, or where there is none the workers' own, of which its GPU is not asked for."""
    picked = pick_slice(offer, None)
    return picked if picked.gres is None else spec.slice
