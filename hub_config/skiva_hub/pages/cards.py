"""The spawn page's cards: every slice that a person may pick, and what is known of it now. Pure."""

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from skiva_hub.pages import reserved, words
from skiva_hub.pages.charges import ChargeCard, charge_cards, waits_for
from skiva_hub.pages.environments import Records, environment_cards
from skiva_hub.pages.queue import available, waiting
from skiva_hub.permitted import Permitted, Terms
from skiva_hub.site import Site, Slice
from skiva_slurm.jobs import Snapshot
from skiva_slurm.slices import Availability

Status = Literal["free", "busy", "out", "unknown"]

_NO_RESERVATION = (
    "Its reservation {} does not exist, or not any more: choose another slice, or ask the operators."
)
_BEGINS = "Its reservation begins at {time}; a session that is started before waits until then."
_NO_SLICE = "No slice of this site is open to you. Please ask its operators."
_NO_ASSOCIATION = (
    "The scheduler does not know you yet, so it takes no session of yours: "
    "ask the operators for an account (an association) in Slurm."
)
_ENDS = "Its reservation ends at {time}, and all sessions in it."


@dataclass(frozen=True, slots=True)
class Card:
    """One slice on the page.

    Numbers are None where no reading of Slurm exists. A text may hold `{time}`; the page puts
    the field named beside it there, in the reader's own time zone.
    """

    id: str
    title: str
    description: str
    gpu_memory: str
    isolation: str
    isolation_kind: str
    gpu: bool
    """Whether a GPU comes with it, be it a simulated one."""
    cores: int
    memory: str
    max_hours: float
    longest: str
    simulated: bool
    status: Status
    free: int | None
    in_use: int | None
    drained: int | None
    kept: int | None
    """Free, but on nodes of which somebody else's reservation keeps a part or all."""
    total: int | None
    waiting: int | None
    starts: str
    """When a session would start, with `{time}` for `starts_at`."""
    starts_at: str | None
    startable: bool
    """Whether a session can be asked for at all."""
    ends: str
    """What ends all sessions on it, with `{time}` for `ends_at`; empty where only their own limit does."""
    ends_at: str | None
    price: float | None
    """What an hour costs in Slurm's units of billing; None where the partition does not say."""
    charges: tuple[ChargeCard, ...]
    """The Slurm accounts that may be charged, the default first; none where they are not known."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Why the numbers are not today's truth; `{time}` in the text stands for `at`."""

    text: str
    at: str | None


def cards(
    allowed: Permitted, user: str, groups: frozenset[str], snapshot: Snapshot | None, now: float
) -> list[Card]:
    """The cards for `user`, a member of `groups`, in the operator's order; `now` in epoch seconds."""
    return [
        _card(allowed.site, picked, snapshot, now, allowed.terms.get(picked.id, Terms()))
        for picked in allowed.site.slices_for(user, groups)
    ]


def board(
    allowed: Permitted,
    user: str,
    groups: frozenset[str],
    snapshot: Snapshot | None,
    now: float,
    records: Records | None = None,
) -> dict[str, Any]:
    """All that the page needs as JSON: the cards, when they were true, and what is wrong with them."""
    site, told = allowed.site, notice(allowed.site, snapshot, now)
    return {
        "taken": words.iso(snapshot.taken) if snapshot else None,
        "notice": asdict(told) if told else None,
        "slices": [asdict(card) for card in cards(allowed, user, groups, snapshot, now)],
        "accounts": list(allowed.choices),
        "no_slice": _NO_ASSOCIATION if allowed.unknown else _NO_SLICE,
        "environments": [asdict(card) for card in environment_cards(site, user, groups, records or {})],
    }


def stale_after(site: Site) -> float:
    """After how many seconds a reading is no longer shown as the present."""
    return max(20.0, site.cluster.idle_interval + site.cluster.command_timeout + 5)


def is_stale(site: Site, snapshot: Snapshot | None, now: float) -> bool:
    """Whether there is no reading that may be shown as the present."""
    return snapshot is None or now - snapshot.taken > stale_after(site)


def notice(site: Site, snapshot: Snapshot | None, now: float) -> Notice | None:
    """What to say above the cards when the scheduler is silent."""
    if snapshot is None:
        return Notice(
            "The scheduler has not answered yet, so what is free is not known. "
            "A session can be started; it waits in the queue.",
            None,
        )
    if not is_stale(site, snapshot, now):
        return None
    silent = words.span(now - snapshot.taken)
    return Notice(
        f"The scheduler has not answered for {silent}; numbers are from {{time}}.", words.iso(snapshot.taken)
    )


def _card(site: Site, picked: Slice, snapshot: Snapshot | None, now: float, terms: Terms) -> Card:
    seen = available(picked, snapshot) if snapshot else None
    line = waiting(picked, snapshot) if snapshot else None
    stale = is_stale(site, snapshot, now)
    known = None if stale else snapshot
    missing, begins = reserved.is_missing(picked, known, now), reserved.begins(picked, known, now)
    status, starts, at = _starts(seen, line or 0, stale, snapshot, now)
    if missing:
        status, starts, at = "out", _NO_RESERVATION.format(picked.reservation), None
    elif begins:
        status, starts, at = "busy", _BEGINS, begins
    elif status == "free" and (waits := waits_for(terms)):
        status, starts, at = "busy", waits, None
    if seen and (missing or begins):
        seen = replace(seen, free=0, kept=0)
    longest, ends = reserved.max_hours(site, picked, known, now), reserved.ends(picked, known, now)
    return Card(
        id=picked.id,
        title=picked.title,
        description=picked.description,
        gpu_memory=picked.gpu_memory,
        isolation=words.isolation(picked, site),
        isolation_kind=_kind(picked, site),
        gpu=picked.gres is not None,
        cores=picked.cores,
        memory=words.memory(picked.memory_mb),
        max_hours=longest,
        longest=words.hours(longest) if longest == site.max_hours(picked) else words.span(longest * 3600),
        simulated=picked.simulated,
        status=status,
        free=seen.free if seen else None,
        in_use=seen.in_use if seen else None,
        drained=seen.drained if seen else None,
        kept=seen.kept if seen else None,
        total=seen.total if seen else None,
        waiting=line,
        starts=starts,
        starts_at=words.iso(at),
        startable=not missing,
        ends=_ENDS if ends else "",
        ends_at=words.iso(ends),
        price=terms.price,
        charges=charge_cards(terms),
    )


def _kind(picked: Slice, site: Site) -> str:
    if picked.gres is None:
        return "none"
    if picked.isolation == "exclusive" and site.cluster.fenced:
        return "exclusive"
    return "shared"


def _starts(
    seen: Availability | None, line: int, stale: bool, snapshot: Snapshot | None, now: float
) -> tuple[Status, str, float | None]:
    if seen is None or snapshot is None:
        return "unknown", "What is free is not known.", None
    if stale:
        return "unknown", "Numbers are from {time}.", snapshot.taken
    if seen.total - seen.drained <= 0:
        return "out", "None is in service at the moment; a session would wait.", None
    if seen.free > line:
        return "free", "Starts now.", None
    if seen.free + seen.kept > line:
        most = f"up to {seen.kept} more" if seen.free else f"Up to {seen.kept}"
        some = f"{seen.free} free, and " if seen.free else ""
        return "unknown", f"{some}{most} on nodes that are partly reserved: a session may wait.", None
    ahead = f"{words.count(line, 'job waits', 'jobs wait')} ahead of you"
    if seen.free > 0:
        return "busy", f"{seen.free} free, but {ahead}.", None
    if seen.next_free is None:
        return "busy", f"All in use; {ahead}." if line else "All in use.", None
    if seen.next_free <= now:
        return "busy", f"Free any moment; {ahead}." if line else "Free any moment.", None
    if line:
        return "busy", f"{ahead}; the next one is free by {{time}} at the latest.", seen.next_free
    return "busy", "Free by {time} at the latest, when a running session reaches its limit.", seen.next_free
