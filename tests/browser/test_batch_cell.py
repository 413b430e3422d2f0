"""%%batch in a real JupyterLab: the card, a kernel that is restarted, and the variables afterwards."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect
from tests.support.hub import HubClient
from tests.support.people import PATIENCE, Person
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slurm,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs accounts of several people"),
]

WHO = "researcher3"
NOTEBOOK = "batch-cell.ipynb"
CELLS = {
    "setup": "import threading\nlock = threading.Lock()\nfactor = 21\ndef double(v): return 2 * v",
    "batch": "%%batch hours=0.1 name=fit\n"
    "import time\nfor n in range(12):\n    print('second', n, flush=True)\n    time.sleep(1)\n"
    "from IPython.display import HTML\nanswer = double(factor)\nHTML('<b>shown in the job</b>')",
    "use": "print('the answer is', answer)",
    "wrong": "%%batch\nlock; nowhere",
}


@pytest.fixture
def person(somebody: Callable[[str], Person], hub: HubClient) -> Iterator[Person]:
    """Somebody in a running JupyterLab with a notebook of these cells, who never sent anything off."""
    person = somebody(WHO)
    shutil.rmtree(person.home / "skiva-runs", ignore_errors=True)
    hub.start_server(WHO, {"slice": "cpu", "hours": 0.5})
    hub.wait_ready(WHO, 90)
    person.go("/hub/login")
    person.sign_in()
    _write(person.write_notebook(NOTEBOOK))
    person.open_notebook(NOTEBOOK)
    yield person
    shutil.rmtree(person.home / "skiva-runs", ignore_errors=True)


def _write(path: Path) -> None:
    notebook = json.loads(path.read_text())
    cell = notebook["cells"][0]
    cells = [{**cell, "id": name, "source": source} for name, source in CELLS.items()]
    path.write_text(json.dumps({**notebook, "cells": cells}))


def _cell(page: Page, name: str) -> Locator:
    return page.locator(".jp-Notebook .jp-CodeCell").nth(list(CELLS).index(name))


def _run(page: Page, name: str) -> Locator:
    """Run one of the cells; its outputs."""
    cell = _cell(page, name)
    cell.locator(".cm-content").click()
    page.keyboard.press("Control+Enter")
    return cell.locator(".jp-OutputArea-output")


def _runs(person: Person) -> list[str]:
    found = (person.home / "skiva-runs").glob("*/spec.json")
    return [path.parent.name for path in found if json.loads(path.read_text())["kind"] == "cell"]


def test_a_cell_finds_its_run_after_the_kernel_was_restarted(person: Person) -> None:
    """The card goes on by itself; the cell run again shows the same run, and its variables are there."""
    page = person.page
    _run(page, "setup")
    batch = _run(page, "batch")
    card = page.get_by_role("region", name="Run fit")
    expect(card.get_by_role("log")).to_contain_text("second 1", timeout=PATIENCE)
    expect(batch.filter(has_text="Submitted as run")).to_be_visible()

    for key in ("Escape", "0", "0", "Enter"):  # restart, and yes
        page.keyboard.press(key)
    expect(card.get_by_role("log")).to_contain_text("second 6", timeout=PATIENCE)
    person.wait_for_kernel()

    _run(page, "setup")
    batch = _run(page, "batch")
    expect(batch.filter(has_text="unchanged since it was sent off")).to_be_visible(timeout=PATIENCE)
    expect(batch.filter(has_text="Bound here: time, n, HTML, answer.")).to_be_visible(timeout=PATIENCE)
    expect(batch.get_by_text("shown in the job")).to_be_visible()
    expect(card).to_contain_text("Completed", timeout=PATIENCE)
    expect(_run(page, "use")).to_have_text("the answer is 42")
    assert len(_runs(person)) == 1

    page.keyboard.press("Control+s")
    path = person.home / NOTEBOOK
    wait_until(lambda: "skiva.run+json" in path.read_text(), 30, "the card is saved")
    page.reload()
    person.wait_for_lab()
    expect(card).to_contain_text("Completed", timeout=PATIENCE)


def test_what_cannot_be_sent_is_said_below_the_cell(person: Person) -> None:
    """In words, and nothing is submitted."""
    _run(person.page, "setup")
    outputs = _run(person.page, "wrong")
    expect(outputs).to_contain_text("nowhere: there is no such variable here")
    expect(outputs).to_contain_text("lock cannot travel to the job: a lock belongs to this process")
    assert _runs(person) == []
