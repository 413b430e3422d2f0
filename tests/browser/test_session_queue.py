"""Waiting in the queue, and every way out of it."""

import os
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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


def test_the_eighth_waits_and_starts_by_itself(
    somebody: Callable[[str], Person],
    hub: HubClient,
    hold: Callable[[int], list[int]],
    cluster: Any,
) -> None:
    """With all seven instances taken, the next one sees why it waits, may close the tab, and is let in."""
    mini = {"slice": "1g.10gb", "hours": 0.5}
    hub.start_server("researcher1", mini)
    hub.start_server("researcher2", mini)
    hold(5)
    hub.wait_ready("researcher1", 90)
    hub.wait_ready("researcher2", 90)

    person = somebody("researcher3")
    person.open_form()
    expect(person.card("1g.10gb")).to_contain_text("7 of 7 in use")
    expect(person.card("1g.10gb")).to_contain_text("Free by")
    person.choose("1g.10gb", "1")
    person.press_start()
    expect(person.page.get_by_role("heading", name="Waiting in the queue")).to_be_visible()
    expect(person.line).to_contain_text("You are next for One seventh of a GPU.")
    expect(person.page.locator("dd[data-row=place]")).to_have_text("1 of 1")
    expect(person.page.locator("dd[data-row=expected]")).to_contain_text("about", timeout=PATIENCE)
    expect(person.line).to_contain_text("is free now.")
    expect(person.page.get_by_role("button", name="Switch to One GPU")).to_be_visible()
    assert "1 of 1" in person.page.title()

    tabs = person.page.context
    person.page.close()
    back = Person("researcher3", tabs.new_page(), cluster)
    back.go("/")
    expect(back.line).to_contain_text("You are next for One seventh of a GPU.")
    hub.stop_server("researcher2")
    back.wait_for_lab()
    expect(back.status).to_contain_text("One seventh of a GPU")
    assert back.complaints == []


def test_switching_gives_up_the_place_and_fills_in_the_form(
    somebody: Callable[[str], Person], hold: Callable[[int], list[int]], jobs_of: Callable[[str], list[str]]
) -> None:
    """Whoever switches to a slice that is free comes to the form with it chosen; the old job is gone."""
    hold(7)
    person = somebody("researcher1")
    person.open_form()
    person.choose("1g.10gb", "1.5")
    person.press_start()
    expect(person.line).to_contain_text("You are next")
    assert len(jobs_of("researcher1")) == 1
    person.page.get_by_role("button", name="Switch to One GPU").click()
    expect(person.page.locator("#spawn_form")).to_be_visible()
    assert (person.picked, person.page.input_value("#skiva-hours")) == ("h100", "1.5")
    assert jobs_of("researcher1") == []


def test_cancel_while_queued(
    somebody: Callable[[str], Person], hold: Callable[[int], list[int]], jobs_of: Callable[[str], list[str]]
) -> None:
    """Cancel leads back to the form with the same choice, and the job is not in the queue any more."""
    hold(7)
    person = somebody("researcher1")
    person.open_form()
    person.choose("1g.10gb", "3")
    person.press_start()
    expect(person.line).to_contain_text("You are next")
    assert len(jobs_of("researcher1")) == 1
    person.page.get_by_role("button", name="Cancel").click()
    expect(person.page.locator("#spawn_form")).to_be_visible()
    assert (person.picked, person.page.input_value("#skiva-hours")) == ("1g.10gb", "3")
    assert jobs_of("researcher1") == []


@contextmanager
def _frozen(cluster: Any, part: str) -> Iterator[None]:
    """Stop a part of the cluster as it is, so that what it was asked to do waits."""
    pid = cluster.status()["processes"][part]["pid"]
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_cancel_while_starting(
    somebody: Callable[[str], Person], cluster: Any, jobs_of: Callable[[str], list[str]]
) -> None:
    """The same when a node was given to the job already and its server does not answer yet."""
    person = somebody("researcher1")
    person.open_form()
    person.choose("cpu", "3")
    with _frozen(cluster, "cpu"):
        person.press_start()
        expect(person.page.get_by_role("heading", name="Starting on its node")).to_be_visible()
        person.page.get_by_role("button", name="Cancel").click()
        expect(person.page.locator("#spawn_form")).to_be_visible()
        assert (person.picked, person.page.input_value("#skiva-hours")) == ("cpu", "3")
        assert jobs_of("researcher1") == []


def test_slurms_refusal_is_shown_in_its_own_words(
    somebody: Callable[[str], Person], cluster: Any, jobs_of: Callable[[str], list[str]]
) -> None:
    """Whoever may not use a partition reads so in a sentence, with Slurm's words, and can choose again."""
    with _closed_to_people(cluster, "slices"):
        person = somebody("researcher2")
        person.open_form()
        person.choose("1g.10gb", "2.5")
        person.page.click("#skiva-start")
        alert = person.page.get_by_role("alert")
        expect(alert).to_contain_text("You are not in a group that may use this slice: choose another one.")
        expect(alert).to_contain_text("(Slurm: User's group not permitted to use this partition)")
        assert jobs_of("researcher2") == []
    again = person.page.get_by_role("button", name="Choose again")
    if again.count():
        again.click()
    expect(person.page.locator("#spawn_form")).to_be_visible()
    assert (person.picked, person.page.input_value("#skiva-hours")) == ("1g.10gb", "2.5")
    person.press_start()
    person.wait_for_lab()


@contextmanager
def _closed_to_people(cluster: Any, partition: str) -> Iterator[None]:
    def allow(groups: str) -> None:
        argv = ["/usr/bin/scontrol", "update", f"PartitionName={partition}", f"AllowGroups={groups}"]
        assert cluster.run_as("root", argv).returncode == 0

    allow("root")
    try:
        yield
    finally:
        allow("skiva-users")
