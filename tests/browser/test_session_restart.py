"""A hub that is killed under people who wait, and under people who work."""

import os
from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect
from tests.support.people import PATIENCE, Person

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slurm,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs accounts of several people"),
]


def test_the_hub_dies_and_nobody_loses_anything(
    somebody: Callable[[str], Person],
    cluster: Any,
    hold: Callable[[int], list[int]],
    release: Callable[..., None],
    job_of: Callable[[str], int],
    jobs_of: Callable[[str], list[str]],
) -> None:
    """A pending page finds its place again and opens the session; open notebooks compute on without a hub."""
    held = hold(7)
    person = somebody("researcher1")
    notebook = person.write_notebook("hub-restart.ipynb")
    person.open_form()
    person.choose("1g.10gb", "1")
    person.press_start()
    expect(person.line).to_contain_text("You are next")
    job = job_of("researcher1")
    with cluster.without("hub"):
        expect(person.page.locator("#skiva-lost")).to_be_visible(timeout=PATIENCE)
    expect(person.page.locator("#skiva-lost")).to_be_hidden(timeout=PATIENCE)
    expect(person.line).to_contain_text("You are next", timeout=PATIENCE)
    assert jobs_of("researcher1") == [str(job)]
    release(held[0])
    person.wait_for_lab()
    assert job_of("researcher1") == job

    person.open_notebook(notebook.name)
    person.run("held = 6")
    expect(person.page.locator(".jp-InputPrompt").first).to_have_text("[1]:", timeout=PATIENCE)
    with cluster.without("hub"):
        person.run("print('computed', held * 7)")
        expect(person.outputs.first).to_have_text("computed 42", timeout=PATIENCE)
    person.run("print('and on', held * 8)")
    expect(person.outputs.last).to_have_text("and on 48", timeout=PATIENCE)
    assert jobs_of("researcher1") == [str(job)]
