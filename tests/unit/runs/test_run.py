"""A run as its owner holds it: results, errors, waiting, logs; lists of runs, and how they look."""

import base64
import os
import pickle
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cloudpickle
import pytest
from tests.support.fake_runs import FakePerson
from tests.support.runs_on_disk import lay, note, run_id, write

import skiva
from skiva.runs import run as run_module
from skiva.runs.display import MIMETYPE, bundle, table
from skiva.runs.listing import Runs, jobs, newest
from skiva.runs.offer import find_offer
from skiva.runs.paths import RunDir
from skiva.runs.run import NotDone, Run, RunFailed
from skiva.runs.slurm import Slurm, wait_for
from skiva.runs.status import Status
from skiva_slurm.errors import SlurmUnanswered


@pytest.fixture
def runs(person: FakePerson) -> Path:
    """Where somebody's runs are."""
    return person.home / "skiva-runs"


def a_run(runs: Path, number: int = 1, *, result: Any = None, **more: Any) -> Run:
    """One that has ended, with what it left behind."""
    place = lay(runs, run_id(number), **more)
    if result is not None:
        (place / "result.pkl").write_bytes(pickle.dumps(result))
    return Run(RunDir(place))


# -- results -------------------------------------------------------------------------------


def test_a_result_is_what_was_returned(runs: Path) -> None:
    """Of a notebook or a command there is none; one whose file is gone is said to be so."""
    assert a_run(runs, 1, result={"loss": 1}).result() == {"loss": 1}
    assert a_run(runs, 2, kind="command").result() is None
    assert a_run(runs, 3, kind="notebook").result() is None
    lost = a_run(runs, 4)
    with pytest.raises(RunFailed, match=f"completed, but its result is no longer in {lost.directory}"):
        lost.result()


@pytest.mark.parametrize("how", ["failed", "cancelled", "time_limit", "killed", "not_restarted"])
def test_a_run_without_a_good_end_has_no_result(runs: Path, how: str) -> None:
    """Although a file of one may lie there: whoever asks is told how it ended, and what to do."""
    run = a_run(runs, end=how, result=7)
    with pytest.raises(RunFailed, match=f"It {how}") as told:
        run.result()
    assert told.value.status.state == how
    assert str(told.value).endswith(told.value.status.action)


def test_what_a_run_raised_is_the_cause(runs: Path) -> None:
    """With its traceback; where its class is not here, the words alone."""
    run = a_run(runs, end="failed")
    error = KeyError("no such")
    packed = base64.b64encode(cloudpickle.dumps(error)).decode()
    write(run.directory / "error.json", {"traceback": "Traceback: f()\n", "pickle": packed})
    with pytest.raises(RunFailed, match=r"Traceback: f\(\)") as told:
        run.result()
    assert repr(told.value.__cause__) == repr(error)
    assert told.value.traceback == "Traceback: f()\n"
    broken = base64.b64encode(b"cno_such_module\nClass\n.").decode()
    write(run.directory / "error.json", {"traceback": "Traceback: f()\n", "pickle": broken})
    with pytest.raises(RunFailed, match=r"Traceback: f\(\)") as told:
        run.result()
    assert told.value.__cause__ is None


def test_the_results_of_a_map_are_in_the_order_of_its_items(runs: Path) -> None:
    """Some of them while others fail; all of them where all completed."""
    run = a_run(runs, end=None, kind="map", tasks=3)
    for number, how in enumerate(("completed", "failed", "completed")):
        place = run.directory / "tasks" / str(number)
        place.mkdir(parents=True)
        (place / "result.pkl").write_bytes(pickle.dumps(number * 10))
        note(place, "ended", how=how, sentence=f"It {how}.")
    first, failed, last = run.results()
    assert (first, last) == (0, 20)
    assert isinstance(failed, RunFailed)
    with pytest.raises(RunFailed, match="1 of 3 tasks did not complete"):
        run.result()
    (run.directory / "tasks" / "1" / "state.jsonl").unlink()
    note(run.directory / "tasks" / "1", "ended", how="completed")
    assert Run(RunDir(run.directory)).result() == [0, 10, 20]


def test_whoever_waits_may_give_up(runs: Path) -> None:
    """The run goes on, and that is said; what has ended is not waited for."""
    run = a_run(runs, end=None)
    note(run.directory, "started")
    begun = time.monotonic()
    with pytest.raises(NotDone, match=r"\(fit\) is not over after 0 seconds: Running\."):
        run.wait(0)
    with pytest.raises(NotDone):
        run.result(0.05)
    assert time.monotonic() - begun >= 0.05
    assert not run.done
    note(run.directory, "ended", how="completed")
    assert run.wait().state == "completed"
    assert run.done


def test_pauses_grow_with_the_wait_and_have_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short runs are seen at once, long ones cost little, and less where a look takes long."""
    now = [1000.0]
    monkeypatch.setattr(run_module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    pauses = []
    for waited in (0, 2, 10, 20, 1000):
        now[0] = 1000.0 + waited
        pauses.append(run_module._pause(1000.0, now[0]))
    assert pauses == [0.02, 0.1, 0.5, 1.0, 1.0]
    assert run_module._pause(1000.0, now[0] - 2) == 8.0


async def test_a_run_can_be_awaited(runs: Path) -> None:
    """As its result, while other things go on."""
    assert await a_run(runs, result=7) == 7


def test_logs_are_read_from_their_end_and_followed_to_it(
    runs: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of a long one the last part; of a map one task's."""
    run = a_run(runs, kind="map", tasks=2)
    (run.directory / "log").write_text("x" * 300_000 + "the end")
    (run.directory / "tasks").mkdir()
    (run.directory / "tasks" / "1.log").write_text("of task 1")
    told = run.logs()
    assert told is not None
    assert (len(told), told[-7:]) == (256 * 1024, "the end")
    assert run.logs(task=1) == "of task 1"
    ended = a_run(runs, 2)
    (ended.directory / "log").write_text("x" * 300_000 + "the end")
    assert ended.logs(follow=True) is None
    assert capsys.readouterr().out == "x" * 300_000 + "the end"


# -- cancelling ----------------------------------------------------------------------------


def test_what_is_over_is_not_cancelled(person: FakePerson, runs: Path) -> None:
    """Its number may be another job's by now."""
    assert a_run(runs).cancel().state == "completed"
    assert person.slurm.calls("scancel") == []


def test_one_task_of_an_array_can_be_ended_alone(person: FakePerson) -> None:
    """The others wait on; a job that is gone already is no mistake, a Slurm without an answer is one."""
    skiva.map(abs, range(3))
    slurm = Slurm(find_offer())
    wait_for(slurm.cancel(1, "2"))
    wait_for(slurm.cancel_many([]))
    assert person.slurm.calls("scancel") == [["1_2"]]
    states = {job["arraytaskid"]: job["state"] for job in person.slurm.jobs.values()}
    assert states == {"2": "CANCELLED", "0-1%16": "PENDING"}
    for gone in ("Invalid job id specified", "Job/step already completing or completed"):
        person.slurm.fault("scancel", fail=f"scancel: error: Kill job error on job id 1: {gone}")
        wait_for(slurm.cancel(1))
    person.slurm.fault("scancel", fail="scancel: error: Unable to contact slurm controller")
    with pytest.raises(SlurmUnanswered, match=r"Slurm is not answering: .*contact"):
        wait_for(slurm.cancel(1))


# -- lists ---------------------------------------------------------------------------------


def _many(runs: Path) -> None:
    for number, (day, made, more) in enumerate(
        [
            ("261121", 500.0, {"name": "Fit A"}),
            ("261122", 100.0, {"name": "fit b", "end": "failed"}),
            ("261122", 300.0, {"name": "other"}),
            ("261122", 200.0, {"name": "refit", "end": None}),
        ]
    ):
        place = lay(runs, run_id(number, day), **more)  # type: ignore[arg-type]
        os.utime(place / "spec.json", (made, made))


def test_lists_are_newest_first_and_can_be_narrowed(runs: Path) -> None:
    """By days, and within a day by when they were made; by a part of the name, a state, a life, a number."""
    assert list(newest(runs)) == []
    _many(runs)
    (runs / "261122-broken00").mkdir()
    (runs / "notes").mkdir()
    assert [one.name for one in jobs()] == ["other", "refit", "fit b", "Fit A"]
    assert [one.name for one in jobs(limit=2)] == ["other", "refit"]
    assert [one.name for one in jobs(name="FIT")] == ["refit", "fit b", "Fit A"]
    assert [one.name for one in jobs(state="failed")] == ["fit b"]
    assert [one.name for one in jobs(state="ended", limit=2)] == ["other", "fit b"]
    assert [one.name for one in jobs(state="waiting")] == ["refit"]
    assert [one.name for one in jobs(state="cancelled")] == []


@pytest.mark.skipif(os.geteuid() != 0, reason="gives a directory away")
def test_a_run_of_somebody_else_is_not_listed(runs: Path) -> None:
    """Whoever could put one there would have their results unpickled here."""
    _many(runs)
    [place] = [one.path for one in newest(runs) if Run(one).name == "other"]
    os.chown(place, 65534, 65534)
    assert [one.name for one in jobs()] == ["refit", "fit b", "Fit A"]
    with pytest.raises(LookupError, match="of yours"):
        skiva.run(place.name)
    assert skiva.run(jobs()[0].id) == jobs()[0]


def test_runs_are_shown_as_what_they_are(runs: Path) -> None:
    """A name or a sentence with markup in it is text; JupyterLab gets the id and asks for the rest."""
    run = a_run(runs, end=None, name="<b>&", slice="<i>", simulated=True)
    note(run.directory, "ended", how="time_limit", sentence="It <u>ended</u>.")
    shown = bundle(run)
    assert shown[MIMETYPE] == {"id": run.id, "name": "<b>&", "kind": "function", "created": run.spec.created}
    page = shown["text/html"]
    for text in ("&lt;b&gt;&amp;", "&lt;i&gt; (simulated)", "It &lt;u&gt;ended&lt;/u&gt;."):
        assert text in page
    assert "<p>Ask for more hours" in page
    assert "<b>" not in page + table([run])["text/html"]
    assert "<u>" not in page
    assert shown["text/plain"] == f"<Run {run.id} '<b>&' on <i>: It <u>ended</u>.>"
    assert table([run, run])["text/html"].count("<tr>") == 3
    assert table([run])["text/plain"].split() == [
        *(run.id, "<b>&", "<i>", "(simulated)"),
        *time.strftime("%b %d %H:%M", time.localtime(run.spec.created)).split(),
        *("It", "<u>ended</u>."),
    ]
    waits: Any = SimpleNamespace(spec=run.spec, status=Status(state="queued", action="<i>Wait</i>"))
    assert "<p>&lt;i&gt;Wait&lt;/i&gt;</p>" in bundle(waits)["text/html"]
    assert "No runs yet" in Runs()._repr_mimebundle_()["text/plain"]
