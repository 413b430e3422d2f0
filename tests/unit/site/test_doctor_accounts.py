"""The doctor on Slurm's accounting: operators, rights of who probes, limits, all in sacctmgr's words."""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skiva_hub.doctor import accounts
from skiva_hub.doctor.facts import (
    Facts,
    parse_names,
    parse_qos,
    parse_users,
    read,
)
from skiva_hub.doctor.finding import Finding, Level
from skiva_hub.site import Site
from skiva_hub.site_file import load
from skiva_slurm.rights import parse_associations

EXAMPLES = Path(__file__).parents[3] / "hub_config" / "examples"
SAID = Path(__file__).parent / "slurm-22.05"

# What sacctmgr 22.05.8 prints with -nP; slurmdbd kept a small site of this kind.
QOS = "normal|1000\nscavenger|\ngpu1|50\n"
USERS = "anna|None|physics\ncarla|Operator|chem\n"
ANNA = "physics||gpu1,normal||\n"
CARLA = "physics||normal||\nchem||normal||20\n"
ACCOUNTS = "root\nphysics\nchem\nguestproj\n"

FACTS = Facts(
    config={
        "accountingstoragetype": "accounting_storage/slurmdbd",
        "accountingstorageenforce": "associations,limits,qos,safe",
        "slurmuser": "slurm(64030)",
        "privatedata": "jobs,usage",
        "maxjobcount": "10000",
    },
    accounts=parse_names(ACCOUNTS),
    qos=parse_qos(QOS),
    users=parse_users(USERS),
    associations=parse_associations(ANNA),
    caller="root",
)


def slices(**changes: Any) -> Site:
    """The embedded example with an operator who extends, and fields of its slice h100 changed."""
    data = load(EXAMPLES / "embedded.toml").model_dump()
    data["hours"] |= {"extend_by": 1.0, "extend_as": "carla"}
    next(row for row in data["slice"] if row["id"] == "h100").update(changes)
    return Site.model_validate(data)


def found(
    facts: Facts, site: Site | None = None, account: str = "carla", person: str = "anna"
) -> list[Finding]:
    """What is wrong with accounting."""
    every = accounts.check(site or slices(), facts, account, person)
    return [finding for finding in every if finding.level is not Level.OK]


def test_a_site_on_which_all_is_well_has_no_findings() -> None:
    """An operator sees what PrivateData hides, everybody has a limit: the doctor becomes clean."""
    assert found(FACTS) == []


@pytest.mark.parametrize(
    ("account", "level", "words", "cure"),
    [
        ("anna", "error", "anna is no operator", "modify user where name=anna set AdminLevel=Operator"),
        ("skiva-hub", "error", "no operator", "add user skiva-hub account=root AdminLevel=Operator"),
    ],
)
def test_a_hub_that_sees_nothing_is_made_an_operator_by_the_command_that_works(
    account: str, level: str, words: str, cure: str
) -> None:
    """Slurm modifies whom it has and adds whom it has not; the other command changes nothing."""
    (finding,) = found(FACTS, account=account)
    assert (finding.level, words in finding.sentence, cure in finding.cure) == (level, True, True), finding


def test_what_the_caller_is_not_shown_is_not_taken_for_absent() -> None:
    """Slurm may keep other accounts from whoever asks: then nobody can say, and root could."""
    (finding,) = found(replace(FACTS, caller="anna"), account="skiva-hub")
    assert (finding.level, finding.cure) == (Level.WARNING, "Run the doctor as root or as the hub's account.")
    assert "cannot be seen" in finding.sentence
    assert found(replace(FACTS, caller="anna"), account="slurm") == []
    hidden = replace(FACTS, caller="anna", users=parse_users("anna|None|physics\n"))
    sentences = [f.sentence for f in found(hidden, account="slurm")]
    assert sentences == ["Whether carla (extend_as in [hours]) is a Slurm operator cannot be seen."]


def test_who_extends_sessions_has_to_be_an_operator() -> None:
    """Any other account may shorten its own jobs alone."""
    facts = replace(FACTS, users=parse_users(USERS.replace("Operator", "None")))
    (finding,) = found(facts, account="root")
    assert finding.level is Level.ERROR
    assert (
        finding.sentence
        == "carla (extend_as in [hours]) is no Slurm operator, so nobody can extend a session."
    )
    assert "modify user where name=carla set AdminLevel=Operator" in finding.cure


@pytest.mark.parametrize(
    ("changes", "words", "cure"),
    [
        ({"account": "physics"}, None, ""),
        ({"account": "Physics", "qos": "gpu1"}, None, ""),
        ({"qos": "gpu1"}, None, ""),
        (
            {"account": "chem"},
            "anna may not use the account chem: Slice h100.",
            "sacctmgr add user anna account=chem",
        ),
        (
            {"qos": "scavenger"},
            "anna may not use the QOS scavenger: Slice h100.",
            "sacctmgr modify user anna where account=physics set qos+=scavenger",
        ),
        ({"account": "chem", "users": ["carla"]}, None, ""),
        ({"account": "chem", "groups": ["chemists"]}, None, ""),
    ],
)
def test_what_the_person_who_probes_may_not_use_is_told_before_any_job(
    changes: dict[str, Any], words: str | None, cure: str
) -> None:
    """Of the slices that are open to them: what is kept for others is no mistake."""
    wrong = found(FACTS, slices(**changes))
    assert [(f.sentence, cure in f.cure) for f in wrong] == ([(words, True)] if words else [])


def test_runs_have_an_account_and_a_qos_of_their_own() -> None:
    """What [batch] names is compared as what slices name."""
    data = slices().model_dump()
    data["batch"] |= {"account": "biology", "qos": "scavenger"}
    wrong = [f.sentence for f in found(FACTS, Site.model_validate(data))]
    assert wrong == [
        "[batch] names the account biology, which Slurm does not have.",
        "anna may not use the account biology: [batch].",
    ]


def test_somebody_without_an_association_can_submit_nothing() -> None:
    """That is said once, and not where associations are not enforced, or cannot be seen."""
    nobody = replace(FACTS, associations=())
    wrong = [f for f in found(nobody, person="gus") if "QOS" not in f.sentence]
    assert [f.sentence for f in wrong] == ["gus has no association in Slurm, which takes no job of theirs."]
    assert "sacctmgr add user gus account=" in wrong[0].cure
    for facts in (replace(nobody, caller="anna"), replace(FACTS, associations=None)):
        assert [f for f in found(facts, person="gus") if "association" in f.sentence] == []
    lax = replace(nobody, config={**FACTS.config, "accountingstorageenforce": "none"})
    assert [f for f in found(lax, person="gus") if "association" in f.sentence] == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({}, None),
        (
            {"qos": parse_qos(QOS.replace("1000", ""))},
            "10000 (MaxJobCount): anna by physics has no MaxSubmitJobs",
        ),
        (
            {
                "qos": parse_qos(QOS.replace("1000", "")),
                "associations": parse_associations("chem||normal||0\n"),
            },
            None,
        ),
        ({"associations": None}, "QOS scavenger has no MaxSubmitJobs"),
        ({"qos": None}, "cannot be seen"),
        ({"config": {**FACTS.config, "accountingstorageenforce": "associations"}}, "10000 (MaxJobCount)."),
        ({"config": {**FACTS.config, "accountingstorageenforce": "all"}}, None),
        (
            {"config": {**FACTS.config, "accountingstorageenforce": "none", "jobsubmitplugins": "throttle"}},
            None,
        ),
        ({"associations": None, "partitions": {"gpu": {"QoS": "gpu1"}, "cpu": {"QoS": "normal"}}}, None),
        ({"associations": None, "partitions": {"gpu": {"QoS": "gpu1"}, "cpu": {"QoS": ""}}}, "QOS scavenger"),
    ],
)
def test_a_queue_that_one_person_can_fill_is_warned_of(changes: dict[str, Any], words: str | None) -> None:
    """A limit per person may be an association's, a QOS's, or that of every partition's own QOS."""
    wrong = [f for f in found(replace(FACTS, **changes)) if "submi" in f.sentence]
    assert [(f.level, str(words) in f.sentence) for f in wrong] == ([(Level.WARNING, True)] if words else [])


def test_slurms_accounting_is_asked_about_these_people_alone(tmp_path: Path) -> None:
    """The hub's account, who extends, who probes and who asks: their rows, and of one cluster."""
    config = (SAID / "config.txt").read_text()
    (tmp_path / "config.txt").write_text(
        config.replace("accounting_storage/none", "accounting_storage/slurmdbd")
    )
    programs = {
        "scontrol": f"""case "$*" in
            *config) cat {tmp_path}/config.txt ;;
            *node*) cat {SAID}/nodes.txt ;;
            *partition) cat {SAID}/partitions.txt ;;
            *) echo 'No reservations in the system' ;;
        esac""",
        "sacctmgr": f"""echo "$*" >>{tmp_path}/asked
        case "$*" in
            *account,partition*) printf '{ANNA}' ;;
            *adminlevel*) printf '{USERS}' ;;
            *qos*) echo broken >&2; exit 1 ;;
            *) printf '{ACCOUNTS}' ;;
        esac""",
    }
    for name, body in programs.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{body}\n")
        (tmp_path / name).chmod(0o755)
    data = slices().model_dump()
    data["cluster"]["bin"] = tmp_path
    site = Site.model_validate(data)
    facts = asyncio.run(read(site, caller="root", account="skiva-hub", person="anna"))
    assert (facts.users, facts.associations) == (FACTS.users, FACTS.associations)
    assert (facts.accounts, facts.qos) == (FACTS.accounts, None)
    asked = (tmp_path / "asked").read_text()
    assert "show user where name=anna,carla,root,skiva-hub format=user,adminlevel,defaultaccount" in asked
    assert (
        "show assoc where user=anna cluster=skiva_a1b2c3 "
        "format=account,partition,qos,defaultqos,maxsubmitjobs" in asked
    )


@given(st.text(max_size=300))
def test_no_text_of_sacctmgr_breaks_the_parsers(text: str) -> None:
    """Whatever it prints, reading it ends without an error of its own."""
    for parse in (parse_qos, parse_users, parse_associations):
        parse(text)
