"""How a run is, from its files and from what Slurm says. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from skiva.runs.queue import QueueJob, Reading
from skiva.runs.spec import Spec
from skiva.runs.traces import Traces, known_job, of_task, outdated, time_told
from skiva_slurm.states import Life

__all__ = ["ENDED", "MISSING", "RunLife", "Status", "Traces", "seen_end", "status"]

RunLife = Literal["waiting", "running", "ended"]
_LIVES: Mapping[str, RunLife] = {
    "preparing": "waiting",
    "queued": "waiting",
    "requeued": "waiting",
    "unknown": "waiting",
    "running": "running",
    "ending": "running",
}
ENDED = frozenset(
    {
        "completed",
        "failed",
        "cancelled",
        "time_limit",
        "preempted",
        "out_of_memory",
        "node_failed",
        "killed",
        "not_restarted",
        "refused",
        "vanished",
    }
)
"""The states after which nothing changes any more."""
_ENDS = tuple(sorted(ENDED))  # what is asked for in a file may be of any type
_SENTENCES = {
    "completed": "Completed.",
    "failed": "Failed.",
    "cancelled": "Cancelled.",
    "time_limit": "Stopped by the time limit.",
    "preempted": "Stopped for other jobs that go before it.",
    "out_of_memory": "It needed more memory than its slice has.",
    "node_failed": "Its node failed.",
    "killed": "It ended without a word; the end of its log may tell why.",
    "not_restarted": "Slurm started the job again, and it may not be repeated.",
    "refused": "Slurm did not take it.",
    "vanished": "Slurm no longer knows the job, and it left no word: its node or its processes were killed.",
}
_ACTIONS = {
    "time_limit": "Ask for more hours, or let it go on in several jobs: restarts=… with skiva.checkpoint().",
    "out_of_memory": "Choose a larger slice, or let it hold less at once.",
    "preempted": "Submit it again, or with restarts=… so that it begins again by itself.",
    "node_failed": "Submit it again, or with restarts=… so that it begins again by itself.",
    "vanished": "Submit it again.",
    "killed": "What it has written is kept. Submit it again, or with restarts=… if it may begin again.",
    "not_restarted": "Submit it with restarts=… if it may be repeated.",
}
_BY_SLURM = {
    "COMPLETED": "completed",
    "CANCELLED": "cancelled",
    "TIMEOUT": "time_limit",
    "DEADLINE": "time_limit",
    "PREEMPTED": "preempted",
    "OUT_OF_MEMORY": "out_of_memory",
    "NODE_FAIL": "node_failed",
    "BOOT_FAIL": "node_failed",
}
_LATE = 120.0
"""Seconds after which a run that Slurm does not have was never submitted; a submission takes less."""
MISSING = 20.0
"""Seconds between the two readings that must both lack a job before it is given up."""
_LAG = 30.0
"""Seconds in which what a job wrote on its node may not be seen here yet."""
_PATIENCE = 60.0
"""Seconds in which a job that was told to end does so."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """How a run is. Times are seconds since the epoch."""

    state: str
    """`preparing`, `queued`, `running`, `requeued`, `ending`, `unknown`, or one of `ENDED`."""
    sentence: str = ""
    action: str = ""
    job_id: int | None = None
    node: str = ""
    submitted: float | None = None
    expected: float | None = None
    """When Slurm expects to start it."""
    started: float | None = None
    ended: float | None = None
    seconds_left: float | None = None
    restarts: int = 0
    progress: Mapping[str, Any] | None = None
    tasks: Mapping[str, int] | None = None
    """Of a map: how many tasks are in which state."""
    trouble: str = ""

    @property
    def life(self) -> RunLife:
        """Whether it waits, runs or is over."""
        return "ended" if self.state in ENDED else _LIVES[self.state]

    @property
    def over(self) -> bool:
        """Whether nothing changes any more."""
        return self.state in ENDED


@dataclass(slots=True)
class _Found:
    """What decides, gathered."""

    spec: Spec
    traces: Traces
    jobs: Sequence[QueueJob]
    now: float
    common: dict[str, Any] = field(default_factory=dict)

    def status(self, state: str, sentence: str = "", action: str | None = None, **more: Any) -> Status:
        words = sentence or _SENTENCES.get(state, "")
        told = _ACTIONS.get(state, "") if action is None else action
        return Status(**{**self.common, "state": state, "sentence": words, "action": told, **more})


def status(
    spec: Spec, traces: Traces, reading: Reading | None, now: float, task: int | None = None
) -> Status:
    """How the run is now, or one task of it."""
    job_id = known_job(traces)
    jobs = reading.of_run(spec.id, job_id) if reading else ()
    if task is not None:
        jobs = of_task(jobs, task)
    found = _Found(spec, traces, tuple(job for job in jobs if not outdated(job, traces)), now)
    found.common = _common(found, job_id, reading)
    return _by_files(found) or _by_slurm(found) or _by_absence(found, reading)


def _common(found: _Found, job_id: int | None, reading: Reading | None) -> dict[str, Any]:
    starts = [event for event in found.traces.events if event.get("event") == "started"]
    job = found.jobs[0] if found.jobs else None
    submission = found.traces.submission or {}
    return {
        "job_id": job_id or (job.array_job_id or job.job_id if job else None),
        "node": str(starts[-1].get("node", "")) if starts else "",
        "submitted": time_told(submission.get("at")),
        "started": time_told(starts[0].get("at")) if starts else None,
        "restarts": max(0, len(starts) - 1),
        "progress": found.traces.progress,
        "trouble": reading.trouble if reading else "",
    }


def _by_files(found: _Found) -> Status | None:
    """An end that is written down needs nobody's word."""
    traces = found.traces
    if traces.refused:
        return found.status(
            "refused", str(traces.refused.get("sentence") or ""), ended=time_told(traces.refused.get("at"))
        )
    for event in traces.events:
        if event.get("event") == "ended" and event.get("how") in _ENDS:
            how = str(event["how"])
            return found.status(how, str(event.get("sentence") or ""), ended=time_told(event.get("at")))
    if seen := seen_end(traces):
        state = "completed" if traces.has_result else str(seen["state"])
        words = str(seen.get("sentence") or "") if state == seen["state"] else ""
        return found.status(state, words, ended=time_told(seen.get("at")))
    return None


def seen_end(traces: Traces) -> Mapping[str, Any] | None:
    """The end that somebody saw, unless the job has gone on since."""
    seen = traces.seen or {}
    known = seen.get("events")
    new = isinstance(known, int) and len(traces.events) > known
    return seen if seen.get("state") in _ENDS and not new else None


def _by_slurm(found: _Found) -> Status | None:
    """A job that Slurm knows. Of several (a map's tasks) the liveliest speaks."""
    by_life = {job.life: job for job in reversed(found.jobs)}
    last = found.traces.events[-1].get("event") if found.traces.events else None
    for life in (Life.RUNNING, Life.PAUSED):
        if job := by_life.get(life):
            return _running(found, job)
    if job := by_life.get(Life.ENDING):
        return found.status("ending", "It is ending.", node=job.node or found.common["node"])
    if job := by_life.get(Life.QUEUED):
        if _being_cancelled(found):
            return found.status("ending", "It is being cancelled.")
        sentence = job.reason or "It waits for its turn."
        if last in ("requeued", "interrupted", "started", "warned"):
            return found.status(
                "requeued", f"It begins again in another job. {sentence}", job.action, expected=job.expected
            )
        return found.status("queued", sentence, job.action, expected=job.expected)
    if job := by_life.get(Life.ENDED):
        return _ended(found, job)
    if by_life:
        return found.status("unknown", "Slurm reports a state that is not known here.")
    return None


def _being_cancelled(found: _Found) -> bool:
    told = time_told(found.traces.cancel.get("at")) if found.traces.cancel else None
    return told is not None and found.now - told < _PATIENCE


def _running(found: _Found, job: QueueJob) -> Status:
    left = max(0.0, job.ends - found.now) if job.ends else None
    started = found.common["started"] or job.started
    words = "It is suspended for now." if job.life is Life.PAUSED else "Running."
    if found.traces.cancel:
        if _being_cancelled(found):
            return found.status("ending", "It is being cancelled.", started=started)
        words = "Running, although it was told to end: cancel it once more."
    if found.traces.events and found.traces.events[-1].get("event") == "warned":
        words = "Running; its time limit is near."
    return found.status(
        "running", words, started=started, seconds_left=left, node=found.common["node"] or job.node
    )


def _ended(found: _Found, job: QueueJob) -> Status:
    word = job.state.split()[0].split("+")[0] if job.state else ""
    state = _BY_SLURM.get(word, "killed")
    if found.traces.has_result:
        state = "completed"
    sentence = _SENTENCES.get(state, "")
    if state == "completed" and not found.traces.has_result and found.spec.tasks is None:
        state = "killed"  # every job of ours writes its last line before it ends well
    if state == "killed":
        by_itself = job.exit_code in ("0:0", "1:0")
        if by_itself and job.ends is not None and 0 <= found.now - job.ends < _LAG:
            return found.status("ending", "It is ending.")
        begun = found.common["started"] is not None or word == "COMPLETED"
        where = "ended without a word" if begun else "failed before it began"
        sentence = (
            f"It {where} (Slurm: {word}, exit code {job.exit_code or '?'}); the end of its log may tell why."
        )
    return found.status(state, sentence, ended=job.ends)


def _by_absence(found: _Found, reading: Reading | None) -> Status:
    """Slurm knows no such job, or is silent: what the files say last is believed, and nothing is given up."""
    events, traces = found.traces.events, found.traces
    last = events[-1] if events else {}
    gone = _gone(found, reading)
    if not traces.submission and not events:
        if gone and reading is not None and reading.taken - found.spec.created > _LATE:
            return found.status(
                "refused", "It was never handed to Slurm: the submission was cut off.", "Submit it again."
            )
        return found.status("preparing", "It is being handed to Slurm.")
    if gone:
        if traces.has_result:
            return found.status("completed")
        at = time_told(last.get("at"))
        if last.get("event") == "interrupted" and last.get("how") in _ENDS:
            return found.status(str(last["how"]), str(last.get("sentence") or ""), ended=at)
        return found.status("cancelled" if traces.cancel else "vanished", ended=at)
    if _being_cancelled(found):
        return found.status("ending", "It is being cancelled.")
    match last.get("event"):
        case "started" | "warned":
            at = time_told(last.get("at"))
            end = at + found.spec.hours * 3600 if at and last["event"] == "started" else None
            return found.status(
                "running", "Running.", seconds_left=max(0.0, end - found.now) if end else None
            )
        case "requeued" | "interrupted":
            return found.status("requeued", str(last.get("sentence") or "It waits to begin again."))
        case _:
            return found.status("queued", "It waits for its turn.")


def _gone(found: _Found, reading: Reading | None) -> bool:
    """Whether two complete readings, some time apart, both lack the job."""
    missing = time_told((found.traces.seen or {}).get("missing_since"))
    return reading is not None and missing is not None and reading.taken - missing >= MISSING
