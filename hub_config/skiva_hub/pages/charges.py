"""Who pays for a session, what is left, and which limit it would wait for, in words. Pure."""

from dataclasses import dataclass

from skiva_hub.pages import words
from skiva_hub.permitted import Charge, Terms
from skiva_slurm.limits import Limit

_NAMES = {
    "cpu": ("core", "cores"),
    "node": ("node", "nodes"),
    "gres/gpu": ("GPU", "GPUs"),
    "billing": ("billing", "billing"),
}


@dataclass(frozen=True, slots=True)
class ChargeCard:
    """One Slurm account that may be charged for a slice."""

    account: str
    hours: float | None
    """For how long its budget pays for the slice; None where there is no budget, or it is not shown."""
    budget: str
    """What is left of that budget, in words."""
    waits: str
    """Which limit a session would wait for; empty where there is none."""


def charge_cards(terms: Terms) -> tuple[ChargeCard, ...]:
    """The accounts of one slice, for the page."""
    return tuple(
        ChargeCard(
            one.account,
            None if one.hours is None else round(one.hours, 2),
            _budget(one.budget) if one.budget else "",
            _waits(one),
        )
        for one in terms.charges
    )


def waits_for(terms: Terms) -> str:
    """The limit that a session on a slice would wait for whoever pays; empty where somebody can."""
    told = [_waits(one) for one in terms.charges]
    return told[0] if told and all(told) else ""


def _waits(charge: Charge) -> str:
    if charge.hours is not None and charge.budget and charge.hours < 1 / 60:
        return f"The budget of {charge.budget.whose} is used up: a session would wait for a new one."
    if charge.full is None:
        return ""
    limit = charge.full
    most, used = _amount(limit, limit.most), _amount(limit, limit.used)
    return f"{limit.whose} has a limit of {most} at a time, and {used} in use: a session would wait."


def _budget(limit: Limit) -> str:
    left = max(0.0, limit.most - limit.used) / 60
    one, _ = _name(limit)
    return f"{left:.3g} of {limit.most / 60:.3g} {one} hours left ({limit.whose})"


def _amount(limit: Limit, amount: float) -> str:
    return words.memory(round(amount)) if limit.tres == "mem" else words.count(round(amount), *_name(limit))


def _name(limit: Limit) -> tuple[str, str]:
    name = limit.tres.removeprefix("gres/")
    return _NAMES.get(limit.tres, (name, name))
