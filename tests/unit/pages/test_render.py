"""The options form as HTML."""

import json
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from tests.unit.pages import samples
from tests.unit.pages.samples import NOW

from skiva_hub.pages.render import options_form, quick_hours
from skiva_hub.permitted import Permitted
from skiva_hub.site import Site

USER = "researcher1"
HOSTILE = "</script><script>alert(1)</script>\"'><img src=x onerror=alert(2)>{{ 7*7 }}"


class Tags(HTMLParser):
    """The tags of a page, in order."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def _form(site: Site | None = None, **more: object) -> str:
    snapshot = samples.full(samples.pending(300))
    return options_form(Permitted(site or samples.site()), USER, frozenset(), snapshot, NOW, more)


def test_the_slices_are_one_group_of_radio_buttons_with_the_choice_checked() -> None:
    """A keyboard and a screen reader get a native radio group with labels and descriptions."""
    tags = Tags(_form(slice="h100"))
    radios = [a for t, a in tags.found if t == "input" and a.get("name") == "slice"]
    assert {a["type"] for a in radios} == {"radio"}
    assert [a["value"] for a in radios if "checked" in a] == ["h100"]
    ids = {a["id"] for _, a in tags.found if "id" in a}
    described = [set((a["aria-describedby"] or "").split()) for a in radios]
    assert all(described)
    assert set().union(*described) <= ids
    labels = {a["for"] for t, a in tags.found if t == "label"}
    assert {a["id"] for a in radios} <= labels


def test_a_single_environment_is_not_asked_for() -> None:
    """With one environment there is nothing to choose."""
    tags = Tags(_form(samples.site(environments=1)))
    assert [a["type"] for t, a in tags.found if a.get("name") == "environment"] == ["hidden"]
    assert len([1 for t, a in Tags(_form()).found if a.get("name") == "environment"]) == 2


def test_hostile_text_from_the_site_or_from_slurm_is_only_text() -> None:
    """Neither a title nor anything in the page's data can end its attribute or begin a tag."""
    site = samples.site()
    slices = tuple(s.model_copy(update={"description": HOSTILE, "title": HOSTILE[:70]}) for s in site.slice)
    html = options_form(
        Permitted(site.model_copy(update={"slice": slices})),
        USER,
        frozenset(),
        replace(samples.full(), nodes={"n1": samples.node(reason=HOSTILE), "c1": samples.cpu_node()}),
        NOW,
    )
    tags = Tags(html)
    assert not {"script", "img"} & {tag for tag, _ in tags.found}
    assert "49" not in html.replace("{{ 7*7 }}", "")
    board = next(a["data-board"] for _, a in tags.found if "data-board" in a)
    assert json.loads(board or "")["slices"][0]["description"] == HOSTILE


def test_nothing_in_the_form_runs_inline() -> None:
    """No inline script, style or handler: a strict content security policy does not break it."""
    found = Tags(_form()).found
    assert {"form", "input", "button"} & {tag for tag, _ in found}
    for tag, attributes in found:
        assert tag not in {"script", "style"}
        assert not [name for name in attributes if name == "style" or name.startswith("on")]


def test_somebody_without_any_slice_still_gets_a_form() -> None:
    """An empty form would make JupyterHub start a server at once."""
    site = samples.site()
    none = site.model_copy(
        update={"slice": tuple(s.model_copy(update={"users": ("x",)}) for s in site.slice)}
    )
    html = options_form(Permitted(none), USER, frozenset(), None, NOW)
    assert "No slice of this site is open to you" in html
    assert "disabled" in next(a for t, a in Tags(html).found if a.get("id") == "skiva-start")


@pytest.mark.parametrize(
    ("longest", "offered"),
    [(8, (0.5, 1, 2, 4, 8)), (0.25, (0.25,)), (3, (0.5, 1, 2, 3)), (72, (8, 12, 24, 48, 72)), (0, ())],
)
def test_the_usual_lengths_end_with_the_longest(longest: float, offered: tuple[float, ...]) -> None:
    """A click away are a few lengths, the longest of them what the slices allow."""
    assert quick_hours(longest) == offered
