"""What the reservation of a slice means for who wants a session on it now. Pure.

A reading may lack a reservation for two reasons: Slurm has none of that name, or may not show it. Only the
first is told as such, and only of a reading that is not old: give none where it is.
"""

from skiva_hub.site import Site, Slice
from skiva_slurm.jobs import Snapshot
from skiva_slurm.reservations import Reservation


def reservation_of(picked: Slice, snapshot: Snapshot | None) -> Reservation | None:
    """The reservation that the slice's jobs use, as far as it is known."""
    if snapshot is None or picked.reservation is None:
        return None
    return snapshot.reservations.get(picked.reservation)


def is_missing(picked: Slice, snapshot: Snapshot | None, now: float) -> bool:
    """Whether the slice names a reservation that is over, or that Slurm does not have."""
    if snapshot is None or picked.reservation is None or picked.reservation not in snapshot.reservations:
        return False
    found = snapshot.reservations[picked.reservation]
    return found is None or found.is_over(now)


def begins(picked: Slice, snapshot: Snapshot | None, now: float) -> float | None:
    """When the slice's reservation begins, if it has not yet, and its jobs wait for that."""
    found = reservation_of(picked, snapshot)
    return found.start if found and found.start > now and not found.flexible else None


def ends(picked: Slice, snapshot: Snapshot | None, now: float) -> float | None:
    """When the slice's reservation ends, and all sessions in it."""
    found = reservation_of(picked, snapshot)
    return found.end if found and not found.is_over(now) and not found.flexible else None


def max_hours(site: Site, picked: Slice, snapshot: Snapshot | None, now: float) -> float:
    """The longest session on a slice: what the site allows, up to the end of the slice's reservation."""
    found = reservation_of(picked, snapshot)
    longest = site.max_hours(picked)
    return longest if found is None or found.is_over(now) else min(longest, found.hours(now))
