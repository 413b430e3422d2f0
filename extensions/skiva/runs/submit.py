"""From a wish to a run: its directory first, whole, and then Slurm, once."""

import os
import shutil
import sys
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from skiva.runs.claim import Claims
from skiva.runs.environment import travelling
from skiva.runs.files import read_json, write_json, write_whole
from skiva.runs.ids import new_run_id
from skiva.runs.offer import find_offer, pick_slice
from skiva.runs.paths import NotYours, RunDir, own_place, runs_dir
from skiva.runs.queue import Queue
from skiva.runs.spec import Kind, Spec
from skiva.runs.wish import BadWish, Wish, job_name
from skiva_slurm.offer import Offer, SliceOffer
from skiva_slurm.states import Life

__all__ = ["Luggage", "NotSubmitted", "send", "submitted"]

_WARN_SECONDS = 60
_DRAFT, _ABANDONED = ".new-", 86400.0
"""What a directory is called before it is complete, and the seconds after which nobody completes it."""


class NotSubmitted(RuntimeError):
    """Slurm did not take the run; the text says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class Luggage:
    """What a run takes along: everything of a `Spec` that its kind decides, and its files."""

    kind: Kind
    name: str
    files: Mapping[str, bytes] = field(default_factory=dict)
    """By their names in the run's directory."""
    folder: Path | None = None
    """A directory of which a copy goes along, as `files`; the run works there."""
    tasks: int | None = None
    argv: tuple[str, ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    source: Mapping[str, Any] = field(default_factory=dict)
    start_at: int = 0
    cwd: str = ""
    """Where the run works; the caller's directory by default."""
    sys_path: tuple[str, ...] | None = None
    """Where modules are found; as here by default."""
    again_of: str = ""


def send(luggage: Luggage, wish: Wish, env: Mapping[str, str] | Iterable[str] | None = None) -> RunDir:
    """Write the run down and hand it to Slurm; a wish whose key a run has already gives that run.

    Raises:
        BadWish: names the field; nothing was written or submitted.
        NoOffer: no site is known here.
        NotSubmitted: Slurm refused, or did not answer; the run's directory tells it too.
        OSError: its files could not be written.
    """
    offer = find_offer()
    spec, variables = _spec(luggage, wish, offer, env)
    request = _request(spec, offer, Path(os.devnull))
    try:
        root = own_place(runs_dir(site=offer.runs))
    except NotYours as problem:
        raise BadWish(f"runs: {problem}") from None
    if wish.key and (found := _claims(root).find(wish.key)):
        return found
    _check_number(offer)
    if luggage.folder is not None:
        spec = replace(spec, cwd=str(root / spec.id / "files"))
    run = _write(root, spec, luggage, variables)
    if run.id != spec.id:
        return run
    _queue(run, request.model_copy(update={"output": str(_output(run, spec)), "chdir": str(run.path)}), offer)
    return run


def _check_number(offer: Offer) -> None:
    """Refuse too many, as far as the server was told of the queue; Slurm's own limits hold beside it."""
    reading = Queue().told()
    if reading is None:
        return
    there = {job.run for job in reading.jobs if job.run and job.life not in {Life.ENDED, Life.UNKNOWN}}
    if len(there) >= offer.most:
        raise BadWish(
            f"runs: {len(there)} of yours wait or run, and this site lets a person have {offer.most}; "
            "wait until some end, or send many calls as one with skiva.map()"
        )


def _spec(
    luggage: Luggage, wish: Wish, offer: Offer, env: Mapping[str, str] | Iterable[str] | None
) -> tuple[Spec, dict[str, str]]:
    try:
        picked = pick_slice(offer, wish.slice)
        variables = travelling(os.environ, env, offer.environment.variables)
    except ValueError as problem:
        raise BadWish(str(problem)) from None
    hours = min(offer.hours, offer.max_hours) if wish.hours is None else wish.hours
    if hours > offer.max_hours:
        raise BadWish(f"hours: at most {offer.max_hours:g} are possible for a run, not {hours:g}")
    now = time.time()
    spec = Spec(
        id=new_run_id(now),
        name=wish.name or luggage.name,
        kind=luggage.kind,
        created=now,
        slice=picked.id,
        slice_title=picked.title,
        simulated=picked.simulated,
        hours=hours,
        warn_seconds=_WARN_SECONDS,
        cwd=luggage.cwd or str(Path.cwd()),
        sys_path=_module_places() if luggage.sys_path is None else luggage.sys_path,
        restarts=wish.restarts,
        resume=wish.resume,
        tasks=luggage.tasks,
        at_once=wish.at_once,
        parameters=luggage.parameters,
        start_at=luggage.start_at,
        argv=luggage.argv,
        source=luggage.source,
        key=wish.key,
        again_of=luggage.again_of,
        environment=_environment(offer, luggage.kind),
        proof=_proof(picked, offer),
        hub=offer.hub,
    )
    return spec, variables


def _module_places() -> tuple[str, ...]:
    return tuple(dict.fromkeys(str(Path(place or ".").absolute()) for place in sys.path))


def _environment(offer: Offer, kind: Kind) -> dict[str, str]:
    from skiva.kernels.current import current

    kernel, here = current(), sys.executable
    return {
        "id": offer.environment.id,
        "digest": offer.environment.digest or os.environ.get("SKIVA_ENVIRONMENT_DIGEST", ""),
        # A notebook's kernel may be of any environment; what runs it is of the session's.
        "python": str(offer.environment.launch.get("python", here)) if kind == "notebook" else here,
        "kernel": kernel.name,
        "kernel_digest": kernel.digest,
        "slurm_bin": offer.bin,
    }


def _proof(picked: SliceOffer, offer: Offer) -> dict[str, Any]:
    return {
        "devices": list(offer.devices),
        "always_open": list(offer.always_open),
        "wanted": picked.devices_wanted,
        "must": picked.isolation == "exclusive" and offer.fenced,
    }


def _request(spec: Spec, offer: Offer, output: Path) -> Any:
    """What is asked of Slurm. Raises BadWish where a path of this environment cannot be given to it."""
    from skiva_images.launch import Launch, command_line
    from skiva_slurm.sbatch import JobRequest
    from skiva_slurm.tags import RunTag

    picked = pick_slice(offer, spec.slice)
    run = runs_dir(site=offer.runs) / spec.id
    try:
        launch = Launch.model_validate({**offer.environment.launch, "python": spec.environment["python"]})
        return JobRequest(
            name=job_name(spec.name),
            tag=RunTag(spec.id).text,
            partition=picked.partition,
            gres=picked.gres,
            extra_gres=picked.extra_gres,
            cores=picked.cores,
            memory_mb=picked.memory_mb,
            minutes=max(1, round(spec.hours * 60)),
            account=picked.account,
            qos=picked.qos,
            constraint=picked.constraint,
            reservation=picked.reservation,
            licenses=picked.licenses,
            exclude=picked.exclude,
            output=str(output),
            chdir=str(run.parent),
            warn_seconds=spec.warn_seconds,
            requeue=spec.restarts > 0,
            tasks=spec.tasks,
            at_once=spec.at_once,
            command=tuple(command_line(launch, ["-I", "-m", "skiva.runs.work", str(run)])),
        )
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise BadWish(f"{'.'.join(map(str, first['loc'])) or 'environment'}: {first['msg']}") from None


def _output(run: RunDir, spec: Spec) -> Path:
    return run.log() if spec.tasks is None else run.path / "tasks" / "%a.log"


def submitted(key: str) -> RunDir | None:
    """The run that was submitted with this key, refused or not, if it is still there. Raises NoOffer."""
    return _claims(runs_dir(site=find_offer().runs)).find(key, refused=True)


def _claims(root: Path) -> Claims[RunDir]:
    return Claims(root, RunDir, _may_live)


def _may_live(run: RunDir) -> bool:
    return not run.refused.exists() and (read_json(run.seen) or {}).get("state") != "refused"


def _write(root: Path, spec: Spec, luggage: Luggage, env: Mapping[str, str]) -> RunDir:
    """The whole directory, which appears at once; another one's where that has the key."""
    _remove_abandoned(root)
    draft = root / f"{_DRAFT}{spec.id}"
    draft.mkdir(mode=0o700)
    try:
        for name, content in luggage.files.items():
            write_whole(draft / name, content, sync=False)
        if luggage.folder is not None:
            shutil.copytree(luggage.folder, draft / "files", symlinks=True)
        write_json(draft / "env.json", env, sync=False)
        if spec.tasks is not None:
            (draft / "tasks").mkdir(mode=0o700)
        write_json(draft / "spec.json", spec.to_json())
        # Claimed when all else is done, so that hardly anything can come between the claim and the run.
        if spec.key and (found := _claims(root).claim(spec.key, spec.id)):
            return found
        draft.rename(root / spec.id)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return RunDir(root / spec.id)


def _remove_abandoned(root: Path) -> None:
    """What submissions left that were killed in the middle; nothing ever was handed to Slurm for it."""
    with suppress(OSError), os.scandir(root) as entries:
        for entry in entries:
            if entry.name.startswith(_DRAFT) and time.time() - entry.stat().st_mtime > _ABANDONED:
                shutil.rmtree(entry.path, ignore_errors=True)


def _queue(run: RunDir, request: Any, offer: Offer) -> None:
    from skiva.runs.slurm import Slurm, wait_for
    from skiva_slurm.errors import Refused, SlurmUnanswered
    from skiva_slurm.sbatch import sbatch_options, script

    try:
        job_id = wait_for(Slurm(offer).submit(request))
    except Refused as refused:
        with suppress(OSError):
            write_json(run.refused, {"sentence": str(refused), "at": time.time()})
        raise NotSubmitted(str(refused)) from None
    except SlurmUnanswered as silence:
        raise NotSubmitted(
            f"{silence}. The run {run.id} is written down; skiva.run({run.id!r}).rerun() sends it off again."
        ) from None
    argv = ["sbatch", *sbatch_options(request)]
    # Where it cannot be written the job is there all the same, and is found by its tag.
    with suppress(OSError):
        told = {"job_id": job_id, "at": time.time(), "argv": argv, "script": script(request)}
        write_json(run.submission, told)
