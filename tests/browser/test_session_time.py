"""A link's form, more time, and the end of time."""

import os
import re
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect
from tests.support.hub import HubClient
from tests.support.people import PATIENCE, Person

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slurm,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs accounts of several people"),
]


def test_a_link_only_fills_in_the_form(
    somebody: Callable[[str], Person], hub: HubClient, jobs_of: Callable[[str], list[str]]
) -> None:
    """Somebody else's link chooses in the form, which waits for its reader to press Start."""
    person = somebody("researcher1")
    person.open_form(slice="h100", hours="3", environment="base")
    assert (person.picked, person.page.input_value("#skiva-hours")) == ("h100", "3")
    person.go("/hub/spawn/researcher1", **{"opt-slice": "shard", "opt-hours": "0.5"})
    assert (person.picked, person.page.input_value("#skiva-hours")) == ("shard", "0.5")
    person.go("/hub/spawn", slice="no such", hours="1e9", cmd="id")
    expect(person.page.locator("#spawn_form")).to_be_visible()
    server = hub.server("researcher1")
    assert server is None or (server["stopped"] and not server["pending"])
    assert jobs_of("researcher1") == []


def test_an_hour_more(
    somebody: Callable[[str], Person], hub: HubClient, cluster: Any, job_of: Callable[[str], int]
) -> None:
    """One press in JupyterLab lengthens the Slurm job, and the status bar shows it."""
    hub.start_server("researcher1", {"slice": "cpu", "hours": 1})
    hub.wait_ready("researcher1", 90)
    person = somebody("researcher1")
    person.go("/hub/")
    person.sign_in()
    person.wait_for_lab()
    expect(person.status).to_contain_text("59 min")
    person.status.click()
    person.page.get_by_role("dialog").get_by_role("button", name="Extend by 1 h").click()
    expect(person.status).to_contain_text("1 h 59 min")
    argv = ["/usr/bin/squeue", "-ho", "%l", "-j", str(job_of("researcher1"))]
    assert cluster.run_as("researcher1", argv).stdout.strip() == "2:00:00"


def test_the_end_of_time(
    somebody: Callable[[str], Person], cluster: Any, job_of: Callable[[str], int]
) -> None:
    """Before the end the notebook is saved without being asked; after it every page says what happened."""
    person = somebody("researcher2")
    notebook = person.write_notebook("end-of-time.ipynb")
    person.open_form()
    person.choose("cpu", "0.05")
    person.press_start()
    person.wait_for_lab()
    person.open_notebook(notebook.name)
    person.type("precious = 1")
    # An operator makes it shorter still; Slurm looks at its limits twice a minute.
    argv = ["/usr/bin/scontrol", "update", f"JobId={job_of('researcher2')}", "EndTime=now+45"]
    assert cluster.run_as("root", argv).returncode == 0
    warning = person.toast("Saved end-of-time.ipynb.")
    expect(warning).to_contain_text(re.compile("ends this session in about|This session ends in"))
    assert person.saved(notebook) == "precious = 1"

    ended = person.page.locator(".jp-Dialog", has_text="Session ended")
    expect(ended).to_contain_text("its time limit was reached.", timeout=PATIENCE * 2)
    person.go("/user/researcher2/lab")
    alert = person.page.get_by_role("alert")
    expect(alert).to_contain_text("Your session ended: its time limit was reached.", timeout=PATIENCE)
    expect(alert).to_contain_text("Files that were saved are there.")
    person.page.get_by_role("button", name="Choose again").click()
    expect(person.page.locator("#spawn_form")).to_be_visible()
    assert person.picked == "cpu"
