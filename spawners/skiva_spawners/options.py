"""What a person chose for a session, checked in one place whichever way it came."""

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from skiva_hub.pages import reserved, words
from skiva_hub.pages.environments import Records
from skiva_hub.permitted import Permitted
from skiva_hub.site import Environment, Site, Slice
from skiva_slurm.jobs import Snapshot
from skiva_spawners.errors import BadOption

_Offer = TypeVar("_Offer", Slice, Environment)
_Account = Annotated[str, StringConstraints(strict=True, pattern=r"\A[A-Za-z0-9][A-Za-z0-9_.@+-]{0,63}\z")]
_Id = Annotated[str, StringConstraints(strict=True, pattern=r"\A[A-Za-z0-9][A-Za-z0-9_.-]{0,39}\z")]

_LOOKING = 0.1
"""Hours for which a person may look at the page, while those until a reservation ends become fewer."""

_NEEDS = {
    "slice": "must be the id of a slice that this site offers",
    "environment": "must be the id of an environment that this site offers",
    "hours": "must be a number of hours above 0, such as 2 or 0.5",
    "account": "must be the name of a Slurm account",
}


class SpawnOptions(BaseModel):
    """The wish as it arrives from the form, the REST body or the hub's database."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    slice: _Id | None = None
    environment: _Id | None = None
    hours: Annotated[float, Field(strict=True, gt=0, le=24 * 30, allow_inf_nan=False)] | None = None
    account: _Account | None = None
    """The Slurm account that pays."""


class Choice(BaseModel):
    """A wish that the site grants to this person now."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    slice: Slice
    environment: Environment
    hours: float
    account: str | None = None
    """The Slurm account to charge; None where that is left to the hub's settings and to Slurm."""

    @property
    def minutes(self) -> int:
        """The time limit that is asked of Slurm."""
        return max(1, round(self.hours * 60))


def choose(
    wish: Mapping[str, Any],
    allowed: Permitted,
    user: str,
    groups: frozenset[str],
    records: Records | None = None,
    *,
    snapshot: Snapshot | None = None,
    now: float = 0.0,
) -> Choice:
    """Check `wish` against what the site allows today, and fill in what it leaves out.

    `records` say what environments need, and `snapshot` which reservations there are `now`, as far as it is
    known.

    Raises:
        BadOption: with one sentence that names the field.
    """
    options, site = _parse(wish), allowed.site
    picked = _pick("slice", options.slice, site.slices_for(user, groups), unknown=allowed.unknown)
    environment = _pick("environment", options.environment, site.environments_for(user, groups))
    record = (records or {}).get(environment.id)
    if picked.gres is None and record is not None and record.gpu == "required":
        raise BadOption(
            "environment",
            f"{environment.title} needs a GPU, and {picked.title} has none; choose another slice",
        )
    hours = _hours(options.hours, site, picked, snapshot, now)
    if hours < 1 / 60:
        raise BadOption("hours", "must be at least one minute (0.017)")
    account = _account(options.account, picked, allowed)
    return Choice(slice=picked, environment=environment, hours=hours, account=account)


def _account(wished: str | None, picked: Slice, allowed: Permitted) -> str | None:
    if wished is None or wished == picked.account:
        return allowed.account(picked, None)
    if picked.account is not None:
        raise BadOption("account", f"{picked.title} is charged to {picked.account}; leave account out")
    known = allowed.accounts(picked.id)
    if known and wished not in known:
        names = ", ".join(known)
        raise BadOption("account", f"{wished} cannot be charged for {picked.title}; choose among: {names}")
    return wished


def _hours(asked: float | None, site: Site, picked: Slice, snapshot: Snapshot | None, now: float) -> float:
    if reserved.is_missing(picked, snapshot, now):
        why = f"the reservation {picked.reservation} of {picked.title} does not exist, or not any more"
        raise BadOption("slice", f"{why}; choose another slice, or ask the operators")
    longest, allowed = reserved.max_hours(site, picked, snapshot, now), site.max_hours(picked)
    hours = min(site.hours.default, longest) if asked is None else asked
    ends = reserved.ends(picked, snapshot, now)
    if ends and longest < hours <= min(allowed, longest + _LOOKING):
        return longest
    if hours > longest:
        why = f", as its reservation ends at {words.clock(ends, now)}" if ends and longest < allowed else ""
        raise BadOption(
            "hours", f"at most {longest:.3g} hours are possible on {picked.title}{why}, not {hours:g}"
        )
    return hours


def _parse(wish: Mapping[str, Any]) -> SpawnOptions:
    # Before pydantic, which would describe each of a million surplus ones.
    for name in wish:
        if name not in SpawnOptions.model_fields:
            shown = ascii(str(name)[:60])[1:-1][:60] or "options"
            raise BadOption(shown, "there is no such option; there are slice, environment, hours and account")
    try:
        return SpawnOptions.model_validate(dict(wish))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        field = ".".join(str(part) for part in first["loc"])[:60] or "options"
        raise BadOption(field, _NEEDS.get(field, first["msg"])) from None


def _pick(field: str, wanted: str | None, offered: tuple[_Offer, ...], *, unknown: bool = False) -> _Offer:
    if unknown:
        raise BadOption(
            field, "Slurm has no account for you, so it takes no session; ask the operators for one"
        )
    if not offered:
        raise BadOption(field, f"this site offers you no {field}; please ask its operators")
    if wanted is None:
        return offered[0]
    for one in offered:
        if one.id == wanted:
            return one
    names = ", ".join(one.id for one in offered)
    raise BadOption(field, f"{wanted} is not among those you may use: {names}")
