"""From the form and from links to the options of a session."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.unit.pages import samples

from skiva_hub.pages.form import FIELDS, Chosen, chosen, from_form, from_query
from skiva_hub.permitted import Permitted

USER = "researcher1"


def test_a_filled_in_form_becomes_options() -> None:
    """Ids stay text, hours become a number, the XSRF field is none of ours."""
    posted = {"slice": ["1g.10gb"], "environment": ["base"], "hours": ["1.5"], "_xsrf": ["x"]}
    assert from_form(posted) == {"slice": "1g.10gb", "environment": "base", "hours": 1.5}
    assert from_form({"account": ["chem-2"]}) == {"account": "chem-2"}


def test_empty_fields_are_left_to_the_sites_defaults() -> None:
    """What was not filled in is not in the options."""
    assert from_form({"slice": ["cpu"], "environment": [""], "hours": [" "]}) == {"slice": "cpu"}


@pytest.mark.parametrize(
    ("posted", "field"),
    [
        ({"slice": ["a", "b"]}, "slice"),
        ({"slice": []}, "slice"),
        ({"slice": ["1g.10gb\n#SBATCH --uid=0"]}, "slice"),
        ({"slice": ["-x"]}, "slice"),
        ({"slice": ["a\u2028"]}, "slice"),
        ({"environment": ["/home/x/venv"]}, "environment"),
        ({"environment": ["../base"]}, "environment"),
        ({"hours": ["\N{FULLWIDTH DIGIT TWO}"]}, "hours"),
        ({"hours": ["nan"]}, "hours"),
        ({"hours": ["1e9"]}, "hours"),
        ({"hours": ["-1"]}, "hours"),
        ({"hours": ["0"]}, "hours"),
        ({"hours": ["0x10"]}, "hours"),
        ({"hours": ["UNLIMITED"]}, "hours"),
        ({"account": ["a,b"]}, "account"),
        ({"account": ["a\n--uid=0"]}, "account"),
        ({"account": ["-x"]}, "account"),
        ({"prologue": ["id"]}, "prologue"),
        ({"image_file": ["x"]}, "image_file"),
    ],
)
def test_what_does_not_belong_is_refused_with_the_fields_name(
    posted: dict[str, list[str]], field: str
) -> None:
    """Every refusal is a ValueError whose sentence begins with the field."""
    with pytest.raises(ValueError, match=rf"^{field}: .*\.$"):
        from_form(posted)


_NAMES = st.sampled_from([*FIELDS, "_xsrf"]) | st.text(max_size=12)
_VALUES = st.sampled_from(["cpu", "1g.10gb", "1.5", "", "base\n", "-x", "\u2028"]) | st.text(max_size=30)


@given(st.dictionaries(_NAMES, st.lists(_VALUES, max_size=2), max_size=4))
@example({"slice": ["1g.10gb"], "hours": ["1.5"]})
def test_whatever_is_posted_gives_known_options_or_a_sentence(posted: dict[str, list[str]]) -> None:
    """No input gives another exception, another key or a value with odd characters."""
    refusal, options = ".", {}
    try:
        options = from_form(posted)
    except ValueError as refused:
        refusal = str(refused)
    assert refusal.isprintable()
    assert refusal.endswith(".")
    assert set(options) <= set(FIELDS) & set(posted)
    assert all(str(value).isascii() and str(value).isprintable() for value in options.values())


def test_a_link_fills_in_what_fits_and_drops_the_rest() -> None:
    """A crafted link can only preselect; what is not an option of ours has no effect."""
    link = {"opt-slice": ["h100"], "slice": ["cpu"], "hours": ["<script>"], "environment_path": ["/x"]}
    assert from_query(link) == {"slice": "h100"}


def test_the_form_opens_with_the_strongest_wish_that_is_on_offer() -> None:
    """The link comes before the last session, which comes before the site's defaults."""
    site = samples.site()
    last = {"slice": "shard", "environment": "pytorch", "hours": 6.0}
    assert chosen(Permitted(site), USER, frozenset(), {"slice": "h100"}, last) == Chosen("h100", "pytorch", 4)
    assert chosen(Permitted(site), USER, frozenset(), {}, {}) == Chosen("cpu", "base", 2)


@pytest.mark.parametrize(
    "odd", [{"slice": "2xh100"}, {"slice": 7}, {"hours": True}, {"hours": "x"}, {"hours": 1e9}]
)
def test_a_choice_that_is_not_on_offer_any_more_is_passed_over(odd: dict[str, object]) -> None:
    """Options that the database kept may be of another time or of anybody's making."""
    assert chosen(Permitted(samples.site()), USER, frozenset(), odd) == Chosen("cpu", "base", 2)
