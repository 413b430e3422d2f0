"""What the site offers for runs, as the last session of this person was told."""

import os
from collections.abc import Mapping
from pathlib import Path

from skiva_slurm.offer import Offer, SliceOffer

__all__ = ["NoOffer", "find_offer", "pick_slice"]

_KEPT = ".local/state/skiva/offer.json"


class NoOffer(Exception):
    """Nothing is known of a site here; the text says what to do."""


def find_offer(environ: Mapping[str, str] | None = None, home: Path | None = None) -> Offer:
    """The offer of this session, or the one that the last session left for terminals outside of one.

    Raises:
        NoOffer: no session of this person's has run yet.
    """
    known = os.environ if environ is None else environ
    session = known.get("SKIVA_RUN_DIR")
    places = [Path(session) / "offer.json"] if session else []
    places.append((home or Path.home()) / _KEPT)
    for place in places:
        try:
            return Offer.model_validate_json(place.read_bytes())
        except (OSError, ValueError):
            continue
    raise NoOffer(
        "Nothing is known here of slices to run on: start a server on the hub once, then try again."
    )


def pick_slice(offer: Offer, wanted: str | None) -> SliceOffer:
    """The slice called `wanted`; without a wish the first without a GPU, else the first.

    Raises:
        ValueError: names those that there are.
    """
    if not offer.slices:
        raise ValueError("slice: this site offers you none; please ask its operators")
    if wanted is None:
        return next((one for one in offer.slices if one.gres is None), offer.slices[0])
    for one in offer.slices:
        if one.id == wanted:
            return one
    names = ", ".join(one.id for one in offer.slices)
    raise ValueError(f"slice: {wanted!r:.60} is not among those you may use: {names}")
