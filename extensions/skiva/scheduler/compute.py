"""The form's compute types: slices, each with the default hours and with others that may be chosen."""

import re
from collections.abc import Iterable

from skiva.runs.offer import pick_slice
from skiva_slurm.offer import Offer

__all__ = ["compute_types", "default_compute_type", "parse_compute_type"]

_WITH_HOURS = re.compile(r"(.+), ([0-9]+(?:\.[0-9]+)?) h")
_HOURS = (8.0, 24.0)


def compute_types(offer: Offer, hours: Iterable[float] | None = None) -> list[str]:
    """What there is to choose from: `1g.10gb` for the default hours, `1g.10gb, 8 h` for others."""
    usual = min(offer.hours, offer.max_hours)
    wanted = set(_HOURS) | {offer.max_hours} if hours is None else set(hours)
    others = sorted(one for one in wanted if 0 < one <= offer.max_hours and one != usual)
    return [name for one in offer.slices for name in (one.id, *(f"{one.id}, {h:g} h" for h in others))]


def default_compute_type(offer: Offer) -> str | None:
    """What is chosen where nobody chooses."""
    return pick_slice(offer, None).id if offer.slices else None


def parse_compute_type(text: str | None) -> tuple[str | None, float | None]:
    """The slice and the hours that a compute type names."""
    if not text:
        return None, None
    if found := _WITH_HOURS.fullmatch(text):
        return found[1], float(found[2])
    return text, None
