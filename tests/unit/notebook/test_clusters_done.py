"""What a person does with clusters over REST that concerns Slurm: its commands are stand-ins."""

import json
import os
import pwd
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.slurm import FakeSlurm
from tests.support.clusters_on_disk import lay_cluster
from tests.support.runs_lab import Lab

from skiva.server.clusters import views
from skiva_slurm.tags import ClusterTag

_LIMITS = {"most_jobs": 5, "most_slice_hours": 12, "hours": 2, "max_hours": 3}
_SLICES = {"cpu": None, "2xh100": "gpu:h100:2", "shard": "shard:1"}


@pytest.fixture
def slurm(tmp_path: Path, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    """A site with three slices whose Slurm is a stand-in, offered to this person."""
    monkeypatch.setenv("USER", pwd.getpwuid(os.geteuid()).pw_name)
    fake = FakeSlurm(tmp_path / "slurm")
    common = {"partition": "gpu", "cores": 2, "memory_mb": 2000}
    offer = {
        "hub": "lab",
        "bin": str(fake.bin),
        "slices": [{"id": name, "title": name, "gres": gres, **common} for name, gres in _SLICES.items()],
        "environment": {"id": "base", "title": "Base", "launch": {"python": sys.executable}},
        "dask": _LIMITS,
    }
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "offer.json").write_text(json.dumps(offer))
    return fake


def _clusters(lab: Lab) -> Path:
    return lab.runs.parent / ".local/state/skiva/clusters"


async def _start(lab: Lab, **wishes: Any) -> tuple[int, Any]:
    return await lab.ask("clusters", method="POST", body=wishes)


async def test_a_cluster_is_started_for_the_person(lab: Lab, slurm: FakeSlurm) -> None:
    """Slurm is handed one small job, its scheduler; the answer and the list have the cluster at once."""
    code, status = await _start(lab, slice="cpu", workers=3, hours=0.5, name="Mine")
    assert (code, status["name"], status["state"], status["detached"]) == (201, "Mine", "starting", True)
    assert status["workers"]["wanted"] == 3
    (job,) = slurm.jobs.values()
    assert job["comment"] == ClusterTag(status["id"], 0, 0).text
    listed = (await lab.ask("clusters"))[1]["clusters"]
    assert [(one["id"], one["state"]) for one in listed] == [(status["id"], "starting")]


async def test_pressed_twice_it_is_one_cluster(lab: Lab, slurm: FakeSlurm) -> None:
    """The same key is the same cluster, also where the first was asked for without an answer of Slurm's."""
    slurm.fault("sbatch", times=1, lose=True)
    asked = [await _start(lab, workers=2, key="k") for _ in range(2)]
    assert [code for code, _ in asked] == [201, 201]
    assert asked[0][1]["id"] == asked[1][1]["id"]
    assert len(slurm.jobs) == 1
    assert (await _start(lab, key=7))[0] == 400


@pytest.mark.parametrize(
    ("body", "code", "words"),
    [
        ({"slice": "none"}, 400, "slice: 'none' is not among those you may use"),
        ({"workers": -1}, 400, "workers: must be a whole number from 0"),
        ({"workers": "many"}, 400, "workers: must be a whole number from 0"),
        ({"hours": 4}, 400, "hours: "),
        ({"workers": 100}, 400, "This site lets a person have 5 at once"),
        ({"name": 7}, 400, "name: "),
        ({"python": "/other"}, 400, "python: there is no such field."),
        ([1], 400, "The request must be a JSON object."),
        (b"{", 400, "The request is no JSON that can be read."),
    ],
)
async def test_what_cannot_be_started_is_told_and_not_asked_of_slurm(
    lab: Lab, slurm: FakeSlurm, body: Any, code: int, words: str
) -> None:
    """The sentence names the field; nothing is left of it."""
    status, answer = await lab.ask("clusters", method="POST", body=body)
    assert (status, answer.keys()) == (code, {"message"})
    assert words in answer["message"]
    assert slurm.calls("sbatch") == []
    assert (await lab.ask("clusters"))[1]["clusters"] == []


async def test_what_slurm_refuses_is_told(lab: Lab, slurm: FakeSlurm) -> None:
    """In the answer, and of the cluster that has ended before it began."""
    slurm.fault("sbatch", fail="sbatch: error: Batch job submission failed: Invalid qos specification")
    code, answer = await _start(lab, slice="cpu", workers=1)
    assert code == 409
    (left,) = (await lab.ask("clusters"))[1]["clusters"]
    assert left["state"] == "closed"
    assert answer["message"].rstrip(".") in left["sentence"]


async def test_one_whose_scheduler_has_not_started_is_closed_all_the_same(lab: Lab, slurm: FakeSlurm) -> None:
    """Its waiting job is ended, and nobody else's; a Slurm that says no is quoted and the cluster stays."""
    other = slurm.add_job(comment=ClusterTag("261122-otherone", 0, 0).text)
    status = (await _start(lab, slice="cpu", workers=1))[1]
    close = f"clusters/{status['id']}/close"
    (number,) = slurm.jobs.keys() - {other}
    slurm.fault("scancel", fail="scancel: error: Kill job error on job id 1: Access/permission denied")
    code, answer = await lab.ask(close, method="POST", body={})
    assert code == 409
    assert answer["message"].startswith("Slurm does not let you end job")
    assert (await lab.ask(f"clusters/{status['id']}"))[1]["state"] == "starting"
    slurm.heal()
    code, status = await lab.ask(close, method="POST", body={})
    assert (code, status["state"]) == (200, "closed")
    assert slurm.calls("scancel")[-1] == [str(number)]


async def test_the_leftovers_of_one_that_was_lost_are_ended_before_it_is_deleted(
    lab: Lab, slurm: FakeSlurm
) -> None:
    """Its waiting jobs would otherwise be nobody's."""
    lost = lay_cluster(_clusters(lab), 1, told={"at": time.time() - 99}, created=1.0, bin=str(slurm.bin))
    number = slurm.add_job(comment=ClusterTag(lost.id, 1, 7).text, user=os.environ["USER"])
    assert (await lab.ask(f"clusters/{lost.id}"))[1]["state"] == "lost"
    assert (await lab.ask(f"clusters/{lost.id}", method="DELETE")) == (200, {})
    assert slurm.calls("scancel") == [[str(number)]]
    assert not lost.path.exists()


async def test_one_in_a_busy_notebook_is_not_ended_behind_its_back(lab: Lab, slurm: FakeSlurm) -> None:
    """What asks Slurm for its workers lives there, and would ask again."""
    place = lay_cluster(_clusters(lab), 1, told={}, bin=str(slurm.bin))
    (place.scheduler).write_text(json.dumps({"http": "https://127.0.0.1:1"}))
    code, answer = await lab.ask(f"clusters/{place.id}/close", method="POST", body={})
    assert code == 503
    assert "restart its kernel" in answer["message"]
    assert slurm.calls("scancel") == []


async def test_what_may_be_started_is_offered(lab: Lab, slurm: FakeSlurm, tmp_path: Path) -> None:
    """The slices with their GPUs, how much one person may have, and whether this environment has Dask."""
    code, told = await lab.ask("clusters/offer")
    assert code == 200
    assert {one["id"]: one["gpus"] for one in told["slices"]} == {"cpu": 0, "2xh100": 2, "shard": 0}
    assert {name: told[name] for name in _LIMITS} == _LIMITS
    assert (told["dask"], told["trouble"]) == (True, "")
    assert told["cuda"] is (not told["message"])
    (tmp_path / "run" / "offer.json").unlink()
    empty = (await lab.ask("clusters/offer"))[1]
    assert empty["slices"] == []
    assert empty["trouble"].startswith("Nothing is known here of slices")
    assert slurm.calls("squeue") == []


@pytest.mark.parametrize(
    ("plain", "with_gpus", "told"),
    [
        ("", "", (True, True, "")),
        ("", "No dask-cuda.", (True, False, "No dask-cuda.")),
        ("No dask.", "No dask.", (False, False, "No dask.")),
        ("No dask.", "No dask-cuda.", (False, False, "No dask.")),
    ],
)
def test_what_this_environment_lacks_for_clusters_is_said(
    monkeypatch: pytest.MonkeyPatch, plain: str, with_gpus: str, told: tuple[bool, bool, str]
) -> None:
    """Of a Python without Dask that alone; of one that has it what is missing on GPUs."""
    monkeypatch.setattr(views, "lacks", lambda cuda: with_gpus if cuda else plain)
    answer = views.offered([])
    assert (answer["dask"], answer["cuda"], answer["message"]) == told
