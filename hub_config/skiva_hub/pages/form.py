"""The spawn form's fields: from what a browser sends to the options of a session, and back."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from skiva_hub.permitted import Permitted
from skiva_hub.site import Site, Slice

FIELDS = ("slice", "environment", "hours", "account")

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")
_ACCOUNT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.@+-]{0,63}")
_NUMBER = re.compile(r"[0-9]{1,3}(?:[.,][0-9]{1,4})?")
_NOT_OURS = frozenset({"_xsrf"})


class OnlyFillsIn(Exception):
    """Raised by a spawner's `options_from_query`: a link fills in the form and starts nothing.

    JupyterHub shows the form when that method raises; the empty messages keep it from
    showing an error above it.
    """

    jupyterhub_message = ""
    jupyterhub_html_message = ""


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the form shows as chosen when it opens; all of it is on offer to this person."""

    slice: str | None
    environment: str | None
    hours: float
    account: str | None = None
    """The Slurm account that pays, where there is a choice."""


def from_form(formdata: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Turn the form's fields into the options of a session.

    Fields that are left empty are left out, so that the site's defaults apply.

    Raises:
        ValueError: with one sentence that begins with the name of the field.
    """
    options: dict[str, Any] = {}
    for name, values in formdata.items():
        if name in _NOT_OURS:
            continue
        if name not in FIELDS:
            raise ValueError(f"{ascii(name[:40])[1:-1]}: there is no such field in this form.")
        text = _single(name, values)
        if text:
            options[name] = _KINDS.get(name, _id)(name, text)
    return options


def from_query(arguments: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """Read a link's fields, such as `slice=` (or `opt-slice=`), dropping whatever does not fit."""
    wish: dict[str, Any] = {}
    for name in FIELDS:
        for key in (f"opt-{name}", name):
            if key not in arguments:
                continue
            try:
                wish |= from_form({name: arguments[key]})
            except ValueError:
                continue
            break
    return wish


def chosen(allowed: Permitted, user: str, groups: frozenset[str], *wishes: Mapping[str, Any]) -> Chosen:
    """What the form opens with: for each field the first of `wishes` that is on offer now.

    Wishes may be anything that was kept or sent, so whatever does not fit is passed over.
    """
    site = allowed.site
    slices = site.slices_for(user, groups)
    environments = site.environments_for(user, groups)
    picked = _first(wishes, "slice", [s.id for s in slices])
    environment = _first(wishes, "environment", [e.id for e in environments])
    longest = _longest(site, slices, picked)
    account = _first(wishes, "account", list(allowed.choices))
    return Chosen(picked, environment, min(_first_hours(wishes, site.hours.default), longest), account)


def _single(name: str, values: Sequence[str]) -> str:
    if isinstance(values, str) or len(values) != 1 or not isinstance(values[0], str):
        raise ValueError(f"{name}: must be given exactly once.")
    return values[0].strip(" ")


def _id(name: str, text: str) -> str:
    if not _ID.fullmatch(text):
        raise ValueError(f"{name}: is not the name of anything on offer; please choose from the list.")
    return text


def _account(name: str, text: str) -> str:
    if not _ACCOUNT.fullmatch(text):
        raise ValueError(f"{name}: must be the name of a Slurm account of yours.")
    return text


def _hours(name: str, text: str) -> float:
    if not _NUMBER.fullmatch(text):
        raise ValueError(f"{name}: must be a number such as 2 or 1.5.")
    hours = float(text.replace(",", "."))
    if hours <= 0:
        raise ValueError(f"{name}: must be more than 0.")
    return hours


_KINDS: Mapping[str, Callable[[str, str], Any]] = {"hours": _hours, "account": _account}


def _first(wishes: Sequence[Mapping[str, Any]], name: str, offered: list[str]) -> str | None:
    for wish in wishes:
        if isinstance(wish.get(name), str) and wish[name] in offered:
            return str(wish[name])
    return offered[0] if offered else None


def _first_hours(wishes: Sequence[Mapping[str, Any]], default: float) -> float:
    for wish in wishes:
        hours = wish.get("hours")
        if isinstance(hours, (int, float)) and not isinstance(hours, bool) and 0 < hours <= 24 * 30:
            return float(hours)
    return default


def _longest(site: Site, slices: Sequence[Slice], picked: str | None) -> float:
    return next((site.max_hours(s) for s in slices if s.id == picked), site.hours.max)
