"""Looks at a run's files and gives its status; writes down an end that only Slurm told."""

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from typing import Any

from skiva.runs.files import read_json, read_lines, read_plain, write_json
from skiva.runs.paths import RunDir
from skiva.runs.queue import QueueJob, Reading
from skiva.runs.spec import Spec
from skiva.runs.status import Status, seen_end, status
from skiva.runs.tasks import combined
from skiva.runs.traces import Traces, known_job, of_task

__all__ = ["look", "look_closely", "read_spec", "task_statuses"]

_SETTLED = 5.0
"""Seconds after its submission in which a reading may still lack a job."""


def read_spec(run: RunDir) -> Spec:
    """What the run is.

    Raises:
        LookupError: there is no such run.
        ValueError: its description cannot be understood.
    """
    try:
        values = json.loads(read_plain(run.spec))
    except OSError:
        raise LookupError(f"There is no run {run.id}.") from None
    except (ValueError, RecursionError):
        raise ValueError(f"{run.spec} cannot be understood.") from None
    return Spec.from_json(values)


def look(run: RunDir, spec: Spec, reading: Reading | None, now: float | None = None) -> Status:
    """How the run is; of a map, all of it as one."""
    return look_closely(run, spec, reading, time.time() if now is None else now)[0]


def look_closely(
    run: RunDir, spec: Spec, reading: Reading | None, now: float, ended: Mapping[int, Status] | None = None
) -> tuple[Status, dict[int, Status]]:
    """How the run is, and each task of a map; those in `ended` are not looked at again."""
    traces = _traces(run)
    whole = status(spec, traces, reading, now)
    _keep(run, spec, traces, whole, reading)
    if spec.tasks is None:
        return whole, {}
    tasks = task_statuses(run, spec, reading, now, ended)
    return combined(whole, list(tasks.values())), tasks


def task_statuses(
    run: RunDir, spec: Spec, reading: Reading | None, now: float, ended: Mapping[int, Status] | None = None
) -> dict[int, Status]:
    """Each task of a map; those in `ended` are not looked at again."""
    submission, refused, cancel = (read_json(one) for one in (run.submission, run.refused, run.cancel))
    known, seen, begun = dict(ended or {}), read_json(run.seen), _begun(run)
    own_jobs, together = _by_task(spec, reading, submission)
    found = {}
    for number in range(spec.tasks or 0):
        if number in known:
            found[number] = known[number]
            continue
        place = run.task(number)
        own = _traces(place) if str(number) in begun else Traces()
        traces = replace(own, submission=submission, refused=refused, cancel=cancel, seen=own.seen or seen)
        told = None if reading is None else replace(reading, jobs=(*own_jobs.get(number, ()), *together))
        found[number] = status(spec, traces, told, now, number)
        _keep(place, spec, traces, found[number], told, number)
    return found


def _begun(run: RunDir) -> set[str]:
    """The tasks that have left anything behind."""
    try:
        return {entry.name for entry in (run.path / "tasks").iterdir()}
    except OSError:
        return set()


def _by_task(
    spec: Spec, reading: Reading | None, submission: Mapping[str, Any] | None
) -> tuple[dict[int, list[QueueJob]], list[QueueJob]]:
    """The queue's jobs for single tasks, and those for several: a thousand times a thousand are too many."""
    single: dict[int, list[QueueJob]] = {}
    several: list[QueueJob] = []
    for job in reading.of_run(spec.id, known_job(Traces(submission=submission))) if reading else ():
        one = job.tasks.isascii() and job.tasks.isdigit()
        (single.setdefault(int(job.tasks), []) if one else several).append(job)
    return single, several


def _traces(run: RunDir) -> Traces:
    return Traces(
        events=read_lines(run.journal),
        submission=read_json(run.submission),
        refused=read_json(run.refused),
        cancel=read_json(run.cancel),
        seen=read_json(run.seen),
        progress=read_json(run.progress),
        has_result=run.result.exists(),
    )


def _keep(
    place: RunDir, spec: Spec, traces: Traces, now: Status, reading: Reading | None, task: int | None = None
) -> None:
    """Write down what Slurm will have forgotten soon: an end that the job did not write itself."""
    told = any(event.get("event") == "ended" for event in traces.events)
    if told or traces.refused or seen_end(traces):
        return
    seen = dict(traces.seen or {})
    if now.over and (spec.tasks is None or task is not None or now.state == "refused"):
        end = {"state": now.state, "sentence": now.sentence, "at": now.ended or time.time()}
        wanted = end | {"events": len(traces.events)}
    else:
        wanted = _missing(spec, traces, reading, seen, task)
    if wanted == seen or (task is not None and not now.over and not place.path.exists()):
        return
    with suppress(OSError):  # a full disk keeps nobody from reading
        place.path.mkdir(mode=0o700, exist_ok=True)
        write_json(place.seen, wanted, sync=task is None)


def _missing(
    spec: Spec, traces: Traces, reading: Reading | None, seen: Mapping[str, Any], task: int | None
) -> dict[str, Any]:
    """Since when readings lack the job; nothing where this one has it."""
    if reading is None or reading.trouble:
        return dict(seen)
    jobs = reading.of_run(spec.id, known_job(traces))
    if jobs if task is None else of_task(jobs, task):
        return {}
    asked = (traces.submission or {}).get("at")
    since = asked if isinstance(asked, (int, float)) else spec.created
    first = seen.get("missing_since", reading.taken)
    return {"missing_since": first} if reading.taken > since + _SETTLED else dict(seen)
