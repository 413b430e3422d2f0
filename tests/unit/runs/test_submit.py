"""Handing a run to Slurm: one job, whatever fails, however often, and whoever is killed."""

import json
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.support.fake_runs import FakePerson, reading
from tests.support.waiting import wait_until

import skiva
from skiva.runs import files
from skiva.runs import slurm as slurm_module
from skiva.runs.look import look, read_spec
from skiva.runs.paths import RunDir
from skiva_slurm.errors import Refused, SlurmUnanswered

_NO = "sbatch: error: Batch job submission failed: Invalid qos specification"
_LOST = "sbatch: error: Batch job submission failed: Socket timed out on send/recv operation"
_APPEARS = ("os.rename", r"/\.new-[^/|]*\|")
_SUBMIT = "import skiva; print(skiva.submit(pow, 2, 3, key='k').id)"


def _only(person: FakePerson) -> tuple[RunDir, Any]:
    [path] = person.runs
    return RunDir(path), read_spec(RunDir(path))


# -- Slurm misbehaves ----------------------------------------------------------------------


def test_an_answer_that_was_lost_is_looked_for(person: FakePerson) -> None:
    """sbatch took the job and could not say so: it is found by its tag, also after a garbled answer."""
    person.slurm.fault("sbatch", times=1, lose=True)
    person.slurm.fault("squeue", times=2, garble=True)
    run = skiva.submit(pow, 2, 3)
    assert [job["comment"] for job in person.slurm.jobs.values()] == [f"skiva-run:{run.id}"]
    assert json.loads((run.directory / "submission.json").read_text())["job_id"] == 1
    assert len(person.slurm.calls("sbatch")) == 1


def test_a_job_that_shows_late_is_found(person: FakePerson) -> None:
    """A controller that took a request in may not show the job yet: one look without it is not enough."""
    person.slurm.fault("sbatch", times=1, lose=True)
    person.slurm.fault("squeue", times=2, forget=True)
    run = skiva.submit(pow, 2, 3)
    assert len(person.slurm.calls("squeue")) == 3
    assert json.loads((run.directory / "submission.json").read_text())["job_id"] == 1


def test_a_request_that_never_arrived_is_said_to_be_none(person: FakePerson) -> None:
    """Slurm has answered well several times, and has no such job: the person is told, in words."""
    person.slurm.fault("sbatch", times=1, fail=_LOST)
    with pytest.raises(skiva.NotSubmitted, match="Slurm does not have the job"):
        skiva.submit(pow, 2, 3)
    assert person.slurm.jobs == {}


def test_a_slurm_that_stays_silent_gets_no_second_job(
    person: FakePerson, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody knows whether the job is there; the same key gives the same run, and the queue tells later."""
    monkeypatch.setattr(slurm_module, "_SEARCH", 0.2)
    person.slurm.fault("sbatch", times=1, lose=True)
    person.slurm.fault("squeue", garble=True)
    with pytest.raises(skiva.NotSubmitted, match="is not known"):
        skiva.submit(pow, 2, 3, key="k")
    run, spec = _only(person)
    assert look(run, spec, None).state == "preparing"
    assert skiva.submit(pow, 2, 3, key="k").id == run.id
    person.slurm.heal()
    assert look(run, spec, reading(person)).state == "queued"
    assert len(person.slurm.jobs) == 1


def test_a_hanging_sbatch_is_killed_and_looked_for(
    person: FakePerson, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A cell does not hang for ever."""
    monkeypatch.setattr(slurm_module, "_SUBMIT", 0.3)
    person.slurm.fault("sbatch", times=1, hang=True)
    with pytest.raises(skiva.NotSubmitted, match="no answer within"):
        skiva.submit(pow, 2, 3)


def test_a_refusal_is_written_down_and_told(person: FakePerson) -> None:
    """Slurm's reason reaches the person and stays with the run; a key that was refused is free again."""
    person.slurm.fault("sbatch", times=1, fail=_NO)
    with pytest.raises(skiva.NotSubmitted, match="quality of service"):
        skiva.submit(pow, 2, 3, key="k")
    run, spec = _only(person)
    found = look(run, spec, None)
    assert (found.state, "quality of service" in found.sentence) == ("refused", True)
    assert skiva.submit(pow, 2, 3, key="k").id != run.id
    assert len(person.slurm.jobs) == 1


def test_a_disk_that_fills_up_after_sbatch_does_not_hide_the_job(
    person: FakePerson, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What cannot be written down is found by its tag, and nobody submits it a second time."""
    real = files.write_json

    def full(path: Path, *arguments: Any, **more: Any) -> None:
        if path.name == "submission.json":
            raise OSError(28, "No space left on device")
        real(path, *arguments, **more)

    monkeypatch.setattr(skiva.runs.submit, "write_json", full)
    run = skiva.submit(pow, 2, 3)
    found = look(RunDir(run.directory), run.spec, reading(person))
    assert (found.state, found.job_id) == ("queued", 1)


def test_a_submission_that_cannot_be_written_leaves_nothing(
    person: FakePerson, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk before sbatch: an error, no job, no half run."""

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(skiva.runs.submit, "write_whole", full)
    with pytest.raises(OSError, match="No space"):
        skiva.submit(pow, 2, 3, key="k")
    assert (person.runs, person.rubbish, person.slurm.jobs) == ([], [], {})


def test_a_map_goes_off_where_slurm_does_not_tell_its_limit(person: FakePerson) -> None:
    """Without MaxArraySize sbatch decides; with it too many items are refused before anything happens."""
    assert skiva.map(abs, range(3)).spec.tasks == 3
    person.slurm.fault("scontrol", config={"MaxArraySize": "2"})
    with pytest.raises(skiva.BadWish, match="3 are more than the 2"):
        skiva.map(abs, range(3))
    person.slurm.fault("scontrol", fail="slurm_load_conf error: Unable to contact slurm controller")
    assert skiva.map(abs, range(3)).spec.tasks == 3
    assert [call for call in person.slurm.calls("sbatch") if "--array=0-2%16" in call]
    assert len(person.slurm.calls("sbatch")) == 2


def test_a_slurm_of_another_age_refuses_at_once(person: FakePerson) -> None:
    """Commands that cannot talk to it are a no: nobody waits for a minute, and what to do is said."""
    apart = "sbatch: error: slurm_unpack_received_msg: Incompatible versions of client and server code\n"
    person.slurm.fault("sbatch", fail=f"{apart}sbatch: error: Batch job submission failed: Unspecified error")
    with pytest.raises(skiva.NotSubmitted, match="choose another environment"):
        skiva.submit(pow, 2, 3)
    assert person.slurm.calls("squeue") == []


# -- cancelling ----------------------------------------------------------------------------


def test_a_cancel_that_reaches_nobody_is_no_cancel(person: FakePerson) -> None:
    """scancel ends with 0 where it cannot talk to Slurm: that is told, and the run is as it was."""
    run = skiva.submit(pow, 2, 3)
    words = "scancel: error: slurm_unpack_received_msg: Incompatible versions of client and server code"
    (person.slurm.bin / "scancel").write_text(f"#!/bin/sh\necho '{words}' >&2\n")
    with pytest.raises(Refused, match="too far apart in version"):
        run.cancel()
    assert not (run.directory / "cancel.json").exists()
    assert look(RunDir(run.directory), run.spec, reading(person)).state == "queued"


def test_a_cancel_that_slurm_refuses_is_told_and_changes_nothing(person: FakePerson) -> None:
    """A job of somebody else's, or one that may not be ended: words, and the run is as it was."""
    run = skiva.submit(pow, 2, 3)
    person.slurm.set_state(1, "RUNNING", node="n1")
    person.slurm.fault("scancel", fail="scancel: error: Kill job error on job id 1: Access/permission denied")
    with pytest.raises(Refused, match="does not let you end job 1"):
        run.cancel()
    assert not (run.directory / "cancel.json").exists()
    assert look(RunDir(run.directory), run.spec, reading(person)).state == "running"


def test_a_cancel_without_an_answer_can_be_repeated(person: FakePerson) -> None:
    """Slurm is silent: the person is told, the run is not said to be over, and the next try ends it."""
    run = skiva.submit(pow, 2, 3)
    person.slurm.fault("scancel", times=1, fail="scancel: error: Unable to contact slurm controller")
    with pytest.raises(SlurmUnanswered, match="not answering"):
        run.cancel()
    assert not look(RunDir(run.directory), run.spec, reading(person)).over
    run.cancel()
    assert look(RunDir(run.directory), run.spec, reading(person)).state == "cancelled"


def test_a_run_without_a_number_is_cancelled_by_its_tag(person: FakePerson) -> None:
    """Its submitter was killed before it could write the number down; other jobs are left alone."""
    other = person.slurm.add_job(user="ann")
    foreign = person.slurm.add_job(user="bob")
    run = skiva.submit(pow, 2, 3)
    with_tag = person.slurm.jobs[3]["comment"]
    (run.directory / "submission.json").unlink()
    stranger = person.slurm.add_job(user="bob", comment=with_tag)
    run.cancel()
    states = {number: job["state"] for number, job in person.slurm.jobs.items()}
    assert states == {other: "PENDING", foreign: "PENDING", 3: "CANCELLED", stranger: "PENDING"}


# -- one key, one run ----------------------------------------------------------------------


def _at_once(times: int, work: Callable[[], str]) -> set[str]:
    with ThreadPoolExecutor(times) as pool:
        return {done.result() for done in [pool.submit(work) for _ in range(times)]}


@pytest.mark.parametrize("before", ["nothing", "refused", "killed"])
def test_twenty_submissions_at_once_with_one_key_are_one_run(person: FakePerson, before: str) -> None:
    """All get the same run and Slurm one job, also where an earlier one was refused, or killed midway."""
    if before == "refused":
        person.slurm.fault("sbatch", times=1, fail=_NO)
        with pytest.raises(skiva.NotSubmitted):
            skiva.submit(pow, 2, 3, key="k")
    if before == "killed":
        person.run(_SUBMIT, _APPEARS)
        [claim] = [path for path in person.home.glob("skiva-runs/.keys/*") if path.name[0] != "."]
        os.utime(claim, (1, 1))
    known = {path.name for path in person.runs}
    made = _at_once(20, lambda: skiva.submit(pow, 2, 3, key="k").id)
    assert len(made) == 1
    assert {path.name for path in person.runs} - known == made
    assert len(person.slurm.jobs) == 1


def test_processes_at_once_with_one_key_are_one_run(person: FakePerson) -> None:
    """A double click, two browser tabs, two kernels."""
    processes = [person.start(_SUBMIT) for _ in range(4)]
    made = {process.communicate(timeout=60)[0] for process in processes}
    assert [process.returncode for process in processes] == [0] * 4
    assert len(made) == len(person.runs) == len(person.slurm.jobs) == 1
    assert person.rubbish == []


# -- whoever submits is killed -------------------------------------------------------------

_POINTS = {
    "before anything is written": (("os.mkdir", ".new-"), 0, None),
    "while its files are written": (("open", "call.pkl"), 0, None),
    "before its key is claimed": (("os.link", ".keys"), 0, None),
    "between the claim and the run": (_APPEARS, 0, None),
    "before sbatch": (("subprocess.Popen", "sbatch"), 0, "preparing"),
    "when sbatch has answered": (("open", ".submission.json"), 1, "queued"),
    "while the number is written": (("os.rename", "submission.json"), 1, "queued"),
}


@pytest.mark.parametrize("point", _POINTS)
def test_a_submitter_killed_at_any_point_leaves_the_truth(person: FakePerson, point: str) -> None:
    """Afterwards a run is there whole or not at all, it is told as it is, and its key gives no second job."""
    at, jobs, state = _POINTS[point]
    person.run(_SUBMIT, at)
    assert len(person.slurm.jobs) == jobs
    if state is None:
        assert person.runs == []
    else:
        run, spec = _only(person)
        assert look(run, spec, reading(person)).state == state
    if point == "between the claim and the run":
        # Somebody who comes at once waits a little for the run that was claimed.
        [claim] = [path for path in person.home.glob("skiva-runs/.keys/*") if path.name[0] != "."]
        os.utime(claim, (1, 1))
    again = person.run(_SUBMIT).strip()
    assert [path.name for path in person.runs] == [again]
    assert len(person.slurm.jobs) == (0 if state == "preparing" else 1)
    tags = {job["comment"] for job in person.slurm.jobs.values()}
    assert tags <= {f"skiva-run:{again}"}


def test_a_submitter_killed_while_sbatch_works_leaves_one_job(person: FakePerson) -> None:
    """sbatch ends what it has begun; the run is found in the queue by its tag."""
    person.slurm.fault("sbatch", times=1, delay=1)
    process = person.start(_SUBMIT)
    wait_until(lambda: person.slurm.calls("sbatch"), 30, "sbatch was called")
    process.kill()
    process.communicate()
    run, spec = _only(person)
    assert look(run, spec, reading(person)).state in {"preparing", "queued"}
    wait_until(lambda: person.slurm.jobs, 30, "sbatch has ended")
    assert look(run, spec, reading(person)).state == "queued"
    assert person.run(_SUBMIT).strip() == spec.id
    assert len(person.slurm.jobs) == 1


def test_a_run_that_was_never_submitted_is_told_so_after_two_readings(person: FakePerson) -> None:
    """Its submitter died before sbatch: two good readings later that is known, and its key is free again."""
    person.run(_SUBMIT, ("subprocess.Popen", "sbatch"))
    run, spec = _only(person)
    assert look(run, spec, reading(person, spec.created + 200)).state == "preparing"
    assert look(run, spec, reading(person, spec.created + 210)).state == "preparing"
    found = look(run, spec, reading(person, spec.created + 230))
    assert (found.state, "cut off" in found.sentence) == ("refused", True)
    again = person.run(_SUBMIT).strip()
    assert again != spec.id
    assert [job["comment"] for job in person.slurm.jobs.values()] == [f"skiva-run:{again}"]


def test_what_killed_submitters_left_is_taken_away_a_day_later(person: FakePerson) -> None:
    """A young draft may still be somebody's; an old one is nobody's."""
    person.run(_SUBMIT, ("open", "call.pkl"))
    [draft] = person.rubbish
    skiva.submit(pow, 2, 3)
    assert person.rubbish == [draft]
    os.utime(person.home / "skiva-runs" / draft, (1, 1))
    skiva.submit(pow, 2, 3)
    assert person.rubbish == []


def test_no_more_runs_than_the_site_allows(
    person: FakePerson, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the server heard it of the queue: the number is told before Slurm is asked, sweeps count as one."""
    person.change_offer(most=2)
    marks = [("261122-aaaaaaa1", "RUNNING"), ("261122-aaaaaaa1", "PENDING"), ("261122-aaaaaaa2", "COMPLETED")]
    marks += [("261122-aaaaaaa4", "WHO KNOWS"), ("", "RUNNING")]

    def told(*more: tuple[str, str]) -> None:
        jobs = [
            {"job_id": number, "run": run, "slurm_state": state}
            for number, (run, state) in enumerate((*marks, *more), 1)
        ]
        event = {"at": time.time(), "taken": time.time(), "trouble": "", "jobs": jobs}
        (tmp_path / "queue.json").write_text(json.dumps(event))

    monkeypatch.setenv("SKIVA_RUN_DIR", str(tmp_path))
    told()
    assert skiva.submit(pow, 2, 3).status.life == "waiting"
    told(("261122-aaaaaaa3", "PENDING"))
    with pytest.raises(skiva.BadWish, match=r"runs: 2 of yours wait or run, .* have 2"):
        skiva.submit(pow, 2, 3)
    assert len(person.slurm.calls("sbatch")) == 1
