"""From the login page to a running cell, as somebody new does it."""

import os
from collections.abc import Callable

import pytest
from playwright.sync_api import expect
from tests.support.people import PATIENCE, Person

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slurm,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs accounts of several people"),
]


def _tab_to(person: Person, selector: str) -> None:
    """Press Tab until the element has the keyboard."""
    for _ in range(40):
        if person.page.locator(f"{selector}:focus").count():
            return
        person.page.keyboard.press("Tab")
    pytest.fail(f"the Tab key never comes to {selector}")


def _type_over(person: Person, selector: str, text: str) -> None:
    _tab_to(person, selector)
    person.page.keyboard.press("ControlOrMeta+a")
    person.page.keyboard.type(text)


def test_from_login_to_a_running_cell(
    somebody: Callable[[str], Person], job_of: Callable[[str], int]
) -> None:
    """Somebody new signs in, picks a slice by keyboard alone and runs a cell in a Slurm job of their own."""
    person = somebody("researcher1")
    person.go("/")
    person.sign_in()
    expect(person.page.get_by_role("heading", name="Start a session")).to_be_visible()
    for slice_id in ("cpu", "1g.10gb", "h100", "2xh100", "shard"):
        expect(person.card(slice_id)).to_contain_text("free")
    expect(person.card("1g.10gb")).to_contain_text("0 of 7 in use")
    expect(person.card("1g.10gb")).to_contain_text("Starts now.")
    expect(person.card("1g.10gb")).to_contain_text("Simulated")
    expect(person.card("shard")).to_contain_text("Shared")

    _tab_to(person, "input[name=slice]")
    for _ in range(5):
        if person.picked == "1g.10gb":
            break
        person.page.keyboard.press("ArrowDown")
    assert person.picked == "1g.10gb"
    _type_over(person, "#skiva-hours", "2")
    _tab_to(person, "#skiva-start")
    person.page.keyboard.press("Enter")
    person.page.wait_for_url("**/hub/spawn-pending/researcher1**")
    expect(person.line).not_to_contain_text("Asking where it is")

    person.wait_for_lab()
    expect(person.status).to_contain_text("One seventh of a GPU")
    expect(person.status).to_contain_text("1 h 59 min")
    person.page.locator(".jp-LauncherCard[data-category=Notebook]").first.click()
    person.wait_for_kernel()
    person.run("import os; print('job', os.environ['SLURM_JOB_ID'], 'computed', 6 * 7)")
    said = f"job {job_of('researcher1')} computed 42"
    expect(person.outputs.first).to_have_text(said, timeout=PATIENCE)
    assert person.complaints == []
