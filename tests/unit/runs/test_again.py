"""A map's tasks each by themselves, what is run again, and what the queue says of it."""

import json
import pickle
import time
from pathlib import Path

import pytest
from tests.support.fake_runs import FakePerson, reading
from tests.support.runs_on_disk import lay, note, run_id, write

import skiva
from skiva.runs.look import look
from skiva.runs.paths import RunDir
from skiva.runs.queue import Queue
from skiva.runs.run import Run


def test_only_what_has_failed_is_run_again(person: FakePerson) -> None:
    """Of a map neither what completed nor what is under way; nothing left is said in words."""
    run = skiva.map(abs, [-1, -2, -3])
    with pytest.raises(skiva.BadWish, match="still waiting or running"):
        Run(RunDir(run.directory)).rerun()
    for task, how in enumerate(("completed", "failed", "completed")):
        place = run.directory / "tasks" / str(task)
        place.mkdir()
        line = {"event": "ended", "at": 1.0, "how": how, "sentence": "So."}
        (place / "state.jsonl").write_text(json.dumps(line) + "\n")
    again = run.rerun(hours=1)
    assert (again.spec.tasks, again.spec.again_of) == (1, run.id)
    line = {"event": "ended", "at": 1.0, "how": "completed", "sentence": "So."}
    (run.directory / "tasks" / "1" / "state.jsonl").write_text(json.dumps(line) + "\n")
    with pytest.raises(skiva.BadWish, match="all of them completed"):
        run.rerun()
    with pytest.raises(skiva.BadWish, match="there is no such option"):
        run.rerun(hous=1)


def test_a_run_is_repeated_with_all_that_it_was(person: FakePerson, tmp_path: Path) -> None:
    """Its files, its variables, its place and its options, but for those that are given anew."""
    gone = tmp_path / "gone"
    gone.mkdir()
    first = lay(
        person.home / "skiva-runs", run_id(1), kind="notebook", name="fit", hours=0.25, restarts=3,
        resume=True, parameters={"x": 1}, start_at=2, argv=("a", "b"), cwd=str(gone), sys_path=("/p",),
        source={"notebook": "n"},
    )  # fmt: skip
    (first / "input.ipynb").write_text("text")
    (first / "out.ipynb").write_text("result")
    write(first / "env.json", {"MY_TOKEN": "canary"})
    again = Run(RunDir(first)).rerun(name="other")
    for name in ("kind", "hours", "restarts", "resume", "parameters", "start_at", "argv", "cwd", "source"):
        assert getattr(again.spec, name) == getattr(Run(RunDir(first)).spec, name), name
    assert (again.spec.sys_path, again.spec.again_of, again.spec.name) == (("/p",), first.name, "other")
    assert (again.directory / "input.ipynb").read_text() == "text"
    assert not (again.directory / "out.ipynb").exists()
    assert json.loads((again.directory / "env.json").read_text())["MY_TOKEN"] == "canary"
    gone.rmdir()
    assert again.rerun().spec.cwd == str(Path.cwd())


@pytest.mark.parametrize("state", ["running", "requeued", "ending", "queued"])
def test_what_is_under_way_is_not_run_twice(person: FakePerson, state: str) -> None:
    """A task that goes on, or will, is left alone; one that failed is repeated with its own item."""
    run = skiva.map(divmod, [10, 20, 30], 7, at_once=2)
    for number in (1, 2):
        (run.directory / "tasks" / str(number)).mkdir()
    place = run.directory / "tasks" / "1"
    told = {"running": "RUNNING", "requeued": "PENDING", "ending": "COMPLETING", "queued": "PENDING"}[state]
    job = person.slurm.task_of_its_own(1, 1)
    person.slurm.set_state(job, told, node="n1", restarts=int(state == "requeued"))
    if state != "queued":
        note(place, "started", restarts=0)
    if state == "requeued":
        note(place, "interrupted", how="time_limit")
    note(run.directory / "tasks" / "2", "ended", how="failed")
    person.slurm.set_state(person.slurm.task_of_its_own(1, 0), "PENDING")
    found = Run(RunDir(run.directory))
    assert [one.state for one in found.tasks().values()] == ["queued", state, "failed"]
    again = found.rerun()
    assert (again.spec.tasks, again.spec.at_once, again.spec.again_of) == (1, 2, run.id)
    [item] = pickle.loads((again.directory / "items.pkl").read_bytes())  # noqa: S301
    assert pickle.loads(item) == 30  # noqa: S301


def test_a_task_that_slurm_ended_does_not_speak_for_the_others(person: FakePerson) -> None:
    """One task completed, one was lost with its node, one was cancelled while it waited: each as it was."""
    run = skiva.map(abs, [-1, -2, -3])
    for number, (state, node) in enumerate([("COMPLETED", "n1"), ("NODE_FAIL", "n1"), ("CANCELLED", "")]):
        job = person.slurm.task_of_its_own(1, number)
        person.slurm.set_state(job, state, node=node)
    place = run.directory / "tasks" / "0"
    place.mkdir()
    (place / "result.pkl").write_bytes(b"")
    for taken in (time.time() + 10, time.time() + 100):  # the first look writes down what the second reads
        told = reading(person, taken)
        found = look(RunDir(run.directory), run.spec, told)
        assert found.tasks == {"completed": 1, "node_failed": 1, "cancelled": 1}
    person.slurm.fault("squeue", forget=True)
    assert look(RunDir(run.directory), run.spec, reading(person, time.time() + 999)).tasks == found.tasks


def test_the_trouble_with_slurm_is_told_with_the_run(person: FakePerson) -> None:
    """A Slurm that does not answer ends nothing, and the person reads why nothing moves."""
    run = skiva.submit(pow, 2, 3)
    person.slurm.fault("squeue", fail="slurm_load_jobs error: Unable to contact slurm controller")
    found = look(RunDir(run.directory), run.spec, Queue().reading())
    assert found.state == "queued"
    assert "not answering" in found.trouble


def test_without_a_site_a_run_is_told_by_its_files_alone(person: FakePerson) -> None:
    """The offer is gone, as after a move to another machine: nothing fails."""
    run = skiva.submit(pow, 2, 3)
    (person.home / ".local/state/skiva/offer.json").unlink()
    assert look(RunDir(run.directory), run.spec, Queue().reading()).state == "queued"


def test_a_link_in_place_of_a_run_is_no_run(person: FakePerson) -> None:
    """What it leads to may be somebody's who wants to be unpickled."""
    run = skiva.submit(pow, 2, 3)
    link = run.directory.with_name("261122-zzzzzzzz")
    link.symlink_to(run.directory)
    assert [one.id for one in skiva.jobs()] == [run.id]
    with pytest.raises(LookupError, match="of yours"):
        skiva.run(link.name)
    with pytest.raises(LookupError, match="There is no run"):
        skiva.run("261122-yyyyyyyy")
