"""What of a site one person may have, and what it costs them, by what Slurm told of them. Pure.

Of what Slurm did not tell nothing is taken away: sbatch has the last word.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from skiva_hub.site import Site, Slice
from skiva_slurm.limits import Limit, demand, price
from skiva_slurm.rights import Rights, Rules

__all__ = ["Charge", "Permitted", "Terms", "permitted"]


@dataclass(frozen=True, slots=True)
class Charge:
    """One Slurm account that may be charged for a slice."""

    account: str
    full: Limit | None = None
    """The limit that a session would wait for, because it is used up at the moment."""
    hours: float | None = None
    """For how many hours of the slice the budget is left; None where there is none, or it is not shown."""
    budget: Limit | None = None
    """The budget that is the tightest."""


@dataclass(frozen=True, slots=True)
class Terms:
    """On which terms a person gets a slice."""

    charges: tuple[Charge, ...] = ()
    """By the accounts among which there is a choice, the default first; none where they are not known."""
    price: float | None = None
    """What an hour costs at most, in units of `billing`; None where no partition says so."""


@dataclass(frozen=True, slots=True)
class Permitted:
    """A site as one person may use it."""

    site: Site
    """Without the slices for which Slurm would take no job of theirs."""
    terms: Mapping[str, Terms] = field(default_factory=dict)
    """By the slice's id, as far as they are known."""
    default: str = ""
    """The account that Slurm charges where a job names none."""
    unknown: bool = False
    """Whether Slurm has no association of theirs at all, so that it takes no job."""

    def accounts(self, slice_id: str) -> tuple[str, ...]:
        """The accounts that may be charged for a slice, the default first; none where they are not known."""
        return tuple(charge.account for charge in self.terms.get(slice_id, Terms()).charges)

    @property
    def choices(self) -> tuple[str, ...]:
        """The accounts that may be charged for one slice or another, the default first."""
        names = dict.fromkeys(name for picked in self.site.slice for name in self.accounts(picked.id))
        return tuple(sorted(names, key=lambda name: name != self.default))

    def account(self, picked: Slice, wished: str | None) -> str | None:
        """The account to name in a job on a slice; None where it is not known, and Slurm chooses.

        It is named though it may be Slurm's own choice: some sites refuse jobs that name none.
        """
        known = self.accounts(picked.id)
        if picked.account is not None or (wished and (wished in known or not known)):
            return picked.account or wished
        return known[0] if known else None


def permitted(
    site: Site,
    rules: Rules | None,
    rights: Rights | None,
    defaults: Mapping[str, str] = MappingProxyType({}),
) -> Permitted:
    """What of `site` somebody with `rights` may have; all of it where Slurm enforces or told nothing.

    `defaults` are what the hub's configuration says for slices that leave it open. They stay out of the
    slices: a hook may say something else for each person.
    """
    if rules is None:
        return Permitted(site)
    terms = {picked.id: _terms(picked, rules, rights) for picked in site.filled_in(defaults).slice}
    if rights is None or not rules.by_association:
        return Permitted(site, terms)
    left = tuple(picked for picked in site.slice if terms[picked.id].charges)
    return Permitted(
        site=site.model_copy(update={"slice": left}),
        terms=terms,
        default=rights.default_account,
        unknown=not rights.associations,
    )


def _terms(picked: Slice, rules: Rules, rights: Rights | None) -> Terms:
    wanted = demand(picked.cores, picked.memory_mb, picked.every_gres)
    prices = [price(rules.weights(p), wanted, most=rules.charges_most) for p in picked.partitions]
    # Which of several takes the job is not known before: no price is told that may be too low.
    cost = max((one for one in prices if one is not None), default=None)
    if rights is None or not rules.by_association:
        return Terms(price=cost)
    wanted["billing"] = picked.cores if cost is None else cost
    charges = []
    for account in rules.accounts(rights, picked.partitions, picked.account, picked.qos):
        named = (rules.qos(rights, p, account, picked.qos) for p in picked.partitions)
        qos = tuple(dict.fromkeys(name for names in named for name in names))
        hours, budget = rights.limits.budget(account, qos, wanted) or (None, None)
        charges.append(Charge(account, rights.limits.full(account, qos, wanted), hours, budget))
    return Terms(tuple(charges), cost)
