"""One line on where a starting session is, in plain words, for JupyterHub's progress stream. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Literal

from skiva_hub.pages import words
from skiva_hub.pages.cards import cards, is_stale
from skiva_hub.pages.queue import held_back, position
from skiva_hub.permitted import Permitted
from skiva_hub.site import Site, Slice
from skiva_slurm.jobs import Job, Snapshot
from skiva_slurm.reasons import explain, purpose
from skiva_slurm.states import Life
from skiva_spawners.failure import ended

Phase = Literal["submitting", "queued", "starting", "proved", "answering"]
Step = Literal["", "proved", "answering"]
"""How far the job itself has got: it has reported its proof, its server has answered."""

_SUGGESTIONS = 3
_SILENT = "The scheduler does not answer at the moment; your place in the queue is kept."
_UNSEEN = (
    "The queue does not show the hub your job, which it goes on asking for. If this stays so, tell the "
    "operators: the hub's account must be allowed to see everybody's jobs."
)
_SILENT_RUNNING = "The scheduler does not answer at the moment; your session goes on starting."


@dataclass(frozen=True, slots=True)
class _Line:
    """The parts of an event, before they become words with and without markup."""

    phase: Phase
    progress: int
    texts: tuple[str, ...]
    """Sentences; `{time}` stands for `expected`."""
    position: int | None = None
    waiting: int | None = None
    expected: float | None = None
    reason: str = ""
    action: str = ""
    switch: tuple[str, ...] = ()


def line(
    job: Job | None,
    snapshot: Snapshot | None,
    site: Site,
    slice_id: str,
    now: float,
    user_jobs: Iterable[Job] = (),
    *,
    user: str = "",
    groups: frozenset[str] = frozenset(),
    allowed: Permitted | None = None,
    unseen: bool = False,
    step: Step = "",
) -> dict[str, Any]:
    """The event for a session that waits or starts in `job`.

    Args:
        job: the session's job as the last reading shows it; None before it was seen.
        now: seconds since the epoch.
        user_jobs: the same person's other jobs, named where a limit of theirs is the reason.
        user: who waits, and in which `groups`: only slices on offer to them, and `allowed`, are suggested.
        unseen: whether Slurm has taken the job, and readings have lacked it for long.
        step: what the job itself has reported.

    Returns:
        `progress` (0 to 100), `message`, `html_message` (escaped), `phase`, `position`, `waiting`,
        `expected` (ISO, UTC), `reason`, `action`, `switch` (ids of slices that are free now) and
        `switch_titles`.
    """
    picked = next((s for s in site.slice if s.id == slice_id), None)
    parts = _Line("submitting", 2, (_UNSEEN,)) if unseen and not step else None
    parts = parts or _parts(job, snapshot, site, picked, now, tuple(user_jobs), step)
    if parts.phase == "queued" and picked is not None:
        switch = _switch(allowed or Permitted(site), picked, user, groups, snapshot, now)
    else:
        switch = ()
    return _event(parts, switch, now)


def _parts(
    job: Job | None,
    snapshot: Snapshot | None,
    site: Site,
    picked: Slice | None,
    now: float,
    user_jobs: Sequence[Job],
    step: Step,
) -> _Line:
    if step == "answering":
        return _Line("answering", 90, ("Your server answers; opening it.",))
    if step == "proved":
        return _Line("proved", 60, (_proved(picked, site), "The server is starting."))
    running = job is not None and (job.life is Life.RUNNING or bool(job.nodes))
    if is_stale(site, snapshot, now) and snapshot is not None:
        phase: Phase = "starting" if running else "queued"
        return _Line(phase, 40 if running else 5, (_SILENT_RUNNING if running else _SILENT,))
    if job is None or snapshot is None:
        return _Line("submitting", 2, ("Your session has been handed to the scheduler.",))
    return _alive(job, snapshot, picked, now, user_jobs)


def _alive(job: Job, snapshot: Snapshot, picked: Slice | None, now: float, user_jobs: Sequence[Job]) -> _Line:
    if job.life is Life.QUEUED and job.nodes:
        return _Line("starting", 30, ("A node was found; it is being made ready, which can take minutes.",))
    if job.life is Life.QUEUED:
        return _queued(job, snapshot, picked, now, user_jobs)
    if job.life is Life.PAUSED:
        return _Line("starting", 40, ("Slurm has suspended your job for now; it goes on from where it was.",))
    if job.life is Life.ENDING:
        return _Line("starting", 40, ("The job is ending.",))
    if job.life is Life.ENDED:
        failure = ended(job, lived=False)
        return _Line("starting", 40, (failure.sentence, failure.action), reason=failure.cause)
    if job.life is Life.UNKNOWN:
        return _Line("queued", 5, ("Slurm reports a state that is not known here; your session is kept.",))
    return _Line("starting", 40, (f"Your job runs{_on(job)}; it is proving its slice.",))


_REQUEUED = (
    "Slurm has put your session back into the queue, as it does when others have a better right to its place "
    "or its node fails. It returns by itself under the same address, with the files that were saved; start "
    "another slice if you cannot wait."
)


def _queued(
    job: Job, snapshot: Snapshot, picked: Slice | None, now: float, user_jobs: Sequence[Job]
) -> _Line:
    told = explain(job.reason)
    texts = []
    if job.restarts:
        texts.append(_REQUEUED)
    place, length = (None, None)
    if picked is not None and not held_back(job.reason):
        place, length = position(job, picked, snapshot)
        texts.append(_place(place, length, picked))
    # Slurm calls more than one job the next; the place in the line is counted.
    reason = "" if place and job.reason in {"Resources", "Priority"} else told.sentence
    texts.append(reason)
    if held_back(job.reason) and user_jobs:
        texts.append(_held(user_jobs))
    texts.append(told.action)
    expected = job.start if job.start and job.start > now else None
    if expected:
        texts.append("Expected start: about {time}.")
    return _Line(
        "queued",
        20 if place is None else max(5, 21 - place),
        tuple(texts),
        position=place,
        waiting=length,
        expected=expected,
        reason=reason,
        action=told.action,
    )


def _place(place: int, length: int, picked: Slice) -> str:
    if place == 1:
        return f"You are next for {picked.title}."
    return f"You are {words.ordinal(place)} of {length} for {picked.title}."


def _held(jobs: Sequence[Job]) -> str:
    """How much else somebody holds who waits for a limit of theirs, and how much of it is easily given up."""
    number = sum(job.tasks for job in jobs)
    workers = sum(job.tasks for job in jobs if purpose(job.tag) == "worker")
    held = f"You hold {words.count(number, 'other job', 'other jobs')} now"
    if not workers:
        return f"{held}."
    ours = "a worker of a Dask cluster" if workers == 1 else "workers of Dask clusters"
    if workers == number:
        return f"{held}, {ours}: closing a cluster makes room."
    return f"{held}, {workers} of them {ours}: closing a cluster makes room."


def _on(job: Job) -> str:
    return f" on {job.nodes[0]}" if job.nodes else ""


def _proved(picked: Slice | None, site: Site) -> str:
    if picked is not None and picked.isolation == "exclusive" and site.cluster.fenced:
        return "The slice is proved to be yours alone."
    return "The slice was checked."


def _switch(
    allowed: Permitted,
    picked: Slice,
    user: str,
    groups: frozenset[str],
    snapshot: Snapshot | None,
    now: float,
) -> tuple[tuple[str, str], ...]:
    if not user:
        return ()
    offered = cards(allowed, user, groups, snapshot, now)
    if any(card.id == picked.id and card.status == "free" for card in offered):
        return ()
    free = [(card.id, card.title) for card in offered if card.status == "free" and card.id != picked.id]
    # Whoever waits for a GPU is helped by another one first.
    likes = {other.id for other in allowed.site.slice if (other.gres is None) == (picked.gres is None)}
    free.sort(key=lambda one: one[0] not in likes)
    return tuple(free[:_SUGGESTIONS])


def _event(parts: _Line, switch: Sequence[tuple[str, str]], now: float) -> dict[str, Any]:
    texts = [text for text in parts.texts if text]
    texts += [f"{title} is free now." for _, title in switch[:1]]
    text = " ".join(texts)
    when, stamp = ("", None)
    if parts.expected is not None:
        when, stamp = words.clock(parts.expected, now), words.iso(parts.expected)
    marked = f'<time datetime="{stamp}">{escape(when)}</time>'
    return {
        "progress": parts.progress,
        "message": text.replace("{time}", when),
        "html_message": escape(text).replace("{time}", marked),
        "phase": parts.phase,
        "position": parts.position,
        "waiting": parts.waiting,
        "expected": stamp,
        "reason": parts.reason,
        "action": parts.action,
        "switch": [slice_id for slice_id, _ in switch],
        "switch_titles": dict(switch),
    }
