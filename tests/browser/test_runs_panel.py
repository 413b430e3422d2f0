"""Runs in a real JupyterLab: sent off from a notebook, followed, cancelled, repeated, and found again."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, expect
from tests.support.hub import HubClient
from tests.support.people import PATIENCE, Person
from tests.support.runs_panel import Runs, write_runs

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slurm,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs accounts of several people"),
]

WHO = "researcher2"
CPU = {"slice": "cpu", "hours": 0.5}
FUNCTION = """\
import skiva, time
def work(seconds):
    for second in range(seconds):
        print("second", second, flush=True)
        skiva.progress(second + 1, seconds)
        time.sleep(1)
    return "worked"
run = skiva.submit(work, {seconds}, slice="cpu", hours=0.1, name="{name}")
run"""


@pytest.fixture
def person(somebody: Callable[[str], Person], hub: HubClient) -> Iterator[Person]:
    """Somebody in a running JupyterLab who never sent anything off."""
    person = somebody(WHO)
    shutil.rmtree(person.home / "skiva-runs", ignore_errors=True)
    _start(hub)
    person.go("/hub/login")
    person.sign_in()
    yield person
    shutil.rmtree(person.home / "skiva-runs", ignore_errors=True)


def _start(hub: HubClient) -> None:
    hub.start_server(WHO, CPU)
    hub.wait_ready(WHO, 90)


def _open(person: Person, name: str, *sources: str) -> Path:
    """A notebook with these cells, opened with an idle kernel; the first of several has the parameters."""
    path = person.write_notebook(name)
    notebook = json.loads(path.read_text())
    cell = notebook["cells"][0]
    cells = [{**cell, "id": f"cell-{index}", "source": source} for index, source in enumerate(sources)]
    if len(cells) > 1:
        cells[0]["metadata"] = {"tags": ["parameters"]}
    path.write_text(json.dumps({**notebook, "cells": cells}))
    person.open_notebook(name)
    return path


def _submit(person: Person) -> None:
    """Fill in the dialog that is open, press its button, and look at the new run."""
    dialog = person.page.get_by_role("dialog")
    dialog.get_by_role("radio", name="CPU only").check()
    dialog.get_by_role("spinbutton", name="Hours").fill("0.1")
    dialog.get_by_role("button", name="Submit").click()
    person.toast("was submitted.").get_by_role("button", name="Show", exact=True).click()


def test_an_unsaved_edit_is_run_and_found_again_from_a_new_server(person: Person, hub: HubClient) -> None:
    """Sent off with an edit and a parameter, its session stopped: a new one has its end and its outputs."""
    path = _open(
        person,
        "runs-found.ipynb",
        "seconds = 2",
        "import time\nfor i in range(seconds):\n    time.sleep(1)\n    print('at', i, flush=True)",
        "",
    )
    person.type("print('the unsaved edit ran')")
    person.page.get_by_role("button", name="Run in batch").click()
    person.page.get_by_label("seconds =").fill("20")
    _submit(person)
    runs = Runs(person.page)
    expect(runs.state).to_contain_text("Running", timeout=PATIENCE)
    expect(runs.log).to_contain_text("at 1", timeout=PATIENCE)
    assert "unsaved" not in person.saved(path)

    person.go("/hub/home")
    hub.stop_server(WHO)
    hub.wait_stopped(WHO, 60)
    _start(hub)

    person.open_notebook(path.name)
    runs.open()
    runs.row("runs-found").click()
    expect(runs.state).to_contain_text("Completed", timeout=PATIENCE)
    expect(runs.log).to_contain_text("the unsaved edit ran")
    runs.press("Open result")
    expect(person.page.get_by_role("tab", name="out.ipynb")).to_be_visible()
    result = person.page.locator(".jp-Notebook:visible .jp-OutputArea-output")
    expect(result.first).to_contain_text("at 19")
    expect(result.last).to_have_text("the unsaved edit ran")
    assert person.complaints == []


def test_a_run_is_followed_cancelled_and_repeated(person: Person) -> None:
    """The card and the panel go along from running to the end that somebody made, and to a second run."""
    card = _running(person, "runs-live.ipynb", "live")
    expect(card.get_by_role("log")).to_contain_text("second 2", timeout=PATIENCE)
    expect(card.get_by_role("progressbar", name="Progress")).to_be_visible()
    card.get_by_role("button", name="Show in Runs").click()
    runs = Runs(person.page)
    expect(runs.log).to_contain_text("second 3", timeout=PATIENCE)
    runs.press("Cancel")
    dialog = person.page.get_by_role("dialog")
    dialog.get_by_role("button", name="Let it run").click()
    expect(runs.state).to_contain_text("Running")
    runs.press("Cancel")
    dialog.get_by_role("button", name="Cancel the run").click()
    expect(runs.state).to_contain_text("Cancelled", timeout=PATIENCE)
    expect(card).to_contain_text("Cancelled", timeout=PATIENCE)
    expect(runs.log).to_contain_text("second 3")
    runs.press("Run again")
    expect(runs.state).to_contain_text("Running", timeout=PATIENCE)
    runs.press("Back to all runs")
    expect(runs.panel.get_by_role("option", name="live, ")).to_have_count(2)
    assert person.complaints == []


def test_an_end_that_nobody_looked_at_is_told(person: Person) -> None:
    """With no card and no panel in sight, a notification tells how a run ended, and leads to it."""
    code = FUNCTION.format(seconds=12, name="aside").removesuffix("\nrun")
    _open(person, "runs-aside.ipynb", code)
    person.cell.click()
    person.page.keyboard.press("Shift+Enter")
    toast = person.toast("aside: Completed")
    expect(toast).to_be_visible(timeout=PATIENCE)
    toast.get_by_role("button", name="Show", exact=True).click()
    expect(Runs(person.page).log).to_contain_text("second 11")
    assert person.complaints == []


def test_what_was_removed_comes_back_with_undo(person: Person) -> None:
    """An ended run leaves the list at a press, its card says so, and one more press brings both back."""
    card = _running(person, "runs-undo.ipynb", "short", seconds=1)
    runs = Runs(person.page)
    runs.open()
    expect(card).to_contain_text("Completed", timeout=PATIENCE)
    card.get_by_role("button", name="Show result").click()
    expect(card.get_by_role("status")).to_have_text("'worked'", timeout=PATIENCE)
    runs.row("short").click()
    runs.press("Remove")
    expect(runs.panel.get_by_role("option", name="short, ")).to_have_count(0)
    expect(card).to_contain_text("This run was removed.")
    person.toast("short was removed.").get_by_role("button", name="Undo").click()
    expect(runs.row("short")).to_contain_text("Completed")
    expect(card).to_contain_text("Completed")
    runs.panel.get_by_role("button", name="Failed").click()
    expect(runs.panel.get_by_role("option", name="short, ")).to_have_count(0)


def _running(person: Person, notebook: str, name: str, seconds: int = 600) -> Locator:
    """The card of a run that a cell of this notebook sent off."""
    _open(person, notebook, FUNCTION.format(seconds=seconds, name=name))
    person.cell.click()
    person.page.keyboard.press("Shift+Enter")
    card = person.page.get_by_role("region", name=f"Run {name}")
    expect(card.get_by_role("button", name="Show in Runs")).to_be_visible(timeout=PATIENCE)
    return card


def test_the_keyboard_alone_is_enough(person: Person, hold: Callable[[int], list[int]]) -> None:
    """Arrows, Enter, Escape and Delete lead through the list, states have names, changes are announced."""
    hold(7)
    code = FUNCTION.format(seconds=1, name="waits").replace('"cpu"', '"1g.10gb"')
    _open(person, "runs-keys.ipynb", f"{code}\n{FUNCTION.format(seconds=1, name='quick')}")
    person.cell.click()
    person.page.keyboard.press("Shift+Enter")
    runs = Runs(person.page)
    runs.open()
    expect(runs.row("quick")).to_have_accessible_name("quick, Completed, CPU only", timeout=PATIENCE)
    waits = runs.row("waits")
    expect(waits).to_contain_text("in use", timeout=PATIENCE)

    listbox = runs.panel.get_by_role("listbox", name="Runs, the newest first")
    keyboard = person.page.keyboard
    runs.panel.get_by_role("searchbox", name="Filter runs").focus()
    keyboard.type("seventh")
    expect(runs.row("quick")).to_have_count(0)
    keyboard.press("ArrowDown")
    expect(listbox).to_be_focused()
    expect(waits).to_have_attribute("aria-selected", "true")
    assert listbox.get_attribute("aria-activedescendant") == waits.get_attribute("id")
    keyboard.press("Enter")
    expect(runs.panel.get_by_role("button", name="Back to all runs")).to_be_focused()
    expect(runs.state).to_contain_text("Queued")
    keyboard.press("Escape")
    expect(listbox).to_be_focused()
    keyboard.press("Delete")
    expect(waits).to_have_accessible_name("waits, Cancelled, One seventh of a GPU", timeout=PATIENCE)
    expect(runs.panel.get_by_role("status").first).to_contain_text("waits: Cancelled.")
    _every_control_has_a_name(runs.panel)


def test_the_rest_of_a_notebook_runs_with_its_variables(person: Person) -> None:
    """From the cell that was pointed at, with what the kernel knows; what cannot travel is named."""
    sources = ("known = 41", "import threading\nlock = threading.Lock()", "print('rest', known + 1)")
    _open(person, "runs-rest.ipynb", *sources)
    page = person.page
    page.locator(".jp-Notebook .cm-content").first.click()
    page.keyboard.press("Shift+Enter")
    page.keyboard.press("Shift+Enter")
    expect(page.locator(".jp-InputPrompt").nth(1)).to_have_text("[2]:", timeout=PATIENCE)
    page.locator(".jp-CodeCell").last.click(button="right")
    page.get_by_role("menuitem", name="Run the rest in batch…").click()
    expect(page.get_by_role("dialog")).to_contain_text("The cells from number 3 on")
    _submit(person)
    runs = Runs(page)
    expect(runs.state).to_contain_text("Completed", timeout=PATIENCE)
    expect(runs.log).to_contain_text("rest 42")

    person.type("\nprint(lock)")
    page.locator(".jp-CodeCell").last.click(button="right")
    page.get_by_role("menuitem", name="Run the rest in batch…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Submit").click()
    expect(dialog.get_by_role("alert")).to_contain_text("lock", timeout=PATIENCE)
    dialog.get_by_role("button", name="Cancel").click()


def _every_control_has_a_name(panel: Locator) -> None:
    nameless = panel.evaluate(
        """panel => [...panel.querySelectorAll('button, input, [role=option], [role=listbox], [role=log]')]
            .filter(node => !(node.getAttribute('aria-label') || node.textContent).trim())
            .map(node => node.outerHTML)"""
    )
    assert nameless == []


def test_a_thousand_runs_are_there_within_a_second(person: Person) -> None:
    """The newest of a thousand runs are listed within a second of a press, and the oldest can be reached."""
    write_runs(person, 1000)
    person.write_notebook("runs-many.ipynb")
    person.open_notebook("runs-many.ipynb")
    runs = Runs(person.page)
    took = []
    for _ in range(3):
        person.page.reload()
        person.wait_for_lab()
        person.wait_for_kernel()
        took.append(runs.seconds_to_open())
    assert min(took) < 1, took
    runs.open()
    runs.show_all()
    expect(runs.row("run 10")).to_be_attached()
    runs.panel.get_by_role("searchbox", name="Filter runs").fill("run 0 completed")
    expect(runs.panel.get_by_role("option", name="run 0, ")).to_be_visible()
