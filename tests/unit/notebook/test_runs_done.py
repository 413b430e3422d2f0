"""What a person does with runs over REST: Slurm's commands are stand-ins that answer and fail as told."""

import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.slurm import FakeSlurm
from tests.support.runs_lab import Lab
from tests.support.runs_on_disk import lay, note, run_id

from skiva.server.runs import actions

CELL: dict[str, Any] = {
    "cell_type": "code",
    "id": "a1",
    "source": "x = 1",
    "metadata": {},
    "outputs": [],
    "execution_count": None,
}
NOTEBOOK: dict[str, Any] = {
    "cells": [CELL, {**CELL, "id": "b2", "source": "print(x)"}],
    "metadata": {"kernelspec": {"name": "python3", "language": "python", "display_name": "Python"}},
    "nbformat": 4,
    "nbformat_minor": 5,
}


@pytest.fixture
def slurm(tmp_path: Path, lab: Lab) -> FakeSlurm:
    """A site with one slice whose Slurm is a stand-in, offered to this person."""
    fake = FakeSlurm(tmp_path / "slurm")
    offer = {
        "hub": "lab",
        "bin": str(fake.bin),
        "max_hours": 8,
        "slices": [
            {"id": "cpu", "title": "CPU", "partition": "gpu", "cores": 1, "memory_mb": 100, "simulated": True}
        ],
        "environment": {"id": "base", "title": "Base", "launch": {"python": sys.executable}},
    }
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "offer.json").write_text(json.dumps(offer))
    return fake


def wish(**fields: Any) -> dict[str, Any]:
    """What the page sends."""
    return {"kind": "notebook", "path": "work/fit.ipynb", "content": NOTEBOOK, **fields}


async def test_a_notebook_is_sent_off_as_the_page_has_it(lab: Lab, slurm: FakeSlurm) -> None:
    """Its file need not even exist: the content that was sent is what runs, in the notebook's directory."""
    code, row = await lab.ask(
        "runs", method="POST", body=wish(hours=2, name="My fit", restarts=1, resume=True)
    )
    assert code == 201
    assert (row["name"], row["kind"], row["hours"], row["state"]) == ("My fit", "notebook", 2, "queued")
    assert (row["notebook"], row["slice"], row["simulated"]) == ("work/fit.ipynb", "cpu", True)
    place = lab.runs / row["id"]
    assert ["".join(cell["source"]) for cell in json.loads((place / "input.ipynb").read_text())["cells"]] == [
        "x = 1",
        "print(x)",
    ]
    assert json.loads((place / "spec.json").read_text())["cwd"] == str(lab.runs.parent / "work")
    assert slurm.jobs[row["job_id"]]["comment"] == f"skiva-run:{row['id']}"
    listed = (await lab.ask("runs"))[1]["runs"]
    assert [one["id"] for one in listed] == [row["id"]]


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"slice": "h100"}, "slice: "),
        ({"slice": ["cpu"]}, "slice: "),
        ({"hours": 9}, "hours: "),
        ({"hours": "soon"}, "hours: "),
        ({"hours": True}, "hours: "),
        ({"name": "a\nb"}, "name: "),
        ({"restarts": -1}, "restarts: "),
        ({"resume": "yes"}, "resume: "),
        ({"start_at": 7}, "start_at: "),
        ({"start_at": "1"}, "start_at: "),
        ({"parameters": [1]}, "parameters: "),
        ({"parameters": {"import": 1}}, "parameters: "),
        ({"path": "../../etc/passwd"}, "path: "),
        ({"path": ""}, "path: "),
        ({"path": 5}, "path: "),
        ({"content": None}, "content: "),
        ({"content": {"cells": 5}}, "path: "),
        ({"kind": "command"}, "kind: "),
        ({"argv": ["rm"]}, "argv: "),
        ({"draft": "../x"}, "draft: "),
        ({"key": 5}, "key: "),
    ],
)
async def test_what_is_not_possible_is_named_and_submits_nothing(
    lab: Lab, slurm: FakeSlurm, fields: dict[str, Any], named: str
) -> None:
    """400 with one sentence that begins with the field; no directory, no job."""
    code, answer = await lab.ask("runs", method="POST", body=wish(**fields))
    assert code == 400
    assert answer["message"].startswith(named), answer
    assert "\n" not in answer["message"]
    assert slurm.jobs == {}
    assert [one for one in lab.runs.iterdir() if one.name[0].isdigit()] == []


@pytest.mark.parametrize("body", [b"{", b"[]", b"5", b"[" * 100_000, b"\xff\xfe{}"])
async def test_a_body_that_is_no_object_is_refused(lab: Lab, body: bytes) -> None:
    """However it is broken, the answer is a sentence."""
    for path in ("runs", "runs/drafts"):
        code, answer = await lab.ask(path, method="POST", body=body)
        assert code == 400
        assert answer["message"].startswith("The request ")


async def test_a_body_that_is_too_large_is_refused(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """A notebook with outputs beyond all measure is not copied into a run; the sentence says what helps."""
    monkeypatch.setattr(actions, "_LARGEST", 2 * 1024**2)
    for path in ("runs", "runs/drafts"):
        code, answer = await lab.ask(path, method="POST", body=b" " * (2 * 1024**2 + 1))
        assert code == 413
        assert answer == {"message": "content: must be at most 2 MiB; clear large outputs first."}
        code, answer = await lab.ask(path, method="POST", body=b" " * 2 * 1024**2)
        assert (code, answer["message"]) == (400, "The request is no JSON that can be read.")


async def test_a_double_click_is_one_run(lab: Lab, slurm: FakeSlurm) -> None:
    """Two requests with the same key at once give the same run, and one job."""
    both = await asyncio.gather(*(lab.ask("runs", method="POST", body=wish(key="k1")) for _ in range(2)))
    assert [code for code, _ in both] == [201, 201]
    assert len({row["id"] for _, row in both}) == len(slurm.jobs) == 1


async def test_slurms_refusal_is_told_and_kept(lab: Lab, slurm: FakeSlurm) -> None:
    """409 with Slurm's reason in a sentence, and a run that says the same."""
    slurm.fault(
        "sbatch", fail="sbatch: error: Batch job submission failed: Invalid account or account/partition"
    )
    code, answer = await lab.ask("runs", method="POST", body=wish())
    assert code == 409
    (row,) = (await lab.ask("runs"))[1]["runs"]
    assert (row["state"], row["sentence"].rstrip(".")) == ("refused", answer["message"].rstrip("."))


async def test_a_draft_waits_for_its_kernel(lab: Lab, slurm: FakeSlurm) -> None:
    """What the page has is kept under a name that nobody can guess, and can be sent off by it."""
    code, answer = await lab.ask(
        "runs/drafts", method="POST", body={"path": "work/fit.ipynb", "content": NOTEBOOK}
    )
    assert code == 200
    kept = json.loads((lab.runs / ".drafts" / f"{answer['draft']}.json").read_text())
    assert kept == {"path": str(lab.runs.parent / "work/fit.ipynb"), "content": NOTEBOOK}
    body = {"kind": "notebook", "draft": answer["draft"], "start_at": 1}
    code, row = await lab.ask("runs", method="POST", body=body)
    assert (code, row["notebook"]) == (201, "work/fit.ipynb")
    assert (await lab.ask("runs"))[1]["runs"][0]["id"] == row["id"]


async def test_a_run_is_cancelled_once(lab: Lab, slurm: FakeSlurm) -> None:
    """Slurm is asked for that job alone; what has ended is left as it is."""
    row = (await lab.ask("runs", method="POST", body=wish()))[1]
    code, told = await lab.ask(f"runs/{row['id']}/cancel", method="POST", body={})
    assert (code, told["state"], told["sentence"]) == (200, "ending", "It is being cancelled.")
    assert slurm.calls("scancel") == [[str(row["job_id"])]]
    assert (lab.runs / row["id"] / "cancel.json").exists()
    lay(lab.runs, run_id(1))
    assert (await lab.ask(f"runs/{run_id(1)}/cancel", method="POST", body={}))[1]["state"] == "completed"
    assert len(slurm.calls("scancel")) == 1


async def test_another_persons_job_number_cancels_nothing(lab: Lab, slurm: FakeSlurm) -> None:
    """A run that names it is cancelled as oneself, so Slurm refuses, and the page says so."""
    lay(lab.runs, run_id(1), end=None, job_id=4242)
    slurm.fault("scancel", fail="scancel: error: Kill job error on job id 4242: Access/permission denied")
    code, answer = await lab.ask(f"runs/{run_id(1)}/cancel", method="POST", body={})
    assert code == 409
    assert answer["message"].startswith("Slurm does not let you end job 4242")


async def test_a_silent_slurm_is_told_as_such(lab: Lab, slurm: FakeSlurm) -> None:
    """503: nothing was refused, and a second try may succeed."""
    lay(lab.runs, run_id(1), end=None, job_id=5)
    slurm.fault("scancel", fail="scancel: error: Unable to contact slurm controller (connect failure)")
    code, answer = await lab.ask(f"runs/{run_id(1)}/cancel", method="POST", body={})
    assert (code, answer["message"].startswith("Slurm is not answering")) == (503, True)


async def test_the_same_is_sent_off_again_with_changes(lab: Lab, slurm: FakeSlurm) -> None:
    """A new run that names the old one; what cannot be changed is named."""
    first = (await lab.ask("runs", method="POST", body=wish(hours=2)))[1]
    code, second = await lab.ask(f"runs/{first['id']}/again", method="POST", body={"hours": 4})
    assert (code, second["again_of"], second["hours"]) == (201, first["id"], 4)
    assert second["id"] != first["id"]
    code, answer = await lab.ask(f"runs/{first['id']}/again", method="POST", body={"path": "other"})
    assert (code, answer["message"]) == (400, "path: there is no such field.")


async def test_pressed_twice_it_is_sent_off_again_once(lab: Lab, slurm: FakeSlurm) -> None:
    """Whoever was not answered presses again with the same key, and is given the run that there is."""
    first = (await lab.ask("runs", method="POST", body=wish(key="first")))[1]
    slurm.fault("sbatch", times=1, lose=True)
    again = [await lab.ask(f"runs/{first['id']}/again", method="POST", body={"key": "k"}) for _ in range(2)]
    assert [code for code, _ in again] == [201, 201]
    assert again[0][1]["id"] == again[1][1]["id"] != first["id"]
    assert len(slurm.jobs) == 2
    third = (await lab.ask(f"runs/{first['id']}/again", method="POST", body={}))[1]
    assert third["id"] not in {first["id"], again[0][1]["id"]}


async def test_a_run_is_deleted_and_brought_back(lab: Lab) -> None:
    """Nothing of it is lost meanwhile; what lives is not deleted, and nothing is ever put over another."""
    run, live = run_id(1), run_id(2)
    (lay(lab.runs, run) / "result.pkl").write_bytes(b"x")
    note(lay(lab.runs, live, end=None), "started", node="n1")
    version = (await lab.ask("runs"))[1]["version"]
    assert (await lab.ask(f"runs/{live}", method="DELETE"))[0] == 409
    assert await lab.ask(f"runs/{run}", method="DELETE") == (200, {"undo": True})
    gone = (await lab.ask(f"runs?since={version}"))[1]
    assert (gone["removed"], gone["runs"]) == ([run], [])
    assert (await lab.ask(f"runs/{run}"))[0] == 404
    assert (lab.runs / ".trash").stat().st_mode & 0o777 == 0o700
    code, row = await lab.ask(f"runs/{run}/restore", method="POST", body={})
    assert (code, row["state"], row["result"]) == (200, "completed", "pickle")
    assert (await lab.ask(f"runs/{run}/restore", method="POST", body={}))[0] == 404
    back = (await lab.ask(f"runs?since={gone['version']}"))[1]
    assert ([one["id"] for one in back["runs"]], back["removed"]) == ([run], [])
    lay(lab.runs / ".trash", run)
    assert (await lab.ask(f"runs/{run}", method="DELETE"))[0] == 409
    assert (await lab.ask(f"runs/{run}/restore", method="POST", body={}))[0] == 409
    assert (lab.runs / run / "result.pkl").exists()


async def test_what_is_offered_has_what_the_hub_tells_is_free(lab: Lab, slurm: FakeSlurm) -> None:
    """Without a hub's word the numbers are not known; they are not made up."""
    code, told = await lab.ask("runs/offer")
    assert (code, told["hours"], told["max_hours"], told["trouble"]) == (200, 1, 8, "")
    assert [(one["id"], one["simulated"], one["free"]) for one in told["slices"]] == [("cpu", True, None)]
    queue = lab.app.web_app.settings["skiva_runs"].queue
    slices = [{"id": "cpu", "free": 3, "total": 4, "waiting": 1, "status": "free"}]
    queue.told(json.dumps({"taken": time.time(), "trouble": "", "jobs": [], "slices": slices}))
    (one,) = (await lab.ask("runs/offer"))[1]["slices"]
    assert (one["free"], one["total"], one["waiting"], one["status"]) == (3, 4, 1, "free")


async def test_without_a_site_the_page_is_told_what_to_do(lab: Lab) -> None:
    """A plain JupyterLab that no hub ever started."""
    code, told = await lab.ask("runs/offer")
    assert (code, told["slices"]) == (200, [])
    assert "start a server on the hub" in told["trouble"]
    code, answer = await lab.ask("runs", method="POST", body=wish())
    assert (code, "start a server on the hub" in answer["message"]) == (503, True)


async def test_slurm_is_asked_seldom_and_only_where_no_hub_tells(lab: Lab, slurm: FakeSlurm) -> None:
    """Twenty looks in a row are one squeue; with a hub's stream there is none."""
    run = run_id(1)
    lay(
        lab.runs,
        run,
        end=None,
        job_id=slurm.add_job(comment=f"skiva-run:{run}", user=os.environ.get("USER", "")),
    )
    queue = lab.app.web_app.settings["skiva_runs"].queue
    job = {"job_id": 1, "run": run, "slurm_state": "RUNNING", "node": "n1"}
    queue.told(json.dumps({"taken": time.time(), "trouble": "", "jobs": [job]}))
    for _ in range(20):
        (row,) = (await lab.ask("runs"))[1]["runs"]
    assert (row["state"], slurm.calls("squeue")) == ("running", [])
    queue._heard -= 1000
    (Path(os.environ["SKIVA_RUN_DIR"]) / "queue.json").unlink()
    async with asyncio.timeout(30):
        while not slurm.calls("squeue"):
            await lab.ask("runs")
    for _ in range(20):
        await lab.ask("runs")
    assert len(slurm.calls("squeue")) == 1
