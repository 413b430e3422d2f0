"""What Slurm lets a person use, and what its limits leave them, in the words of a real one with slurmdbd."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skiva_slurm.limits import Limit, demand, parse_limits, price
from skiva_slurm.rights import Association, Rights, Rules, parse_rights

CORPUS = Path(__file__).parent / "corpus"
UID = 1001
CONFIG = (CORPUS / "config-22.05-accounting.txt").read_text()
PARTITIONS = (CORPUS / "partitions-22.05.txt").read_text()
TOLD = (CORPUS / "rights-22.05.txt").read_text()
OWN = (CORPUS / "assoc-mgr-22.05-own.txt").read_text()
RULES = Rules.of(CONFIG, PARTITIONS)
ANNA = parse_rights(TOLD, OWN, RULES, UID, ["anna"])
A100 = demand(4, 16000, "gpu:a100:1")


def test_rights_are_read_as_slurm_prints_them() -> None:
    """Each association with its account, partition and QOS; the default account comes first."""
    assert ANNA.accounts == ("physics", "bio", "chem")
    assert ANNA.associations[1] == Association("chem", "", frozenset({"normal"}), "", 50)
    assert RULES.by_association
    assert RULES.cluster == "rig"


@pytest.mark.parametrize(
    ("partition", "account", "qos", "able"),
    [
        ("gpu", None, None, ("physics", "chem")),
        ("gpu", None, "gpu1", ("physics",)),
        ("gpu", "chem", None, ("chem",)),
        ("gpu", "chem", "gpu1", ()),
        ("gpu", "astro", None, ()),
        ("teaching", None, None, ("physics",)),
        ("teaching", None, "gpu1", ()),
        ("staff", None, None, ()),
        ("unheard-of", None, None, ("physics", "chem")),
    ],
)
def test_what_can_be_charged_is_what_slurm_would_take(
    partition: str, account: str | None, qos: str | None, able: tuple[str, ...]
) -> None:
    """AllowAccounts, DenyQos, AllowGroups, an association's partition and its QOS; the unknown is open."""
    assert RULES.accounts(ANNA, [partition], account, qos) == able


def test_a_group_opens_a_partition_that_is_closed_to_others() -> None:
    """AllowGroups are the person's groups on the hub's machine; DenyAccounts holds beside them."""
    staff = parse_rights(TOLD, OWN, RULES, UID, ["anna", "adm"])
    assert RULES.accounts(staff, ["staff"], None, None) == ("physics",)
    assert RULES.accounts(staff, ["teaching", "staff"], None, "gpu1") == ("physics",)


def test_nobody_is_asked_where_slurm_enforces_nothing() -> None:
    """Without slurmdbd, or without its enforcement, accounts decide nothing; limits bring associations."""
    everything = "associations,limits,qos,safe"
    assert Rules.of(CONFIG.replace(everything, "limits"), "").by_association
    assert not Rules.of(CONFIG.replace(everything, "(null)"), "").by_association
    assert not Rules.of(CONFIG.replace("accounting_storage/slurmdbd", "(null)"), "").by_association


def test_rights_on_another_cluster_of_the_same_database_count_for_nothing() -> None:
    """Several clusters share a database; only what is said of this one holds here."""
    rights = parse_rights(TOLD.replace("rig|physics|chem", "other|chem|chem"), OWN, RULES, UID, [])
    assert rights.accounts == ("physics", "bio")
    assert parse_rights("", "", RULES, UID, ["anna"]) == Rights((), groups=frozenset({"anna"}))


def test_a_limit_that_is_used_up_is_found() -> None:
    """One GPU a person by QOS gpu1, in use by a job of hers: the next one would wait, by another QOS not."""
    full = ANNA.limits.full("physics", ("gpu1",), A100)
    assert full == Limit("gpu1", "gres/gpu", 1, 1)
    assert ANNA.limits.full("physics", ("normal",), A100) is None
    assert ANNA.limits.full("physics", ("gpu1",), demand(4, 16000, None)) is None
    assert parse_limits(OWN, "rig", UID + 1).full("physics", ("gpu1",), A100) is None, "that is another's"


def test_a_budget_is_told_in_hours_of_the_job() -> None:
    """600 core minutes are 2.5 hours on 4 cores; of what PrivateData hides nothing is claimed."""
    assert ANNA.limits.budget("chem", (), A100) == (2.5, Limit("chem", "cpu", 600, 0, minutes=True))
    assert ANNA.limits.budget("physics", (), A100) is None
    seen = parse_limits((CORPUS / "assoc-mgr-22.05-operator.txt").read_text(), "rig", UID)
    assert seen.budget("physics", (), A100) == (10.0, Limit("physics", "gres/gpu", 600, 0, minutes=True))
    spent = parse_limits(OWN.replace("cpu=600(0)", "cpu=600(660)"), "rig", UID)
    assert spent.budget("chem", (), A100) == (0.0, Limit("chem", "cpu", 600, 660, minutes=True))
    assert seen.budget("chem", ("tiny",), A100) == (10 / 60 / 4, Limit("tiny", "cpu", 10, 0, minutes=True))


def test_limits_hold_where_slurm_enforces_them() -> None:
    """With associations alone Slurm reads no limit, and so nor do we."""
    rules = Rules.of(CONFIG.replace("associations,limits,qos,safe", "associations"), PARTITIONS)
    assert parse_rights(TOLD, OWN, rules, UID, []).limits.full("physics", ("gpu1",), A100) is None


def test_a_price_is_slurms() -> None:
    """Slurm 22.05 itself said billing=22 of a job with one core, 16000 MB and an a100 under these weights."""
    weights = RULES.weights("gpu")
    cost = price(weights, demand(1, 16000, "gpu:a100:1"))
    assert cost is not None
    assert int(cost) == 22
    assert "billing=N(22)" in OWN
    assert price(weights, A100, most=True) == 10
    assert price(RULES.weights("teaching"), A100) is None


@given(st.text(max_size=300), st.text(max_size=300))
def test_whatever_a_helper_says_is_read_or_passed_over(told: str, limits: str) -> None:
    """The answer comes from the person's own process: it may be anything, and raises nothing."""
    rights = parse_rights(
        told, f"QOS=x User Limits= 1={{{limits}}}\nClusterName={limits}\n", RULES, UID, [told]
    )
    RULES.accounts(rights, ["gpu"], None, None)
    rights.limits.full("x", ("x",), A100)
    rights.limits.budget("x", ("x",), A100)
    price(told, A100)
