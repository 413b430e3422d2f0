"""What `skiva submit` hands to Slurm, and what the other words tell of it."""

import io
import json
import pickle
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from tests.support.fake_runs import FakePerson
from tests.support.notebook_runs import notebook_of
from tests.support.runs_on_disk import lay, note, run_id

from skiva.runs.command import main
from skiva.runs.command.find import Mistake, find


@pytest.fixture
def here(person: FakePerson, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory that they are in, with programs."""
    place = tmp_path / "work"
    place.mkdir()
    monkeypatch.chdir(place)
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    (place / "train.py").write_text("print(1)\n")
    (place / "lines").write_text("one\n\n  \ntwo words\r\n")
    return place


def _sent(person: FakePerson) -> tuple[Path, dict[str, Any]]:
    place = max(person.runs, key=lambda run: (run / "spec.json").stat().st_mtime_ns)
    return place, json.loads((place / "spec.json").read_text())


def test_a_program_is_sent_as_it_was_typed(
    person: FakePerson, here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Python file goes along as it is now; the options before it are ours, those behind it its own."""
    monkeypatch.setenv("HERE", "value")
    typed = "submit --hours 0.5 --name a-name --restarts 2 --env HERE --env B=x=y train.py --hours 3"
    assert main(typed.split()) == 0
    place, spec = _sent(person)
    assert capsys.readouterr().out == f"Submitted as run {spec['id']} on cpu.\n"
    assert (spec["kind"], spec["argv"], spec["name"]) == ("command", ["train.py", "--hours", "3"], "a-name")
    assert (spec["hours"], spec["restarts"], spec["tasks"], spec["cwd"]) == (0.5, 2, None, str(here))
    assert spec["source"] == {"program": str(here / "train.py")}
    assert (place / "program.py").read_text() == "print(1)\n"
    env = json.loads((place / "env.json").read_text())
    assert (env["HERE"], env["B"]) == ("value", "x=y")
    assert main(["submit", "--json", "--", "true", "--x"]) == 0
    place, spec = _sent(person)
    told = {"id": spec["id"], "job_id": 2, "dir": str(place)}
    assert json.loads(capsys.readouterr().out) == told
    assert (spec["argv"], spec["name"], spec["source"]) == (["true", "--x"], "true", {})
    assert not (place / "program.py").exists()


@pytest.mark.parametrize(
    ("typed", "tasks", "at_once"),
    [
        ("--tasks 3", [(0, None), (1, None), (2, None)], 16),
        ("--tasks 2 --at-once 1", [(0, None), (1, None)], 1),
        ("--array lines", [(0, "one"), (1, "two words")], 16),
        ("--array - --at-once 2", [(0, "a"), (1, "b")], 2),
    ],
)
def test_an_array_has_a_task_for_each_line(
    person: FakePerson, here: Path, monkeypatch: pytest.MonkeyPatch, typed: str, tasks: list[Any],
    at_once: int,
) -> None:  # fmt: skip
    """Blank lines are none; 16 run at once where nothing is said."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("a\nb\n"))
    assert main(["submit", *typed.split(), "echo", "{}"]) == 0
    place, spec = _sent(person)
    assert pickle.loads((place / "items.pkl").read_bytes()) == tasks  # noqa: S301
    assert (spec["tasks"], spec["at_once"]) == (len(tasks), at_once)
    assert f"--array=0-{len(tasks) - 1}%{at_once}" in person.slurm.calls("sbatch")[0]


def test_a_program_that_is_not_here_is_sent_all_the_same(
    person: FakePerson, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nodes may have what this machine lacks; a Python file would have to be here."""
    assert main(["submit", "no-such-program"]) == 0
    assert "'no-such-program' is not found here; it is submitted all the same" in capsys.readouterr().err
    assert main(["submit", "true"]) == 0
    assert capsys.readouterr().err == ""
    (here / "empty").write_text("\n\n")
    assert main(["submit", "--array", "empty", "true"]) == 2
    assert "empty has no lines" in capsys.readouterr().err
    assert len(person.slurm.calls("sbatch")) == 2


def test_a_notebook_takes_its_parameters_from_both_sides(person: FakePerson, here: Path) -> None:
    """What JSON understands is that, anything else is text."""
    nbformat.write(notebook_of("1"), here / "a.ipynb")
    before, behind = ["-p", "a=1", "-p", "b=x", "--resume"], ["-p", "c=[1,2]", "-p", "d=a=b"]
    assert main(["submit", *before, "a.ipynb", *behind]) == 0
    _, spec = _sent(person)
    assert (spec["kind"], spec["resume"], spec["restarts"]) == ("notebook", True, 10)
    assert spec["parameters"] == {"a": 1, "b": "x", "c": [1, 2], "d": "a=b"}
    assert main(["submit", "--tasks", "2", "a.ipynb"]) == 2


def _ended(person: FakePerson, how: str, number: int = 1, **spec: Any) -> Path:
    place = lay(person.home / "skiva-runs", run_id(number), end=how, **spec)
    (place / "log").write_text("what it printed\n")
    return place


@pytest.mark.parametrize(("how", "status"), [("completed", 0), ("failed", 1), ("time_limit", 1)])
def test_following_and_results_have_the_exit_status_of_the_run(
    person: FakePerson, here: Path, capsys: pytest.CaptureFixture[str], how: str, status: int
) -> None:
    """So that scripts know; what it printed is on standard output alone."""
    run = _ended(person, how, kind="notebook")
    assert main(["logs", "-f", run.name]) == status
    told = capsys.readouterr()
    assert told.out == "what it printed\n"
    assert f"skiva: {run.name}: It {how}." in told.err
    assert main(["logs", run.name]) == 0
    capsys.readouterr()
    assert main(["result", run.name]) == status
    told = capsys.readouterr()
    assert told.out == f"{run / 'out.ipynb'}\n"
    assert (f"It {how}." in told.err) == (status == 1)


def test_a_run_that_goes_on_has_no_result_yet(
    person: FakePerson, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit status 3, and nothing on standard output; a command never has one."""
    run = lay(person.home / "skiva-runs", run_id(1), end=None)
    note(run, "started")
    assert main(["result", run.name]) == 3
    told = capsys.readouterr()
    assert (told.out, "is not over after 0 seconds: Running." in told.err) == ("", True)
    command = _ended(person, "completed", 2, kind="command")
    assert main(["result", command.name]) == 0
    assert f"skiva logs {command.name}" in capsys.readouterr().out
    assert main(["result", "--out", "x", command.name]) == 2
    assert not (here / "x").exists()


def test_the_logs_of_an_array_have_headings(
    person: FakePerson, here: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """One task's alone with --task; only that can be followed."""
    run = lay(person.home / "skiva-runs", run_id(1), end=None, kind="command", tasks=3)
    (run / "tasks").mkdir()
    for number in (0, 2):
        (run / "tasks" / f"{number}.log").write_text(f"of {number}\n")
        (run / "tasks" / str(number)).mkdir()
        note(run / "tasks" / str(number), "ended", how="completed" if number else "failed", sentence="So.")
    assert main(["logs", run.name]) == 0
    assert capfd.readouterr().out == "== task 0\nof 0\n== task 2\nof 2\n"
    assert main(["logs", "--task", "2", run.name]) == 0
    assert capfd.readouterr().out == "of 2\n"
    for task, status in ((0, 1), (2, 0), (3, 2), (-1, 2)):
        assert main(["logs", "-f", "--task", str(task), run.name]) == status
    assert main(["logs", "-f", run.name]) == 2
    assert "which of the 3 tasks" in capfd.readouterr().err


def test_the_id_of_a_run_may_be_the_beginning_of_none(person: FakePerson, here: Path) -> None:
    """A whole id is that run, a beginning of several none; more of it tells which."""
    runs = person.home / "skiva-runs"
    for name in ("261122-aaaa1111", "261122-aaaa2222", "261122-bbbb1111"):
        lay(runs, name)
    assert find("261122-aaaa1111").id == "261122-aaaa1111"
    assert find("b").id == "261122-bbbb1111"
    for text in ("a", "26", "261122-aaaa"):
        with pytest.raises(Mistake, match="is the beginning of"):
            find(text)


def test_jobs_are_listed_for_people_and_programs(
    person: FakePerson, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The newest first, as many as asked for, in a state; each field for programs."""
    assert main(["jobs"]) == 0
    assert "No runs yet" in capsys.readouterr().out
    _ended(person, "completed", 1, name="one")
    run = lay(person.home / "skiva-runs", run_id(2, "261123"), end="failed", name="two")
    assert main(["jobs"]) == 0
    assert [line.split()[1] for line in capsys.readouterr().out.splitlines()] == ["NAME", "two", "one"]
    assert main(["jobs", "--state", "completed", "--limit", "1"]) == 0
    assert [line.split()[1] for line in capsys.readouterr().out.splitlines()] == ["NAME", "one"]
    assert main(["jobs", "--state", "cancelled"]) == 0
    assert capsys.readouterr().out == "No such runs.\n"
    assert main(["jobs", "--json", "--limit", "1"]) == 0
    [row] = json.loads(capsys.readouterr().out)
    told = {"id": run.name, "name": "two", "state": "failed", "life": "ended", "dir": str(run), "node": "n1"}
    assert {name: row[name] for name in told} == told
    assert row["sentence"] == "It failed."


def test_cancelling_names_each_run(
    person: FakePerson, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One that Slurm does not end keeps the others from nothing, and makes the exit status 1."""
    for _ in range(2):
        assert main(["submit", "true"]) == 0
    over = _ended(person, "completed", 9)
    first, second = sorted(run.name for run in person.runs if run != over)
    capsys.readouterr()
    person.slurm.fault("scancel", times=1, fail="scancel: error: Unable to contact slurm controller")
    assert main(["cancel", first, second, over.name]) == 1
    told = capsys.readouterr()
    assert f"skiva cancel: {first}: Slurm is not answering" in told.err
    assert told.out.splitlines() == [
        f"Run {second} is being cancelled.",
        f"Run {over.name} was over already: It completed.",
    ]
    assert main(["cancel", first]) == 0
    assert {job["state"] for job in person.slurm.jobs.values()} == {"CANCELLED"}
