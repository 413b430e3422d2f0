"""Dask clusters in a real JupyterLab: started, scaled, connected to, looked into and closed."""

import os
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import expect
from tests.support.clusters_panel import Clusters, forget_clusters, list_on_its_way, ready
from tests.support.hub import HubClient
from tests.support.people import PATIENCE, Person
from tests.support.waiting import wait_until

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slurm,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs accounts of several people"),
]

WHO = "researcher2"
MADE = "import skiva\nc = skiva.cluster('night', slice='cpu', workers=1, hours=0.5, detached=True)\nc"
DIES = """\
def die():
    import os
    print("the last words", flush=True)
    os.kill(os.getppid(), 9)
lost = c.get_client().submit(die)"""


@pytest.fixture
def person(somebody: Callable[[str], Person], hub: HubClient) -> Iterator[Person]:
    """Somebody in a running JupyterLab with one open notebook, who never had a cluster."""
    person = somebody(WHO)
    forget_clusters(person)
    hub.start_server(WHO, {"slice": "cpu", "hours": 0.5})
    hub.wait_ready(WHO, 90)
    person.go("/hub/login")
    person.sign_in()
    person.write_notebook("clusters.ipynb")
    person.open_notebook("clusters.ipynb")
    yield person
    forget_clusters(person)


@pytest.fixture
def short_jobs_only(cluster: Any) -> Iterator[None]:
    """Where the slices are, no job may last longer than a minute."""
    _change_partition(cluster, "MaxTime=1")
    yield
    _change_partition(cluster, "MaxTime=1-00:00:00")


def _change_partition(cluster: Any, change: str) -> None:
    done = cluster.run_as("root", ["/usr/bin/scontrol", "update", "PartitionName=slices", change])
    assert done.returncode == 0, done.stderr


def test_the_keyboard_alone_starts_scales_and_closes(person: Person) -> None:
    """From an empty list to two workers and to the end, without a pointer; what happens is announced."""
    clusters, keyboard = Clusters(person.page), person.page.keyboard
    clusters.open()
    _start_typing(clusters, "typed")
    expect(clusters.state).to_contain_text("Starting", timeout=PATIENCE)
    expect(ready(clusters.panel, 1)).to_be_visible(timeout=PATIENCE)

    clusters.panel.get_by_role("slider", name="Workers").focus()
    keyboard.press("ArrowRight")
    expect(clusters.panel.get_by_text("Let go, or press Enter, to ask for 2")).to_be_visible()
    keyboard.press("Escape")
    expect(clusters.panel.get_by_role("slider", name="Workers")).to_have_value("1")
    keyboard.press("ArrowRight")
    keyboard.press("Enter")
    expect(clusters.panel.get_by_text("from 1 worker to 2 workers")).to_be_visible()
    expect(ready(clusters.panel, 2)).to_be_visible(timeout=PATIENCE)
    said = clusters.panel.get_by_role("status").first
    expect(said).to_contain_text("typed: 2 workers ready.", timeout=PATIENCE)

    clusters.panel.get_by_role("button", name="Back to all clusters").focus()
    keyboard.press("Enter")
    listbox = clusters.panel.get_by_role("listbox", name="Clusters, living ones first")
    expect(listbox).to_be_focused()
    keyboard.press("Delete")
    expect(clusters.row("typed")).to_have_accessible_name(re.compile("^typed, Closed"), timeout=PATIENCE)
    assert person.complaints == []


def _start_typing(clusters: Clusters, name: str, slice_title: str = "CPU only") -> None:
    """Fill in the dialog *New cluster* with keys alone."""
    keyboard = clusters.page.keyboard
    clusters.panel.get_by_role("button", name="New cluster…").focus()
    keyboard.press("Enter")
    dialog = clusters.page.get_by_role("dialog")
    radio = dialog.get_by_role("radio", name=slice_title)
    expect(radio).to_be_visible()
    radio.focus()
    keyboard.press("Space")
    for field, text in (("Workers", "1"), ("Hours", "0.5"), ("Name", name)):
        dialog.get_by_label(field).focus()
        keyboard.press("Control+a")
        keyboard.type(text)
    keyboard.press("Enter")


def test_a_card_outlives_its_kernel_and_connects_the_next(person: Person) -> None:
    """With the kernel gone it still scales; one press gives the cell with which a new kernel computes."""
    page, clusters = person.page, Clusters(person.page)
    person.run(MADE)
    card = clusters.card("night")
    expect(ready(card, 1)).to_be_visible(timeout=PATIENCE)
    page.get_by_role("menuitem", name="Kernel").click()
    page.get_by_role("menuitem", name="Shut Down Kernel", exact=True).click()
    expect(page.locator("#jp-bottom-panel")).to_contain_text("No Kernel", timeout=PATIENCE)
    number = card.get_by_role("spinbutton", name="Number of workers")
    number.fill("2")
    number.press("Enter")
    expect(ready(card, 2)).to_be_visible(timeout=PATIENCE)
    card.get_by_role("button", name="Undo").click()
    expect(ready(card, 1)).to_be_visible(timeout=PATIENCE)

    page.get_by_role("menuitem", name="Kernel").click()
    page.get_by_role("menuitem", name="Restart Kernel…").click()
    expect(page.locator("#jp-bottom-panel")).to_contain_text("| Idle", timeout=PATIENCE)
    card.get_by_role("button", name="Connect this notebook").click()
    cell = page.locator(".jp-Notebook .jp-CodeCell.jp-mod-active .cm-content")
    expect(cell).to_contain_text('client = skiva.cluster("night").get_client()')
    expect(page.locator("#jp-bottom-panel")).to_contain_text("| Idle")
    page.keyboard.press("Shift+Enter")
    person.run("print(client.submit(sum, [20, 22]).result())")
    expect(person.outputs.last).to_contain_text("42", timeout=PATIENCE)


def test_dasks_pages_open_in_tabs_and_come_back(person: Person) -> None:
    """Tasks are drawn in a tab as they run, also after a reload; it says when its cluster has ended."""
    page, clusters = person.page, Clusters(person.page)
    person.run(f"{MADE}\nimport time\nkept = c.get_client().map(lambda n: time.sleep(0.3), range(2000))\nc")
    card = clusters.card("night")
    expect(ready(card, 1)).to_be_visible(timeout=PATIENCE)
    card.get_by_role("button", name="Task stream").click()
    expect(page.get_by_role("tab", name="Task stream")).to_be_visible()
    clusters.wait_for_drawn("individual-task-stream")

    # JupyterLab keeps the tabs that are open some time after they are.
    wait_until(lambda: "individual-task-stream" in person.workspace, 60, "the tab is kept")
    page.reload()
    clusters.wait_for_drawn("individual-task-stream")
    clusters.open()
    clusters.row("night").click()
    clusters.panel.get_by_role("button", name="Close", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Close the cluster").click()
    expect(clusters.state).to_contain_text("Closed", timeout=PATIENCE)
    expect(clusters.dashboard).to_contain_text("night has ended, and its dashboard with it.")
    expect(clusters.dashboard.locator("iframe")).to_be_hidden()


def test_closing_asks_where_work_would_be_lost(person: Person) -> None:
    """With results in its workers a press asks first, says what they are, and can be taken back."""
    clusters = Clusters(person.page)
    person.run(f"{MADE}\nclient = c.get_client()\nkept = client.map(abs, range(7))\nc")
    card = clusters.card("night")
    expect(card).to_contain_text("7 results kept", timeout=PATIENCE)
    card.get_by_role("button", name="Close", exact=True).click()
    dialog = person.page.get_by_role("dialog")
    expect(dialog).to_contain_text("7 results that only its workers have")
    dialog.get_by_role("button", name="Keep it").click()
    expect(card.locator(".skiva-State")).to_contain_text("Running")
    # The keyboard is where it was, and beside where the button was when that is gone.
    expect(card.get_by_role("button", name="Close", exact=True)).to_be_focused()
    with list_on_its_way(person.page) as arrive:
        person.page.keyboard.press("Enter")
        dialog.get_by_role("button", name="Close the cluster").click()
        expect(card.locator(".skiva-State")).to_contain_text("Closing")
        arrive()
        # What was true before is not shown again.
        assert "Closing" in card.locator(".skiva-State").inner_text()
    expect(card.locator(".skiva-State")).to_contain_text("Closed", timeout=PATIENCE)
    expect(card.get_by_role("group", name="Actions")).to_be_focused()


def test_jobs_of_several_gpus_are_scaled_as_a_whole(person: Person) -> None:
    """An attached cluster of two CUDA workers a job: card and panel ask for pairs, by slider and number."""
    clusters = Clusters(person.page)
    person.run("import skiva\nc = skiva.cluster('pairs', slice='2xh100', workers=2, hours=0.5)\nc")
    card = clusters.card("pairs")
    expect(card).to_contain_text("CUDA workers · 2 workers a job")
    expect(ready(card, 2)).to_be_visible(timeout=PATIENCE)
    expect(card.get_by_role("button", name="Connect this notebook")).to_have_count(0)
    slider = card.get_by_role("slider", name="Workers")
    slider.focus()
    person.page.keyboard.press("ArrowRight")
    expect(slider).to_have_attribute("aria-valuetext", re.compile("^4 workers in 2 jobs of at most "))
    person.page.keyboard.press("Enter")
    expect(ready(card, 4)).to_be_visible(timeout=PATIENCE)

    clusters.open()
    clusters.row("pairs").click()
    rows = clusters.panel.get_by_role("table", name="Worker jobs").get_by_role("row")
    expect(rows.filter(has_text=re.compile("^1-0 job .*Ready 2 workers · on "))).to_have_count(1)
    expect(rows.filter(has_text="Ready 2 workers")).to_have_count(2)
    number = clusters.panel.get_by_role("spinbutton", name="Number of workers")
    number.fill("1")
    expect(clusters.panel.get_by_text("to ask for 2;")).to_be_visible()
    number.press("Enter")
    expect(clusters.panel.get_by_text("Changed from 4 workers to 2 workers.")).to_be_visible(timeout=PATIENCE)
    expect(ready(card, 2)).to_be_visible(timeout=PATIENCE)
    expect(rows.filter(has_text="Ready 2 workers")).to_have_count(1)
    clusters.panel.get_by_role("button", name="Close", exact=True).click()
    expect(clusters.state).to_have_text("Closed", timeout=PATIENCE)
    expect(card.locator(".skiva-State")).to_have_text("Closed", timeout=PATIENCE)
    assert person.complaints == []


def test_the_form_says_why_it_cannot_be_sent(person: Person) -> None:
    """Half a job and too many hours: a sentence below each, and *Start* again when both are mended."""
    clusters = Clusters(person.page)
    clusters.open()
    clusters.panel.get_by_role("button", name="New cluster…").click()
    dialog = person.page.get_by_role("dialog")
    dialog.get_by_role("radio", name="Two GPUs").check()
    wrong, start = dialog.locator(".skiva-Wrong:not(:empty)"), dialog.get_by_role("button", name="Start")
    dialog.get_by_label("Workers").fill("3")
    dialog.get_by_label("Hours").fill("10000")
    expect(start).to_be_disabled()
    expect(wrong).to_have_text([re.compile(" 2 and 4"), re.compile("less than or equal to ")])
    dialog.get_by_label("Workers").fill("4")
    dialog.get_by_label("Hours").fill("1")
    expect(wrong).to_have_count(0)
    expect(start).to_be_enabled()
    dialog.get_by_role("button", name="Cancel").click()


def test_a_worker_that_dies_shows_its_last_lines(person: Person) -> None:
    """What it printed at the end is on the card at once, and the whole log a press away."""
    clusters = Clusters(person.page)
    dies = (
        "def die():\n    import os\n    print('the last words', flush=True)\n    os.kill(os.getppid(), 9)\n"
    )
    person.run(f"{MADE}\n{dies}client = c.get_client()\nf = client.submit(die, retries=0)\nc")
    card = clusters.card("night")
    lines = card.locator(".skiva-Event pre").first
    expect(lines).to_be_visible(timeout=PATIENCE)
    expect(lines).to_contain_text("the last words")


def test_a_cluster_that_can_never_start_is_told_unseen(person: Person, short_jobs_only: None) -> None:
    """With no card and no panel in sight a notification says why, and leads to what can be done."""
    clusters = Clusters(person.page)
    clusters.open()
    _start_typing(clusters, "never", slice_title="One seventh of a GPU")
    expect(clusters.state).to_contain_text("Starting", timeout=PATIENCE)
    person.page.get_by_role("tab", name="Clusters", exact=True).click()
    expect(clusters.panel).to_be_hidden()
    toast = person.toast("never: ")
    expect(toast).to_be_visible(timeout=PATIENCE)
    expect(toast).to_contain_text("so many hours")
    toast.get_by_role("button", name="Show", exact=True).click()
    expect(clusters.state).to_contain_text("Stuck")
    clusters.panel.get_by_role("button", name="Close", exact=True).click()
    expect(clusters.state).to_contain_text("Closed", timeout=PATIENCE)
