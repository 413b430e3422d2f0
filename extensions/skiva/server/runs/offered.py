"""What a person may send runs to, with what is free as the hub tells it now."""

from collections.abc import Iterable
from typing import Any

from skiva.runs.offer import NoOffer, find_offer

__all__ = ["offered"]


def offered(told: Iterable[Any]) -> dict[str, Any]:
    """The slices, and for how long; `told` is what the hub's stream says of slices."""
    now = {one["id"]: one for one in told if isinstance(one, dict) and isinstance(one.get("id"), str)}
    try:
        offer = find_offer()
    except NoOffer as unknown:
        return {"slices": [], "hours": 1.0, "max_hours": 0.0, "trouble": str(unknown)}
    return {
        "slices": [
            {
                "id": one.id,
                "title": one.title,
                "simulated": one.simulated,
                "isolation": one.isolation,
                "free": _whole(now.get(one.id, {}).get("free")),
                "total": _whole(now.get(one.id, {}).get("total")),
                "waiting": _whole(now.get(one.id, {}).get("waiting")),
                "status": str(now.get(one.id, {}).get("status") or ""),
            }
            for one in offer.slices
        ],
        "hours": min(offer.hours, offer.max_hours),
        "max_hours": offer.max_hours,
        "trouble": "",
    }


def _whole(value: object) -> int | None:
    return value if type(value) is int else None
