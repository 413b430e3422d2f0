"""What a run asks of Slurm, and what it takes along: of its slice, of its options, of this session."""

import json
import sys
from pathlib import Path
from typing import Any

import nbformat
import pytest
from tests.support.fake_runs import FakePerson
from tests.support.notebook_runs import notebook_of

import skiva
from skiva.runs import offer as offer_module
from skiva.runs.functions import submit
from skiva.runs.look import read_spec
from skiva.runs.notebook.handing import send_notebook
from skiva.runs.offer import NoOffer, find_offer
from skiva.runs.paths import RunDir
from skiva.runs.run import Run
from skiva.runs.spec import Spec
from skiva.runs.submit import submitted

_GPU = {
    "id": "1g.10gb",
    "title": "A slice",
    "partition": "gpu",
    "gres": "gpu:1g.10gb:1",
    "cores": 3,
    "memory_mb": 700,
    "account": "lab",
    "qos": "high",
    "constraint": "a100",
    "reservation": "course",
    "licenses": "matlab:1",
    "exclude": "n1",
    "extra_gres": ["tmpdisk:9"],
    "isolation": "exclusive",
    "simulated": True,
    "devices_wanted": 1,
}
_CPU = {"id": "cpu", "title": "A core", "partition": "gpu", "cores": 1, "memory_mb": 100}


def asked(person: FakePerson, job: int = 1) -> dict[str, str]:
    """The options of the last sbatch, by name; of those without a value it is empty."""
    words = (word.removeprefix("--").partition("=") for word in person.slurm.jobs[job]["argv"])
    return {name: value for name, _, value in words}


def _spec(run: Run) -> Spec:
    return read_spec(RunDir(run.directory))


def test_all_that_a_slice_is_is_asked_for(person: FakePerson) -> None:
    """Its gres, cores, memory, account, QOS, features, licences, nodes; its limit, its warning, its name."""
    person.change_offer(slices=[_GPU, _CPU], max_hours=9, devices=["/dev/a*"], always_open=["/dev/ctl"])
    run = submit(pow, 2, 3, slice="1g.10gb", hours=1.999, name="a fit!", restarts=2)
    told = asked(person)
    wanted = {
        "gres": "gpu:1g.10gb:1,tmpdisk:9", "licenses": "matlab:1", "exclude": "n1",
        "cpus-per-task": "3", "mem": "700M", "time": "120", "account": "lab",
        "qos": "high", "constraint": "a100", "reservation": "course", "partition": "gpu",
        "comment": f"skiva-run:{run.id}", "job-name": "a-fit", "signal": "B:USR1@60", "requeue": "",
        "output": str(run.directory / "log"), "chdir": str(run.directory),
    }  # fmt: skip
    assert {name: told[name] for name in wanted} == wanted
    assert "array" not in told
    assert person.slurm.jobs[1]["script"].splitlines()[-1] == (
        f"exec {sys.executable} -I -m skiva.runs.work {run.directory}"
    )
    spec = _spec(run)
    assert (spec.slice, spec.slice_title, spec.simulated, spec.name) == ("1g.10gb", "A slice", True, "a fit!")
    assert (spec.hours, spec.restarts, spec.kind, spec.cwd) == (1.999, 2, "function", str(Path.cwd()))
    proof = {"devices": ["/dev/a*"], "always_open": ["/dev/ctl"], "wanted": 1, "must": True}
    assert spec.proof == proof
    assert json.loads((run.directory / "submission.json").read_text())["job_id"] == 1


def test_what_nobody_asked_for_is_the_sites(person: FakePerson) -> None:
    """The first slice without a GPU, the site's usual hours, no second start, the function's name."""
    person.change_offer(slices=[_GPU, _CPU], hours=3)
    run = submit(pow, 2, 3)
    told = asked(person)
    assert (told["time"], told["cpus-per-task"], told["job-name"]) == ("180", "1", "pow")
    assert "gres" not in told
    assert "no-requeue" in told
    assert (run.spec.slice, run.spec.restarts, run.spec.proof["must"]) == ("cpu", 0, False)
    person.change_offer(slices=[_GPU], hours=30, max_hours=2)
    assert submit(pow, 2, 3).spec.slice == "1g.10gb"
    assert asked(person, 2)["time"] == "120"
    submit(pow, 2, 3, hours=0.004)
    assert asked(person, 3)["time"] == "1"


@pytest.mark.parametrize(
    ("isolation", "fenced", "must"),
    [("exclusive", True, True), ("exclusive", False, False), ("shared", True, False)],
)
def test_only_what_can_be_proved_must_be(
    person: FakePerson, isolation: str, *, fenced: bool, must: bool
) -> None:
    """Where devices are not fenced, or are shared, a job begins although it sees others'."""
    person.change_offer(slices=[{**_GPU, "isolation": isolation}], fenced=fenced)
    assert submit(pow, 2, 3).spec.proof["must"] is must


def test_the_site_has_a_limit_of_hours_and_of_slices(person: FakePerson) -> None:
    """Just the longest is possible; what is not is refused in words before anything is written."""
    person.change_offer(max_hours=2, slices=[_GPU, _CPU])
    with pytest.raises(skiva.BadWish, match=r"^hours: at most 2 are possible for a run, not 2\.01$"):
        submit(pow, 2, 3, hours=2.01)
    with pytest.raises(skiva.BadWish, match=r"^slice: 'h100' is not among those you may use: 1g\.10gb, cpu$"):
        submit(pow, 2, 3, slice="h100")
    person.change_offer(slices=[])
    with pytest.raises(skiva.BadWish, match=r"^slice: this site offers you none"):
        submit(pow, 2, 3)
    assert (person.runs, person.slurm.calls("sbatch")) == ([], [])
    person.change_offer(slices=[_CPU])
    assert submit(pow, 2, 3, hours=2).spec.hours == 2


def test_a_map_is_an_array_with_a_log_for_each_task(person: FakePerson) -> None:
    """As many at once as was asked for, 16 where nothing was."""
    run = skiva.map(abs, range(5), at_once=2, name="many")
    told = asked(person)
    assert (told["array"], told["output"]) == ("0-4%2", str(run.directory / "tasks" / "%a.log"))
    assert (run.spec.kind, run.spec.tasks, run.spec.at_once, run.spec.name) == ("map", 5, 2, "many")
    assert (run.directory / "tasks").is_dir()
    skiva.map(abs, range(5))
    assert asked(person, 2)["array"] == "0-4%16"
    person.slurm.fault("scontrol", config={"MaxArraySize": "5"})
    assert skiva.map(abs, range(5)).spec.tasks == 5
    with pytest.raises(skiva.BadWish, match="items: there are none"):
        skiva.map(abs, [])


def test_variables_that_are_named_are_kept_for_the_job(
    person: FakePerson, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a file that nobody else reads; not in what is told to Slurm."""
    monkeypatch.setenv("MY_TOKEN", "canary")
    run = submit(pow, 2, 3, env=["MY_TOKEN"])
    kept = run.directory / "env.json"
    assert json.loads(kept.read_text())["MY_TOKEN"] == "canary"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert run.directory.stat().st_mode & 0o777 == 0o700
    assert "canary" not in json.dumps(person.slurm.jobs[1])
    assert "canary" not in (run.directory / "submission.json").read_text()
    with pytest.raises(skiva.BadWish, match="env: 'NOT_SET' is not set here"):
        submit(pow, 2, 3, env=["NOT_SET"])


def test_a_notebook_runs_on_the_sessions_python_and_all_else_on_this_one(person: FakePerson) -> None:
    """A kernel of a person's own need not have what runs notebooks."""
    environment = {"id": "base", "title": "Base", "digest": "d1", "launch": {"python": "/opt/base/python"}}
    person.change_offer(environment=environment)
    run = submit(pow, 2, 3)
    assert (run.spec.environment["python"], run.spec.environment["digest"]) == (sys.executable, "d1")
    sent = send_notebook(nbformat.writes(notebook_of("1")), person.home / "a.ipynb")
    assert sent.spec.environment["python"] == "/opt/base/python"
    assert (sent.spec.cwd, sent.spec.sys_path, sent.spec.name) == (str(person.home), (), "a")


def test_the_offer_of_this_session_goes_before_the_one_that_was_kept(
    person: FakePerson, tmp_path: Path
) -> None:
    """A terminal outside of sessions has the last one's; one that cannot be read is passed over."""
    session = tmp_path / "session"
    session.mkdir()
    kept = find_offer({}, person.home)
    environ = {"SKIVA_RUN_DIR": str(session)}
    assert find_offer(environ, person.home) == kept
    (session / "offer.json").write_text(json.dumps({**json.loads(kept.model_dump_json()), "hub": "other"}))
    assert find_offer(environ, person.home).hub == "other"
    (session / "offer.json").write_text("{")
    assert find_offer(environ, person.home) == kept
    with pytest.raises(NoOffer, match="start a server on the hub once"):
        offer_module.find_offer({}, tmp_path)


def test_a_key_is_found_again_while_its_run_is_there(person: FakePerson) -> None:
    """Also a refused one, for whoever asks for that; a key that nobody had is nobody's."""
    run = submit(pow, 2, 3, key="k")
    assert (submit(pow, 2, 4, key="k").id, submit(pow, 2, 3, key="l").id != run.id) == (run.id, True)
    found = submitted("k")
    assert found is not None
    assert found.id == run.id
    assert submitted("m") is None
    (run.directory / "refused.json").write_text("{}")
    assert submitted("k") == found
    assert submit(pow, 2, 3, key="k").id != run.id
    assert [path.name for path in person.home.glob("skiva-runs/.keys/.*")] == []
    assert len(list(person.home.glob("skiva-runs/.keys/*"))) == 3


def test_runs_are_below_the_directory_that_the_site_says(person: FakePerson, tmp_path: Path) -> None:
    """With the person's name in it, and for nobody else to look into."""
    person.change_offer(runs=f"{tmp_path}/scratch/{{user}}")
    run = submit(pow, 2, 3)
    assert run.directory.parent == tmp_path / "scratch" / "ann"
    assert run.directory.parent.stat().st_mode & 0o777 == 0o700
    run.directory.parent.chmod(0o770)
    with pytest.raises(skiva.BadWish, match=r"^runs: .*chmod go-w"):
        submit(pow, 2, 3)


def test_what_cannot_be_called_is_refused(person: FakePerson) -> None:
    """`submit(f())` in place of `submit(f)`: said before anything happens."""
    made: list[Any] = [lambda: skiva.submit(7), lambda: skiva.map(7, [1])]  # type: ignore[arg-type]
    for call in made:
        with pytest.raises(skiva.BadWish, match=r"^function: must be something that can be called"):
            call()
    assert person.runs == []
