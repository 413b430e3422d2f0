"""What of a site one person may have, by what Slurm told of them."""

from dataclasses import replace
from pathlib import Path

from tests.unit.slurm.test_rights import ANNA, RULES, TOLD, UID

from skiva_hub.pages.charges import charge_cards, waits_for
from skiva_hub.permitted import Permitted, permitted
from skiva_hub.site import Environment, Hub, Partition, Site, Slice
from skiva_slurm.rights import Rights, Rules, parse_rights


def _slice(id: str, partition: str, **more: object) -> Slice:  # noqa: A002
    return Slice.model_validate(
        {"id": id, "title": id, "partition": partition, "cores": 4, "memory_mb": 16000, **more}
    )


SITE = Site(
    hub=Hub(api_url="http://127.0.0.1:8081/hub/api"),
    partition=tuple(Partition(name=name) for name in ("gpu", "teaching", "staff")),
    slice=(
        _slice("a100", "gpu", gres="gpu:a100:1", qos="gpu1"),
        _slice("cpu", "gpu", isolation="none"),
        _slice("chem", "gpu", isolation="none", account="chem"),
        _slice("course", "teaching", isolation="none"),
        _slice("staff", "staff", isolation="none"),
    ),
    environment=(Environment(id="base", title="Base", python=Path("/usr/bin/python3")),),
)


def test_a_slice_that_slurm_would_refuse_is_not_offered() -> None:
    """By account, QOS, partition and group; the others say who may be charged, the default first."""
    allowed = permitted(SITE, RULES, ANNA)
    assert [s.id for s in allowed.site.slice] == ["a100", "cpu", "chem", "course"]
    assert [allowed.accounts(s.id) for s in allowed.site.slice] == [
        ("physics",),
        ("physics", "chem"),
        ("chem",),
        ("physics",),
    ]
    assert allowed.choices == ("physics", "chem")


def test_who_has_no_association_is_offered_nothing() -> None:
    """An empty answer is one, where Slurm enforces associations: it takes no job of theirs."""
    allowed = permitted(SITE, RULES, Rights(()))
    assert (allowed.site.slice, allowed.unknown) == ((), True)


def test_what_is_not_known_takes_nothing_away() -> None:
    """Without rules or an answer, or where nothing is enforced, everything is on offer."""
    for rules, rights in ((None, ANNA), (RULES, None), (Rules(), Rights(()))):
        allowed = permitted(SITE, rules, rights)
        assert allowed.site == SITE
        assert (allowed.unknown, allowed.choices) == (False, ())


def test_the_account_that_pays_is_named_where_it_is_known() -> None:
    """A wish that can pay, what the slice says, Slurm's default where it can pay, else the first that can."""
    cpu, course = SITE.slice[1], SITE.slice[3]
    allowed = permitted(SITE, RULES, ANNA)
    assert allowed.account(cpu, None) == "physics"
    assert allowed.account(cpu, "chem") == "chem"
    assert allowed.account(course, "chem") == "physics", "chem cannot pay there"
    assert allowed.account(SITE.slice[2], "physics") == "chem"
    other = permitted(SITE, RULES, parse_rights(TOLD.replace("rig|physics|", "rig|bio|"), "", RULES, UID, []))
    assert other.account(cpu, None) == "chem"
    assert Permitted(SITE).account(cpu, "any") == "any", "where nothing is known, sbatch decides"
    assert Permitted(SITE).account(cpu, None) is None


def test_what_the_hub_says_for_all_slices_pays_and_stays_out_of_them() -> None:
    """With req_account there is no choice; a hook that sets another one for a person still goes before it."""
    allowed = permitted(SITE, RULES, ANNA, {"account": "chem"})
    assert [s.id for s in allowed.site.slice] == ["cpu", "chem"]
    assert allowed.choices == ("chem",)
    assert [s.account for s in allowed.site.slice] == [None, "chem"]


def test_what_a_slice_costs_and_what_is_left_is_told_in_words() -> None:
    """A used-up limit, a budget in hours of the slice, a price; nothing where Slurm says nothing."""
    terms = permitted(SITE, RULES, ANNA).terms
    told = "gpu1 has a limit of 1 GPU at a time, and 1 GPU in use: a session would wait."
    assert waits_for(terms["a100"]) == told
    assert waits_for(terms["cpu"]) == ""
    chem = charge_cards(terms["chem"])[0]
    assert (chem.hours, chem.budget, chem.waits) == (2.5, "10 of 10 core hours left (chem)", "")
    assert terms["a100"].price == 4 + 16000 / 1024 * 0.25 + 18
    assert terms["course"].price is None
    assert permitted(SITE, RULES, None).terms["a100"].price == terms["a100"].price


def test_a_used_up_budget_is_told_as_such() -> None:
    """With nothing left a session would wait, and the page does not say that it starts now."""
    (limit,) = ANNA.limits.accounts["chem"]
    limits = replace(ANNA.limits, accounts={"chem": (replace(limit, used=600),)})
    terms = permitted(SITE, RULES, replace(ANNA, limits=limits)).terms
    assert waits_for(terms["chem"]) == "The budget of chem is used up: a session would wait for a new one."
    assert waits_for(terms["cpu"]) == "", "another account can pay"
