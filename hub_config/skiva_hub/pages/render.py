"""The options form as HTML, for a spawner's `options_form`."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from skiva_hub.pages import words
from skiva_hub.pages.cards import board
from skiva_hub.pages.environments import Records, named
from skiva_hub.pages.form import chosen
from skiva_hub.permitted import Permitted
from skiva_hub.site import Site
from skiva_slurm.jobs import Snapshot

TEMPLATES = Path(__file__).parent.parent / "templates"
"""For `JupyterHub.template_paths`."""
STATIC = Path(__file__).parent.parent / "static"

_QUICK = (0.5, 1, 2, 4, 8, 12, 24, 48, 72, 168)
_QUICK_SHOWN = 5


def options_form(
    allowed: Permitted,
    user: str,
    groups: frozenset[str],
    snapshot: Snapshot | None,
    now: float,
    *wishes: Mapping[str, Any],
    records: Records | None = None,
) -> str:
    """The form for `user`, a member of the hub's `groups`; never empty, so that a GET never starts.

    Args:
        now: seconds since the epoch.
        wishes: what to open with, the strongest first: the link's, the last try's, the last session's.
        records: of the environments, as far as they are known.
    """
    shown = board(allowed, user, groups, snapshot, now, records)
    longest = max((card["max_hours"] for card in shown["slices"]), default=0)
    opened = chosen(allowed, user, groups, *wishes)
    bounds = [card["max_hours"] for card in shown["slices"] if card["id"] == opened.slice]
    template = _jinja().get_template("skiva_options.html")
    return template.render(
        board=shown,
        chosen=replace(opened, hours=min([opened.hours, *bounds])),
        environments=shown["environments"],
        quick=[(amount, words.hours(amount)) for amount in quick_hours(longest)],
        local=lambda stamp: words.clock(words.moment(stamp), now),
    )


def quick_hours(longest: float) -> tuple[float, ...]:
    """The lengths that are one click away, up to and with the longest."""
    fitting = [h for h in _QUICK if h < longest]
    return (*fitting[-(_QUICK_SHOWN - 1) :], longest) if longest else ()


class _Names:
    """Tells pages what to call an environment. No function: JupyterHub would call that for its value."""

    def __init__(self, site: Site, records: Callable[[], Records]) -> None:
        self._site = site
        self._records = records

    def of(self, environment: object) -> str:
        return named(self._site, str(environment), self._records())


def template_vars(site: Site, records: Callable[[], Records] = dict) -> dict[str, Any]:
    """For `JupyterHub.template_vars`: what every page says about the site and its environments."""
    return {
        "skiva_title": site.title,
        "skiva_notice": site.notice,
        "skiva_environments": _Names(site, records),
    }


@cache
def _jinja() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
