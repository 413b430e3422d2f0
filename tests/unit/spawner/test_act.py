"""The helper: what it does as a user, and what it refuses to do."""

import json
import os
import pwd
from pathlib import Path

import pytest
from tests.support.helper import NONCE, Helper

from skiva_slurm.rights import ASSOCIATION_COLUMNS


def submission(**changes: object) -> dict[str, object]:
    """A request to submit."""
    return {
        "action": "submit",
        "nonce": NONCE,
        "options": ["--parsable", "--time=60"],
        "script": "#!/bin/sh\n",
        "server": '{"key": "canary-token"}',
    } | changes


def test_a_submission_writes_a_private_file_and_calls_sbatch_with_exactly_its_options(helper: Helper) -> None:
    """The secret is in a file of mode 0600 below directories of mode 0700, and nowhere else."""
    assert helper.ask(submission()) == {"submitted": [0, "42\n", ""]}
    run_dir = helper.home / ".local/state/skiva" / NONCE
    assert (run_dir / "server.json").stat().st_mode & 0o777 == 0o600
    assert run_dir.stat().st_mode & 0o777 == 0o700
    called = helper.calls.read_text()
    assert called.startswith("--parsable\n--time=60\n")
    assert f"SKIVA_RUN_DIR={run_dir}" in called
    assert "canary" not in called


def test_a_failed_submission_keeps_its_file_until_the_hub_forgets_it(helper: Helper) -> None:
    """Slurm may have the job all the same, which then needs the file; forgotten, it is all gone."""
    helper.slurm("sbatch", "echo 'sbatch: error: no' >&2; exit 1")
    assert helper.ask(submission())["submitted"] == [1, "", "sbatch: error: no\n"]
    run_dir = helper.home / ".local/state/skiva" / NONCE
    assert (run_dir / "server.json").exists()
    assert helper.ask({"action": "forget", "nonce": NONCE}) == {"forgotten": NONCE}
    assert not run_dir.exists()


def test_a_log_stays_for_its_owner_unless_it_is_to_go_too(helper: Helper) -> None:
    """What a session wrote is its owner's to read; the doctor's probes leave nothing in anybody's home."""
    helper.ask(submission())
    run_dir = helper.home / ".local/state/skiva" / NONCE
    (run_dir / "log").write_text("words\n")
    helper.ask({"action": "forget", "nonce": NONCE})
    assert [path.name for path in run_dir.iterdir()] == ["log"]
    helper.ask({"action": "forget", "nonce": NONCE, "with_log": True})
    assert not run_dir.exists()


@pytest.mark.parametrize(
    "nonce", ["../../../../etc/cron.d", "0123456789abcde/", "", "0123456789ABCDEF", "a" * 17]
)
def test_a_run_directory_outside_the_place_for_them_is_refused(helper: Helper, nonce: str) -> None:
    """The hub names a session, never a path."""
    assert "nonce" in helper.ask(submission(nonce=nonce))["error"]


def test_a_home_that_is_not_there_is_told_as_that(helper: Helper) -> None:
    """Nobody can make their own home: what is said is not which directory could not be made in it."""
    helper.home.rmdir()
    assert helper.ask(submission()) == {"error": f"No home directory ({helper.home})"}


def test_a_planted_link_in_place_of_the_run_directory_is_refused(helper: Helper, tmp_path: Path) -> None:
    """Nothing is written through a link that was there before."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    parent = helper.home / ".local/state/skiva"
    parent.mkdir(parents=True, mode=0o700)
    (parent / NONCE).symlink_to(elsewhere)
    assert "error" in helper.ask(submission())
    assert list(elsewhere.iterdir()) == []


def test_a_directory_that_others_may_write_to_is_refused(helper: Helper) -> None:
    """Whoever can rename the directory could swap the private file."""
    parent = helper.home / ".local/state/skiva"
    parent.mkdir(parents=True)
    parent.chmod(0o777)
    assert "writable by nobody else" in helper.ask(submission())["error"]


@pytest.mark.parametrize(
    "request_",
    [{}, [], "submit", {"action": "shell"}, {"action": "cancel", "job_id": "1;2"}, {"action": "cancel"}],
)
def test_anything_but_its_few_requests_is_refused(helper: Helper, request_: object) -> None:
    """The helper does five things; the rest is an error and calls nothing."""
    assert "error" in helper.ask(request_)
    assert not helper.calls.exists()


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        ("echo RUNNING", {"shown": "RUNNING"}),
        ("true", {"shown": ""}),
        ("echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1", {"shown": ""}),
        ("echo 'Unable to contact slurm controller' >&2; exit 1", None),
    ],
)
def test_a_job_is_looked_up_as_its_owner(helper: Helper, body: str, answer: dict[str, str] | None) -> None:
    """A state, that there is none, or nothing where Slurm does not answer."""
    helper.slurm("squeue", body)
    told = helper.ask({"action": "shown", "job_id": 7})
    assert told == answer or (answer is None and "Unable to contact" in told["unanswered"])
    asked = helper.calls.read_text().splitlines()
    assert asked[:5] == ["--local", "--noheader", "--states=all", "--format=%T", "--jobs=7"]


def test_rights_are_asked_for_about_oneself_alone(helper: Helper) -> None:
    """Name and accounts come from the account that it runs as and from Slurm, never from the request."""
    row = "rig|physics|{}||normal||"
    helper.slurm("sacctmgr", f"printf '{row.format('physics')}\\n{row.format('chem')}\\n'")
    helper.slurm("scontrol", "exit 1")
    first = helper.ask({"action": "rights"})
    me = pwd.getpwuid(os.getuid()).pw_name
    assert first["rights"] == f"{row.format('physics')}\n{row.format('chem')}\n"
    assert (first["uid"], first["limits"]) == (os.getuid(), ""), "limits that Slurm does not show are none"
    helper.slurm("scontrol", "echo QOS=normal")
    assert helper.ask({"action": "rights"})["limits"] == "QOS=normal\n"
    assert f"users={me}\naccounts=chem,physics\nflags=assoc,qos\n" in helper.calls.read_text()
    assert "error" in helper.ask({"action": "rights", "name": "root"})


def test_the_helper_asks_for_the_columns_that_the_hub_reads(helper: Helper) -> None:
    """It is one file of the standard library, so it names them again."""
    helper.slurm("sacctmgr", "exit 0")
    helper.ask({"action": "rights"})
    columns = ",".join(("cluster", "defaultaccount", *ASSOCIATION_COLUMNS))
    assert f"format={columns}\n" in helper.calls.read_text()


def test_no_rights_and_no_answer_are_two_things(helper: Helper) -> None:
    """Nobody is told that they may use nothing because Slurm's database is silent."""
    helper.slurm("sacctmgr", "exit 0")
    assert helper.ask({"action": "rights"})["rights"] == ""
    helper.slurm("sacctmgr", "echo 'Connection refused' >&2; exit 1")
    assert helper.ask({"action": "rights"}) == {"unanswered": "Connection refused\n"}


def test_an_operators_account_lengthens_jobs_and_does_nothing_else(helper: Helper) -> None:
    """The hub may lengthen jobs as Slurm's operator, but never submit or cancel as one."""
    helper.slurm("scontrol", "exit 0")
    config = helper.path.parent.parent / "etc" / "act.json"
    me = pwd.getpwuid(os.getuid()).pw_name
    config.write_text(json.dumps(json.loads(config.read_text()) | {"operators": [me]}))
    assert "may not" in helper.ask(submission())["error"]
    assert "may not" in helper.ask({"action": "cancel", "job_id": 1})["error"]
    assert helper.ask({"action": "extend", "job_id": 7, "minutes": 90}) == {"extended": 7}
    assert helper.calls.read_text().startswith("update\nJobId=7\nTimeLimit=90\n")
    assert "minutes" in helper.ask({"action": "extend", "job_id": 7, "minutes": 10**6})["error"]
    config.write_text(json.dumps(json.loads(config.read_text()) | {"operators": ["somebody-else"]}))
    assert "may not" in helper.ask({"action": "extend", "job_id": 7, "minutes": 90})["error"]


def test_slurm_commands_get_an_environment_of_their_own(helper: Helper) -> None:
    """Nothing of the hub's environment reaches sbatch; SLURM_CONF comes from root's file."""
    helper.ask(submission())
    called = helper.calls.read_text()
    assert "SECRET_OF_THE_HUB" not in called
    assert "SLURM_CONF=/x/slurm.conf" in called


def test_the_log_is_read_from_its_end_and_never_through_a_link(helper: Helper) -> None:
    """A long log costs no more than its last part; a link in its place is not followed."""
    helper.ask(submission())
    log = helper.home / ".local/state/skiva" / NONCE / "log"
    log.write_text("x" * 100_000 + "\nthe end")
    assert helper.ask({"action": "log", "nonce": NONCE})["log"].endswith("the end")
    assert len(helper.ask({"action": "log", "nonce": NONCE})["log"]) == 16 << 10
    log.unlink()
    log.symlink_to("/etc/passwd")
    assert "error" in helper.ask({"action": "log", "nonce": NONCE})


@pytest.mark.parametrize("helper", ["installed"], indirect=True)
def test_a_hanging_slurm_is_an_unanswered_request(helper: Helper) -> None:
    """No answer is told apart from a refusal, so that the job is looked for."""
    text = helper.path.read_text().replace("_TIMEOUT = 20.0", "_TIMEOUT = 0.3")
    helper.path.write_text(text)
    helper.slurm("sbatch", "exec sleep 30")
    assert "unanswered" in helper.ask(submission())


@pytest.mark.parametrize("helper", ["installed"], indirect=True)
def test_a_full_disk_is_told_and_submits_nothing(helper: Helper) -> None:
    """A home without space gives a sentence, not a job without its file."""
    text = helper.path.read_text().replace("file.write(text)", "raise OSError(28, os.strerror(28))")
    helper.path.write_text(text)
    assert helper.ask(submission())["error"].startswith("No space left")
    assert not helper.calls.exists()
