"""What a person may wish for, whichever way the wish comes."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skiva_hub.permitted import Charge, Permitted, Terms
from skiva_hub.site import Environment, Hub, Partition, Site, Slice
from skiva_images.record import ImageRecord
from skiva_slurm.jobs import Snapshot
from skiva_slurm.reservations import Reservation
from skiva_spawners.errors import BadOption
from skiva_spawners.options import choose

SITE = Site(
    hub=Hub(api_url="http://127.0.0.1:8081/hub/api"),
    partition=(Partition(name="gpu", max_hours=4), Partition(name="staff", users=("ann",))),
    slice=(
        Slice(id="1g.10gb", title="MIG", partition="gpu", gres="gpu:1g.10gb:1", memory_mb=4000),
        Slice(id="h100", title="GPU", partition="staff", gres="gpu:h100:1", memory_mb=8000, max_hours=1),
    ),
    environment=(Environment(id="base", title="Base", python=Path("/opt/base/bin/python")),),
)
NOBODY = frozenset[str]()


def test_an_empty_wish_gets_the_first_slice_and_the_sites_hours() -> None:
    """Everything is optional: the defaults suit most."""
    choice = choose({}, Permitted(SITE), "bob", NOBODY)
    assert (choice.slice.id, choice.environment.id, choice.hours) == ("1g.10gb", "base", 2.0)
    assert choose({"slice": "h100"}, Permitted(SITE), "ann", NOBODY).hours == 1, (
        "a shorter limit is a shorter default"
    )
    assert choose({"hours": 1 / 60}, Permitted(SITE), "bob", NOBODY).minutes == 1
    assert choose({"hours": 4.0}, Permitted(SITE), "bob", NOBODY).minutes == 240


@pytest.mark.parametrize(
    ("wish", "field"),
    [
        ({"slice": "1g.10gb\n#SBATCH --reservation=x"}, "slice"),
        ({"slice": "1g.10gb\r"}, "slice"),
        ({"slice": "1g.10gb\x00"}, "slice"),
        ({"slice": "1g.10gb\u2028"}, "slice"),
        ({"slice": "--uid=0"}, "slice"),
        ({"slice": ["1g.10gb"]}, "slice"),
        ({"slice": "h100"}, "slice"),
        ({"environment": "../../opt/evil"}, "environment"),
        ({"environment": "/opt/evil"}, "environment"),
        ({"hours": -1}, "hours"),
        ({"hours": 0}, "hours"),
        ({"hours": 1e9}, "hours"),
        ({"hours": float("nan")}, "hours"),
        ({"hours": float("inf")}, "hours"),
        ({"hours": True}, "hours"),
        ({"hours": "2"}, "hours"),
        ({"hours": "\uff14"}, "hours"),
        ({"hours": "0x10"}, "hours"),
        ({"hours": [2]}, "hours"),
        ({"hours": 5}, "hours"),
        ({"hours": 0.001}, "hours"),
        ({"hours": 0.016}, "hours"),
        ({"account": ""}, "account"),
        ({"account": "-x"}, "account"),
        ({"account": "a,b"}, "account"),
        ({"account": "a\n"}, "account"),
        ({"account": 5}, "account"),
        ({"cmd": "id"}, "cmd"),
        ({"keepvars": "ALL"}, "keepvars"),
        ({"req_partition": "staff"}, "req_partition"),
        ({"homedir": "/root"}, "homedir"),
        ({"prologue": "curl"}, "prologue"),
    ],
)
def test_a_bad_wish_is_refused_with_the_name_of_its_field(wish: dict[str, object], field: str) -> None:
    """Nothing but the site's own words and bounded numbers is taken."""
    with pytest.raises(BadOption) as caught:
        choose(wish, Permitted(SITE), "bob", NOBODY)
    assert str(caught.value).startswith(f"{field}: ")
    assert "\n" not in str(caught.value)


class Endless(Mapping[str, object]):
    """More options than anybody would look through."""

    def __iter__(self) -> Iterator[str]:
        yield "k0"
        raise AssertionError("looked further than the first surplus option")

    def __len__(self) -> int:
        return 10**9

    def __getitem__(self, name: str) -> object:
        raise AssertionError(f"looked at {name}")


def test_one_surplus_option_is_as_good_as_a_million() -> None:
    """The hub does not read on after the first: describing all of them would stop it for everybody."""
    with pytest.raises(BadOption, match=r"^k0: there is no such option"):
        choose(Endless(), Permitted(SITE), "bob", NOBODY)


def test_a_slice_of_a_partition_for_others_is_not_on_offer() -> None:
    """Who may use what is decided by the site, not by what the form showed."""
    assert choose({"slice": "h100", "hours": 1}, Permitted(SITE), "ann", NOBODY).slice.id == "h100"
    with pytest.raises(BadOption, match="not among those you may use"):
        choose({"slice": "h100", "hours": 1}, Permitted(SITE), "bob", NOBODY)


@pytest.mark.parametrize(("gpu", "refused"), [("unused", False), ("helps", False), ("required", True)])
def test_an_environment_that_needs_a_gpu_is_not_started_without_one(gpu: str, refused: bool) -> None:
    """What its record says holds whichever way the wish came; on a slice with a GPU it starts."""
    cores = Slice(id="cpu", title="Cores", partition="gpu", memory_mb=4000, isolation="none")
    site = SITE.model_copy(update={"slice": (*SITE.slice, cores)})
    values = {"name": "base", "form": "env", "digest": "sha256:" + "0" * 64, "python": "/p", "gpu": gpu}
    records = {"base": ImageRecord.model_validate({**values, "python_version": "3.11.2"})}
    assert choose({"slice": "1g.10gb"}, Permitted(site), "bob", NOBODY, records).environment.id == "base"
    assert choose({"slice": "cpu"}, Permitted(site), "bob", NOBODY, {}).slice.id == "cpu"
    if not refused:
        assert choose({"slice": "cpu"}, Permitted(site), "bob", NOBODY, records).slice.id == "cpu"
        return
    with pytest.raises(BadOption, match=r"^environment: Base needs a GPU, and Cores has none; choose"):
        choose({"slice": "cpu"}, Permitted(site), "bob", NOBODY, records)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.dictionaries(st.sampled_from(["slice", "environment", "hours", "cmd"]) | st.text(), JSON, max_size=4)
)
def test_whatever_is_wished_for_is_granted_as_the_site_has_it_or_refused_in_one_sentence(
    wish: dict[str, object],
) -> None:
    """Property: no input makes anything but a choice of the site's or a BadOption of one line."""
    choice, sentence = None, ""
    try:
        choice = choose(wish, Permitted(SITE), "bob", NOBODY)
    except BadOption as problem:
        sentence = str(problem)
    if choice is None:
        assert len(sentence.splitlines()) == 1
        assert len(sentence) < 400
    else:
        assert choice.slice in SITE.slice
        assert choice.environment in SITE.environment
        assert 1 <= choice.minutes <= 240


def _reserved(held: Reservation | None) -> tuple[Site, Snapshot]:
    return SITE.filled_in({"reservation": "course"}), Snapshot.of(0.0, {}, {}, {"course": held})


def test_hours_end_with_the_reservation() -> None:
    """Without a wish it is what is left; more is refused, but for the minutes of a look at the page."""
    now = 1_790_000_000.0
    site, snapshot = _reserved(Reservation("course", now - 60, now + 3630))

    def hours(**wish: float) -> float:
        return choose(
            {"slice": "1g.10gb", **wish}, Permitted(site), "bob", NOBODY, snapshot=snapshot, now=now
        ).hours

    assert hours() == 1
    assert hours(hours=0.5) == 0.5
    assert hours(hours=1.05) == 1
    with pytest.raises(
        BadOption, match=r"at most 1 hours are possible .* as its reservation ends at \d\d:\d\d"
    ):
        hours(hours=2.0)
    with pytest.raises(BadOption, match=r"at most 4 hours are possible on [^,]*, not 5"):
        choose({"slice": "1g.10gb", "hours": 5.0}, Permitted(SITE), "bob", NOBODY, snapshot=snapshot, now=now)


def test_a_slice_without_its_reservation_is_refused() -> None:
    """With one sentence that says what to do; what was not read is left to Slurm."""
    site, snapshot = _reserved(None)
    with pytest.raises(BadOption, match=r"^slice: the reservation course of .* choose another slice"):
        choose({"slice": "1g.10gb"}, Permitted(site), "bob", NOBODY, snapshot=snapshot, now=10.0)
    for unknown in (None, Snapshot.of(0.0, {}, {})):
        assert (
            choose({"slice": "1g.10gb"}, Permitted(site), "bob", NOBODY, snapshot=unknown, now=10.0).hours
            == 2
        )


def test_who_pays_is_chosen_among_the_accounts_that_can() -> None:
    """The chosen account is asked of Slurm; one that cannot pay is refused with those that can."""
    allowed = Permitted(SITE, {"1g.10gb": Terms((Charge("physics"), Charge("chem")))}, default="physics")
    wish = {"slice": "1g.10gb"}
    assert choose(wish, allowed, "bob", NOBODY).account == "physics"
    assert choose({**wish, "account": "chem"}, allowed, "bob", NOBODY).account == "chem"
    with pytest.raises(BadOption, match=r"account: astro cannot be charged for .*: physics, chem"):
        choose({**wish, "account": "astro"}, allowed, "bob", NOBODY)
    assert choose({**wish, "account": "any"}, Permitted(SITE), "bob", NOBODY).account == "any"


def test_a_slice_with_an_account_of_its_own_is_charged_to_that() -> None:
    """What the operator wrote down is not for people to choose."""
    site = SITE.filled_in({"account": "course"})
    assert choose({"account": "course"}, Permitted(site), "bob", NOBODY).account == "course"
    with pytest.raises(BadOption, match=r"account: .* is charged to course; leave account out"):
        choose({"account": "physics"}, Permitted(site), "bob", NOBODY)


def test_who_is_unknown_to_slurm_is_told_so() -> None:
    """Not that this site offers them no slice: the cure is another one."""
    nothing = SITE.model_copy(update={"slice": ()})
    with pytest.raises(BadOption, match=r"slice: Slurm has no account for you"):
        choose({}, Permitted(nothing, unknown=True), "bob", NOBODY)
