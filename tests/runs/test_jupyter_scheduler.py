"""jupyter-scheduler's addresses in front of a real Slurm: jobs, their ends, and schedules."""

import json
import os
import pwd
import re
import shutil
import socket
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from playwright.sync_api import expect, sync_playwright
from tests.support.notebook_runs import notebook_of
from tests.support.scheduler_server import SchedulerServer
from tests.support.waiting import wait_until

from skiva_hub.embedded.ports import reserve

pytestmark = pytest.mark.slurm

_CLOSED = "closed"
"""A partition in which jobs wait for ever."""


def _slice(name: str, partition: str) -> dict[str, Any]:
    return {"id": name, "title": name, "partition": partition, "cores": 1, "memory_mb": 700}


@pytest.fixture(scope="module")
def home(cluster: Any) -> Iterator[Path]:
    """Somebody's home, whose session was told of two slices: jobs start on one, and wait for the lab."""
    place = Path(tempfile.mkdtemp(prefix="skiva-scheduler-", dir="/var/tmp"))
    site = tomllib.loads((cluster.dir / "site.toml").read_text())
    cpu = next(one for one in site["slice"] if not one.get("gres"))["partition"]
    offer = {
        "hub": "test",
        "bin": "/usr/bin",
        "conf": cluster.env["SLURM_CONF"],
        "max_hours": 24,
        "slices": [_slice("cpu", cpu), _slice("late", _CLOSED)],
        "environment": {"id": "base", "title": "JupyterLab", "launch": {"python": sys.executable}},
    }
    (place / "offer.json").write_text(json.dumps(offer))
    admin = ["/usr/bin/scontrol"]
    me = pwd.getpwuid(os.geteuid()).pw_name
    made = cluster.run_as(me, [*admin, "create", f"PartitionName={_CLOSED}", "Nodes=ALL", "State=DOWN"])
    assert made.returncode == 0, made.stderr
    try:
        yield place
    finally:
        cluster.run_as(me, ["/usr/bin/scancel", f"--user={me}"])
        wait_until(lambda: not _queue(cluster, me), 30, "an empty queue")
        cluster.run_as(me, [*admin, "delete", f"PartitionName={_CLOSED}"])
        shutil.rmtree(place)


@pytest.fixture(scope="module")
def serve(home: Path) -> Iterator[Callable[..., SchedulerServer]]:
    """`serve()`: a server in that home; all of them end with the module, until which their ports are kept."""
    made: list[SchedulerServer] = []
    held: list[socket.socket] = []
    env = {"PATH": os.environ["PATH"], "USER": pwd.getpwuid(os.geteuid()).pw_name, "SKIVA_RUN_DIR": str(home)}

    def make(*, lab: bool = False) -> SchedulerServer:
        held.append(next(filter(None, map(reserve, range(22_100, 32_000)))))
        made.append(SchedulerServer(home, held[-1].getsockname()[1], env, lab=lab).start())
        return made[-1]

    yield make
    for server in made:
        server.kill()
    for holder in held:
        holder.close()


@pytest.fixture(scope="module")
def server(serve: Callable[..., SchedulerServer]) -> SchedulerServer:
    """One of them."""
    return serve()


@pytest.fixture(scope="module")
def lab(serve: Callable[..., SchedulerServer]) -> SchedulerServer:
    """Another, which is a JupyterLab."""
    return serve(lab=True)


def _queue(cluster: Any, user: str) -> list[str]:
    argv = ["/usr/bin/squeue", "--noheader", f"--user={user}", "--format=%k %T"]
    done = cluster.run_as(user, argv)
    assert done.returncode == 0, done.stderr
    return [line for line in done.stdout.splitlines() if line.strip()]


def _notebook(home: Path, name: str, *cells: str, tags: Any = None) -> None:
    (home / name).parent.mkdir(exist_ok=True)
    nbformat.write(notebook_of(*cells, tags=tags), home / name)


def _form(name: str, **more: Any) -> dict[str, Any]:
    known = {"name": name, "input_uri": f"{name}.ipynb", "runtime_environment_name": "base"}
    return {**known, "output_formats": ["ipynb"], **more}


def test_a_job_runs_on_slurm_and_its_results_are_there(server: SchedulerServer, home: Path) -> None:
    """A form becomes a run with typed parameters, and its results open in the file browser."""
    cells = ("rate, text = 0, ''", "print(rate * 2, repr(text), open('side.csv').read())")
    _notebook(home, "folder/fit.ipynb", *cells, tags={0: ["parameters"]})
    (home / "folder/side.csv").write_text("1;2")
    (environment,) = server.ask("GET", "runtime_environments")
    assert environment["compute_types"][:4] == ["cpu", "cpu, 8 h", "cpu, 24 h", "late"]
    form = _form("A fit", input_uri="folder/fit.ipynb", parameters={"rate": "0.25", "text": "two words"})
    form |= {"tags": ["x"], "output_formats": ["ipynb", "html"], "idempotency_token": "t1"}
    form["compute_type"] = "cpu, 8 h"
    form["package_input_folder"] = True
    job_id = server.ask("POST", "jobs", form)["job_id"]
    assert server.ask("POST", "jobs", form)["job_id"] == job_id

    job = server.wait_for(job_id, "COMPLETED", "FAILED")
    assert (job["status"], job["status_message"], job["downloaded"]) == ("COMPLETED", None, False)
    assert job["create_time"] < job["start_time"] < job["end_time"]
    assert json.loads((home / f"skiva-runs/{job_id}/spec.json").read_text())["hours"] == 8
    server.ask("GET", f"jobs/{job_id}/download_files")
    job = server.job(job_id)
    assert job["downloaded"] is True
    texts = {}
    for file in job["job_files"]:
        answer = server.answer("GET", f"api/contents/{file['file_path']}")
        assert answer.status_code == 200, file
        texts[file["file_format"]] = json.dumps(answer.json()["content"])
    assert set(texts) == {"ipynb", "html", "input", "files", "log"}
    for kind in ("ipynb", "html", "log"):
        assert "0.5 'two words' 1;2" in texts[kind].replace("&#39;", "'"), kind
    listed = server.ask("GET", "jobs?tags=x")
    assert ([one["job_id"] for one in listed["jobs"]], listed["total_count"]) == ([job_id], 1)


def test_what_cannot_be_is_told_and_nothing_is_sent(server: SchedulerServer, home: Path) -> None:
    """A form with a mistake is answered with a sentence that names the field, and makes no run."""
    _notebook(home, "plain.ipynb", "1")
    before = server.ask("GET", "jobs")["total_count"]
    for more, word in (
        ({"input_uri": "none.ipynb"}, "none.ipynb"),
        ({"input_uri": "../../etc/passwd"}, "does not exist"),
        ({"compute_type": "h900"}, "compute_type: 'h900'"),
        ({"compute_type": "cpu, 99 h"}, "compute_type: at most 24 hours"),
        ({"runtime_environment_name": "rapids"}, "environment: this session's is base"),
        ({"output_formats": ["pdf"]}, "output_formats: 'pdf'"),
        ({"parameters": {"no name": "1"}}, "parameters: 'no name'"),
        ({"runtime_environment_parameters": {"nodes": 2}}, "runtime_environment_parameters"),
        ({"package_input_folder": True}, "package_input_folder"),
    ):
        answer = server.answer("POST", "scheduler/jobs", _form("plain", **more))
        assert (answer.status_code, word in answer.json()["message"]) == (500, True), answer.text
    assert server.ask("GET", "jobs")["total_count"] == before


def test_a_server_that_was_killed_knows_how_it_went(server: SchedulerServer, home: Path) -> None:
    """Jobs go on without the server; the next one tells what runs, what completed and what failed."""
    _notebook(home, "short.ipynb", "import time; time.sleep(1)")
    _notebook(home, "long.ipynb", "import time; time.sleep(600)")
    _notebook(home, "wrong.ipynb", "print('so far')", "1 / 0")
    ids = {name: server.ask("POST", "jobs", _form(name))["job_id"] for name in ("long", "short", "wrong")}
    server.wait_for(ids["long"], "IN_PROGRESS")
    server.kill()
    runs = home / "skiva-runs"

    def have_ended() -> bool:
        journals = [runs / ids[name] / "state.jsonl" for name in ("short", "wrong")]
        return all(file.exists() and '"ended"' in file.read_text() for file in journals)

    wait_until(have_ended, 60, "the end of both")
    server.start()
    found = {name: server.job(job_id) for name, job_id in ids.items()}
    assert {name: job["status"] for name, job in found.items()} == {
        "long": "IN_PROGRESS",
        "short": "COMPLETED",
        "wrong": "FAILED",
    }
    assert "ZeroDivisionError" in found["wrong"]["status_message"]
    assert "so far" in (runs / ids["wrong"] / "out.ipynb").read_text()
    assert server.ask("GET", "jobs/count")["count"] == 1

    server.ask("PATCH", f"jobs/{ids['long']}", {"status": "STOPPED"})
    stopped = server.wait_for(ids["long"], "STOPPED")
    assert stopped["status_message"].startswith("Cancelled")


def test_jobs_that_wait_can_be_stopped_and_deleted(cluster: Any, server: SchedulerServer, home: Path) -> None:
    """A waiting job is told without an error; stopped or deleted, nothing of it stays in Slurm."""
    _notebook(home, "later.ipynb", "1")
    form = _form("later", compute_type="late")
    stopped, deleted = (server.ask("POST", "jobs", form)["job_id"] for _ in range(2))
    job = server.wait_for(stopped, "QUEUED")
    server.wait_for(deleted, "QUEUED")
    assert (job["status_message"], job["start_time"]) == (None, None)
    server.ask("PATCH", f"jobs/{stopped}", {"status": "STOPPED"})
    assert server.job(stopped)["status"] in {"STOPPING", "STOPPED"}
    server.ask("DELETE", f"jobs/{deleted}")
    me = pwd.getpwuid(os.geteuid()).pw_name
    assert not [line for line in _queue(cluster, me) if deleted in line or stopped in line]
    assert server.wait_for(stopped, "STOPPED")["end_time"] is not None
    assert server.answer("GET", f"scheduler/jobs/{deleted}").status_code == 500
    assert (home / "skiva-runs/.trash" / deleted).is_dir()
    server.ask("DELETE", f"batch/jobs?job_id={stopped}")
    assert stopped not in [one["job_id"] for one in server.ask("GET", "jobs")["jobs"]]


def test_two_servers_keep_a_schedule_once(server: SchedulerServer, lab: SchedulerServer, home: Path) -> None:
    """What was due a moment ago is sent once by two servers, as the definition says; its pause is kept."""
    _notebook(home, "nightly.ipynb", "x = 1", "print(x)", tags={0: ["parameters"]})
    form = _form("nightly", schedule="0 0 1 1 *", timezone="Europe/Berlin", parameters={"x": "7"})
    definition = server.ask("POST", "job_definitions", form)["job_definition_id"]
    refused = server.answer("POST", "scheduler/job_definitions", {**form, "schedule": "often"})
    assert "schedule: 'often'" in refused.json()["message"]

    due = time.gmtime(time.time() - 90)
    file = home / "skiva-runs/.scheduler/definitions" / definition / "definition.json"
    kept = json.loads(file.read_text())
    kept |= {"schedule": time.strftime("%M %H * * *", due), "timezone": None, "since": time.time() - 200}
    (file.with_name("draft")).write_text(json.dumps(kept))
    (file.with_name("draft")).replace(file)

    def jobs() -> list[Any]:
        found: list[Any] = lab.ask("GET", f"jobs?job_definition_id={definition}")["jobs"]
        return found

    (job,) = wait_until(jobs, 30, server.log)
    assert lab.wait_for(job["job_id"], "COMPLETED")["parameters"] == {"x": "7"}
    assert '"7\\n"' in (home / "skiva-runs" / job["job_id"] / "out.ipynb").read_text()
    assert len(jobs()) == 1
    by_hand = lab.ask("POST", f"job_definitions/{definition}/jobs", {"parameters": {"x": "8"}})["job_id"]
    assert lab.job(by_hand)["parameters"] == {"x": "8"}
    lab.ask("PATCH", f"job_definitions/{definition}", {"active": False})
    assert server.ask("GET", f"job_definitions/{definition}")["active"] is False
    server.ask("DELETE", f"job_definitions/{definition}")
    assert lab.ask("GET", "job_definitions")["total_count"] == 0
    assert len(jobs()) == 2


@pytest.mark.browser
def test_its_own_form_makes_a_run(lab: SchedulerServer, home: Path) -> None:
    """Its form sends a notebook to the slice that is chosen, and its list tells the end."""
    _notebook(home, "from-form.ipynb", "print('made by a form')")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", timeout=60_000)
        page = chromium.new_page(viewport={"width": 1300, "height": 1100}, locale="en-GB")
        page.set_default_timeout(60_000)
        page.goto(f"http://127.0.0.1:{lab.port}/lab?token=t")
        page.locator(".jp-DirListing-item", has_text="from-form.ipynb").click(button="right")
        page.get_by_role("menuitem", name="Create Job").click()
        page.get_by_label("Job name").fill("By the form")
        page.get_by_label("Compute type").click()
        page.get_by_role("option", name="cpu, 8 h").click()
        page.get_by_role("button", name="Create").click()
        page.get_by_title('Delete "By the form"').wait_for()
        (job,) = lab.ask("GET", "jobs?name=By the form")["jobs"]
        lab.wait_for(job["job_id"], "COMPLETED")
        page.get_by_role("button", name="Reload").click()
        row = page.get_by_role("row", name=re.compile("By the form"))
        expect(row).to_contain_text("Completed", timeout=30_000)
        chromium.close()
    assert json.loads((home / f"skiva-runs/{job['job_id']}/spec.json").read_text())["hours"] == 8
