"""How a cluster stands, in the words and numbers that people see."""

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from distributed.core import Status as DaskStatus

from skiva.dask.keeping import Trouble
from skiva.dask.observing import KnownJob
from skiva.dask.status import Event, Memory, Page, State, Status, Tasks, Workers

if TYPE_CHECKING:
    from skiva.dask.cluster import SliceCluster

__all__ = ["tell"]

_PAGES = (
    ("Task stream", "individual-task-stream"),
    ("Progress", "individual-progress"),
    ("Workers' memory", "individual-workers-memory"),
    ("Workers' CPU", "individual-workers-cpu-timeseries"),
    ("Workers", "individual-workers"),
    ("Graph", "individual-graph"),
    ("Profile", "individual-profile"),
    ("All of Dask's pages", "status"),
)
_GPU_PAGES = (("GPU memory", "individual-gpu-memory"), ("GPU utilization", "individual-gpu-utilization"))


def tell(
    cluster: "SliceCluster",
    jobs: Sequence[KnownJob],
    events: tuple[Event, ...],
    trouble: Trouble,
    most: int,
    now: float,
) -> Status:
    """The cluster's status at `now` (seconds since the epoch), where at most `most` workers are possible."""
    spec = cluster.slices
    workers = _workers(cluster, jobs)
    state, sentence, action = _words(cluster, jobs, workers, trouble)
    there = list(cluster.scheduler.workers.values()) if cluster.scheduler else []
    return Status(
        id=spec.id,
        name=spec.name,
        slice=spec.slice.id,
        slice_title=spec.slice.title,
        simulated=spec.slice.simulated,
        cuda=spec.cuda,
        detached=spec.detached,
        created=spec.created,
        ends=cluster.ends,
        at=now,
        state=state,
        sentence=sentence,
        action=action,
        workers=workers,
        per_job=spec.processes,
        threads=spec.threads,
        memory=Memory(
            used=sum(int(one.metrics.get("memory", 0)) for one in there),
            limit=sum(int(one.memory_limit or 0) for one in there),
        ),
        tasks=_tasks(cluster.scheduler),
        adapt=cluster.bounds,
        most_workers=most,
        jobs=tuple(job.status(spec.processes) for job in jobs),
        events=events,
        pages=tuple(
            Page(title=title, path=path) for title, path in _PAGES + (_GPU_PAGES if spec.cuda else ())
        ),
    )


def _workers(cluster: "SliceCluster", jobs: Sequence[KnownJob]) -> Workers:
    count = cluster.slices.processes
    phases = Counter(job.phase for job in jobs)
    ready = sum(job.ready for job in jobs if job.phase != "leaving")
    starting = (phases["starting"] + phases["partial"]) * count - sum(
        job.ready for job in jobs if job.phase in {"starting", "partial"}
    )
    return Workers(
        wanted=cluster.wanted * count,
        ready=ready,
        starting=max(0, starting),
        queued=phases["waiting"] * count,
        leaving=phases["leaving"] * count,
    )


def _tasks(scheduler: Any) -> Tasks:
    states: Counter[str] = Counter()
    for group in list(scheduler.task_groups.values()) if scheduler else ():
        states.update(group.states)
    return Tasks(
        processing=states["processing"],
        waiting=states["waiting"] + states["no-worker"],
        queued=states["queued"],
        memory=states["memory"],
        erred=states["erred"],
    )


def _words(
    cluster: "SliceCluster", jobs: Sequence[KnownJob], workers: Workers, trouble: Trouble
) -> tuple[State, str, str]:
    if cluster.status == DaskStatus.closed:
        return "closed", str((cluster.place.read(cluster.place.closed) or {}).get("why") or ""), ""
    if cluster.status == DaskStatus.closing:
        return "closing", "It is being closed.", ""
    if trouble.refused:
        return (
            "stuck",
            f"Slurm does not take its workers: {trouble.refused}",
            "Close it, or scale it to fewer workers.",
        )
    if trouble.stuck:
        return (
            "stuck",
            "Its workers end before they can work.",
            "Look at their last lines, mend what they say, then scale the cluster again.",
        )
    waiting = [job for job in jobs if job.phase == "waiting"]
    hopeless = [job for job in waiting if job.hopeless]
    if hopeless and not workers.ready:
        return "stuck", hopeless[0].reason, hopeless[0].action
    if workers.ready >= workers.wanted:
        return "running", _count(workers.ready, "worker", "ready"), ""
    reason = next((job.reason for job in waiting if job.reason), "")
    state: State = "running" if workers.ready else "starting"
    told = f"{workers.ready} of {workers.wanted} workers ready. {reason}".strip()
    return state, told, next((job.action for job in waiting if job.action), "")


def _count(number: int, what: str, how: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'} {how}." if number else "No workers are wished for."
