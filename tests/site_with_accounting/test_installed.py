"""The operators' manual, line by line, on a Slurm with accounting: installed, found wrong, used and lost."""

import json
import os
import pwd
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.accounting import LONG_WORDS
from tests.support.installed_site import InstalledSite, installed_site
from tests.support.kernel import run_code
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.slurm, pytest.mark.skipif(os.geteuid() != 0, reason="only root can install a site")]

_PERSON = "researcher1"


@pytest.fixture(scope="module")
def site() -> Iterator[InstalledSite]:
    """A site on which the manual has been followed."""
    with installed_site() as found:
        yield found


@pytest.fixture(scope="module")
def session(site: InstalledSite) -> Iterator[dict[str, Any]]:
    """Somebody's session on a piece of a GPU: what the hub keeps of it."""
    site.hub.start_server(_PERSON, {"slice": "1g.10gb", "hours": 1})
    yield site.hub.wait_ready(_PERSON, 120)["state"]["session"]
    site.close(_PERSON)


def _said(told: dict[str, Any], level: str) -> str:
    return "\n".join(f"{f['sentence']} {f['cure']}" for f in told["findings"] if f["level"] == level)


def _limit(site: InstalledSite, job: object) -> str:
    return site.slurm.run("/usr/bin/squeue", "-ho", "%l", "-j", str(job)).strip()


def test_the_doctor_finds_nothing_wrong(site: InstalledSite) -> None:
    """A site that was installed as the manual says has no error, and each slice is proved as a person."""
    told = site.doctor()
    assert told["errors"] == 0, _said(told, "error")
    good = _said(told, "ok")
    assert "PrivateData hides jobs; skiva-hub sees them, as an operator." in good
    assert f"The helper answers as {_PERSON}." in good
    assert f"slurm-extend could extend a job of {_PERSON}." in good
    assert good.count("This machine reaches it at 127.0.0.1.") == 3


@pytest.mark.parametrize("account", ["skiva-hub", "slurm-extend"])
def test_who_should_be_an_operator_and_is_none_is_found_with_a_cure_that_works(
    site: InstalledSite, account: str
) -> None:
    """Without it the hub sees no session, or nobody gets more hours; the doctor's own line mends it."""
    site.slurm.sacctmgr(f"modify user {account} set AdminLevel=None")
    try:
        wrong = _said(site.doctor("--no-probe"), "error")
        assert re.search(rf"{account} .*is no( Slurm)? operator", wrong), wrong
        [cure] = re.findall(r"Run: sacctmgr (.+)", wrong)
        site.slurm.sacctmgr(cure)
        assert site.doctor("--no-probe")["errors"] == 0
    finally:
        site.slurm.make_operator(account)


def test_an_operator_that_is_no_account_is_found(site: InstalledSite) -> None:
    """A name in `extend_as` that nobody has would fail at the first click on Extend."""
    ghost = site.site_file.replace('"slurm-extend"', '"ghost"')
    assert "there is no account ghost" in _said(site.doctor("--no-probe", site=ghost), "error")


def test_a_person_without_a_project_is_found_with_a_cure(site: InstalledSite) -> None:
    """Slurm takes no job of theirs; those of another project may not use this one's slices."""
    none = _said(site.doctor("--no-probe", user="researcher3"), "error")
    assert "researcher3 has no association in Slurm" in none
    assert "sacctmgr add user researcher3 account=" in none
    other = _said(site.doctor("--no-probe", user="researcher2"), "error")
    assert "researcher2 may not use the account physics: " in other


def test_a_session_on_a_slice_hands_on_a_run_and_gets_more_hours(
    site: InstalledSite, session: dict[str, Any]
) -> None:
    """Everything goes to the slice's project: session, run from its terminal, longer session."""
    token = site.hub.user_token(_PERSON)
    command = "skiva submit --slice cpu --hours 0.1 -- /usr/bin/true"
    code = f"import subprocess as s; d = s.run({command.split()!r}, capture_output=True, text=True); print(d)"
    printed = run_code(f"{site.url}/user/{_PERSON}/", token, code)
    assert "returncode=0" in printed, printed
    rows = site.slurm.run("/usr/bin/squeue", "-ht", "all", "-u", _PERSON, "-o", "%A %a %k")
    assert f"{session['job_id']} physics " in rows
    assert re.search(r"^\d+ physics skiva-run:", rows, re.MULTILINE), rows
    assert _limit(site, session["job_id"]) == "1:00:00"
    private = (
        Path(pwd.getpwnam(_PERSON).pw_dir) / ".local/state/skiva/servers" / session["nonce"] / "server.json"
    )
    job_token = json.loads(private.read_text())["env"]["JUPYTERHUB_API_TOKEN"]
    answer = httpx.post(
        f"{site.url}/hub/api/skiva/extend",
        headers={"Authorization": f"token {job_token}"},
        json={"nonce": session["nonce"]},
        trust_env=False,
        timeout=30,
    )
    assert answer.status_code == 200, answer.text
    assert _limit(site, session["job_id"]) == "2:00:00"


def test_a_sites_own_words_reach_who_is_refused(site: InstalledSite) -> None:
    """What the submit plugin says, not a general sentence, is read by the person."""
    assert LONG_WORDS in site.why_not("instructor1", {"slice": "no-project", "hours": 8})


def test_a_project_is_named_where_the_site_wants_one(site: InstalledSite) -> None:
    """The plugin refuses jobs without a project; neither the slice nor the person has named one."""
    site.hub.start_server("instructor1", {"slice": "no-project", "hours": 1})
    job = site.hub.wait_ready("instructor1", 120)["state"]["session"]["job_id"]
    assert site.slurm.run("/usr/bin/squeue", "-ho", "%a", "-j", str(job)).strip() == "physics"
    site.close("instructor1")


def test_a_budget_that_is_used_up_is_told_in_words(site: InstalledSite) -> None:
    """A limit on hours is told as one on hours."""
    told = site.why_not("instructor1", {"slice": "budget", "hours": 1})
    assert "more hours than you, your account or this slice have left" in told


def test_a_limit_that_is_reached_is_told_while_one_waits(site: InstalledSite) -> None:
    """The second GPU waits for the first, with the reason and what to do; the first one has it."""
    site.hub.start_server("instructor1", {"slice": "h100", "hours": 1})
    site.hub.wait_ready("instructor1", 120)
    site.hub.start_server("instructor1", {"slice": "h100", "hours": 1}, "second")
    try:
        events = site.hub.progress("instructor1", "second", seconds=60)
        told = next(event["message"] for event in events if "as you may" in event["message"])
        assert "Stop one of your sessions" in told
    finally:
        site.close("instructor1", "second")
        site.close("instructor1")


def test_hours_end_with_the_reservation(site: InstalledSite) -> None:
    """A session is given until the reservation ends, not longer; without it there is none."""
    asked = {"slice": "course", "hours": 3}
    bound = re.compile(
        r"at most 1\.[45]\d* hours are possible on .* as its reservation ends at \d\d:\d\d, not 3"
    )
    assert "the reservation course of While the course meets does not exist" in site.why_not(
        "instructor1", asked
    )
    what = "ReservationName=course Users=instructor1 StartTime=now Duration=90 Partition=cpu CoreCnt=4"
    site.slurm.run("/usr/bin/scontrol", "create", "reservation", *what.split())
    try:
        wait_until(
            lambda: bound.search(site.why_not("instructor1", asked)),
            40,
            lambda: site.why_not("instructor1", asked),
            every=0.5,
        )
        site.hub.start_server("instructor1", {"slice": "course"})
        job = site.hub.wait_ready("instructor1", 120)["state"]["session"]["job_id"]
        assert "1:20:00" < _limit(site, job) <= "1:30:00"
        site.close("instructor1")
    finally:
        site.slurm.run("/usr/bin/scontrol", "delete", "ReservationName=course")


def test_sessions_start_while_the_database_is_away(site: InstalledSite) -> None:
    """slurmdbd is needed for no session, and is there again afterwards."""
    with site.slurm.without("slurmdbd"):
        site.hub.start_server("instructor1", {"slice": "cpu", "hours": 1})
        site.hub.wait_ready("instructor1", 120)
    site.close("instructor1")
    assert site.doctor("--no-probe")["errors"] == 0


def test_a_hub_that_is_blinded_ends_nothing(site: InstalledSite, session: dict[str, Any]) -> None:
    """No operator any more, it says in log and metric that it sees no session, and leaves them alone."""
    job = str(session["job_id"])
    site.slurm.sacctmgr("modify user skiva-hub set AdminLevel=None")
    try:
        said = "sessions live and are not in the queue that this hub sees"
        wait_until(lambda: said in site.log.read_text(), 120, "the hub says so", every=1.0)
        assert _metric("skiva_sessions_unseen") == 1.0
    finally:
        site.slurm.make_operator("skiva-hub")
    wait_until(lambda: _metric("skiva_sessions_unseen") == 0.0, 60, "the hub sees it again", every=0.5)
    token = site.hub.user_token(_PERSON)
    assert run_code(f"{site.url}/user/{_PERSON}/", token, "print(6 * 7)") == "42\n"
    assert site.slurm.run("/usr/bin/squeue", "-ho", "%T", "-j", job).strip() == "RUNNING"


def _metric(name: str) -> float:
    token = Path("/etc/skiva/metrics-token").read_text().strip()
    answer = httpx.get(
        "http://127.0.0.1:8000/hub/metrics", headers={"Authorization": f"token {token}"}, trust_env=False
    )
    found = re.search(rf"^{name} (\S+)$", answer.text, re.MULTILINE)
    assert found, answer.text[:500]
    return float(found[1])
