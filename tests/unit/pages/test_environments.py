"""What the spawn page says of each environment, and how the hub learns it."""

import os
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.unit.pages import samples
from tests.unit.pages.samples import NOW
from tests.unit.pages.test_render import HOSTILE, USER, Tags

from skiva_hub.pages.cards import board
from skiva_hub.pages.environments import EnvironmentCard, environment_cards, named
from skiva_hub.pages.records import RecordReader
from skiva_hub.pages.render import options_form, template_vars
from skiva_hub.permitted import Permitted
from skiva_hub.site import Site


def _card(environment: str, site: Site | None = None, *known: str) -> EnvironmentCard:
    found = environment_cards(
        site or samples.site(environments=3), USER, frozenset(), samples.records(*known)
    )
    return next(card for card in found if card.id == environment)


def test_a_recorded_environment_says_what_is_in_it() -> None:
    """Python comes first, then what the definition shows; the digest is there in full and in short."""
    card = _card("pytorch", None, "pytorch")
    assert [(v.name, v.version) for v in card.versions] == [
        ("Python", "3.11.2"),
        ("torch", "2.13.0"),
        ("captum", "0.8.0"),
        ("jupyterlab", "4.6.6"),
    ]
    assert (card.gpu, card.packages) == ("helps", 2)
    assert card.digest.removeprefix("sha256:").startswith(card.short_digest)


def test_without_a_record_the_page_says_what_the_site_file_says() -> None:
    """A hub that cannot read a record offers the environment all the same."""
    card = _card("pytorch")
    assert (card.title, card.description) == ("PyTorch", "PyTorch 2, CUDA 13.")
    assert (card.versions, card.packages, card.digest, card.gpu) == ((), None, "", "unused")


def test_the_records_description_stands_in_for_one_that_the_site_file_lacks() -> None:
    """The operator's own words come first."""
    site = samples.site()
    bare = site.model_copy(
        update={"environment": tuple(e.model_copy(update={"description": ""}) for e in site.environment)}
    )
    records = {"base": samples.record("base", description="From the record.")}
    assert environment_cards(bare, USER, frozenset(), records)[0].description == "From the record."
    assert environment_cards(site, USER, frozenset(), records)[0].description == "JupyterLab and all of ours."


def test_only_an_image_is_said_to_be_one() -> None:
    """The form is named where it makes a difference to the person."""
    site = samples.site()
    image = site.environment[0].model_copy(update={"launcher": "namespace", "image": Path("/opt/base.sif")})
    changed = site.model_copy(update={"environment": (image, *site.environment[1:])})
    assert _card("base", changed).image.startswith("An image")
    assert _card("pytorch", changed).image == ""


def test_environments_that_are_kept_for_others_are_not_told() -> None:
    """Neither the page nor its JSON says that they exist."""
    site = samples.site()
    kept = site.environment[1].model_copy(update={"users": ("somebody",)})
    site = site.model_copy(update={"environment": (site.environment[0], kept)})
    told = board(Permitted(site), USER, frozenset(), None, NOW, samples.records("base", "pytorch"))
    assert [card["id"] for card in told["environments"]] == ["base"]


def test_a_pending_page_names_the_environment_with_a_short_digest() -> None:
    """One that has left the site since is named as it was chosen."""
    site, records = samples.site(), samples.records("base")
    assert named(site, "base", records) == f"Base ({records['base'].short_digest})"
    assert named(site, "pytorch", records) == "PyTorch"
    assert named(site, "gone", records) == "gone"
    told = template_vars(site, lambda: records)
    assert told["skiva_environments"].of("pytorch") == "PyTorch"
    # JupyterHub would call what can be called, with a user, for its value.
    assert not any(map(callable, told.values()))


def test_hostile_text_in_a_record_is_only_text() -> None:
    """Who can write a record can put words on the page, and nothing else."""
    versions = {HOSTILE: HOSTILE}
    record = samples.record("base", good_for=HOSTILE, needs=HOSTILE, built=HOSTILE, versions=versions)
    html = options_form(Permitted(samples.site()), USER, frozenset(), None, NOW, records={"base": record})
    assert not {"script", "img"} & {tag for tag, _ in Tags(html).found}
    # Each of them is there to be read.
    assert html.count("&lt;script&gt;alert(1)") >= 4


def _site_at(python: Path) -> Site:
    site = samples.site()
    return site.model_copy(
        update={"environment": (site.environment[0].model_copy(update={"python": python}),)}
    )


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    """Where an environment lies."""
    (tmp_path / "bin").mkdir()
    return tmp_path


def test_a_record_is_read_again_when_it_changes(prefix: Path) -> None:
    """A new version of an environment is on the page without a restart; a broken record is none."""
    reader = RecordReader(_site_at(prefix / "bin/python"), every=0.01)
    reader.start()
    try:
        assert reader.records == {}
        (prefix / "image.json").write_text(samples.record("base").text())
        _until(lambda: "base" in reader.records)
        draft = prefix / "draft"
        draft.write_text(samples.record("base", python_version="3.13.1").text())
        draft.replace(prefix / "image.json")
        _until(lambda: reader.records["base"].python_version == "3.13.1")
        (prefix / "image.json").write_text("{")
        _until(lambda: "base" not in reader.records)
    finally:
        reader.stop()


def test_a_file_system_that_hangs_does_not_hold_the_page(prefix: Path) -> None:
    """While the reader waits for ever, the page is made of what is known."""
    os.mkfifo(prefix / "image.json")
    reader = RecordReader(_site_at(prefix / "bin/python"), every=0.01)
    begun = time.monotonic()
    reader.start()
    assert environment_cards(_site_at(prefix / "bin/python"), USER, frozenset(), reader.records)
    assert time.monotonic() - begun < 5
    reader.stop()
    # The one that waits is let go, so that it ends with this test.
    with (prefix / "image.json").open("w") as pipe:
        pipe.write("{}")
