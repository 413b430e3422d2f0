"""JupyterLab's side panel of Dask clusters, cards and dashboard tabs, as people use them."""

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from playwright.sync_api import APIResponse, Locator, Page, Route, expect
from tests.support.people import PATIENCE, Person

__all__ = ["Clusters", "forget_clusters", "list_on_its_way", "ready"]


_DRAWN = """() => window.Bokeh?.documents.some(document => [...document._all_models.values()].some(
    model => model.type === 'ColumnDataSource' && model.get_length() > 0))"""


_LIST = re.compile(r"/skiva/clusters\?")
_NEXT_FRAME = "() => new Promise(done => requestAnimationFrame(() => setTimeout(done)))"


class Clusters:
    """The side panel."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.panel = page.locator("#skiva-clusters")

    def open(self) -> None:
        """Open it where it is not open, and wait until it has been told the clusters."""
        if not self.panel.is_visible():
            self.page.get_by_role("tab", name="Clusters", exact=True).click()
        none = self.panel.get_by_text("No clusters yet.")
        expect(self.panel.get_by_role("listbox").or_(none)).to_be_visible()

    def row(self, name: str) -> Locator:
        """The cluster of that name in the list."""
        return self.panel.get_by_role("option", name=f"{name}, ").first

    @property
    def state(self) -> Locator:
        """How the cluster is that is shown in full."""
        return self.panel.locator(".skiva-State")

    def card(self, name: str) -> Locator:
        """The cluster's card in the notebook."""
        return self.page.get_by_role("region", name=f"Cluster {name}")

    @property
    def dashboard(self) -> Locator:
        """The dashboard's page that can be seen."""
        return self.page.locator(".skiva-Dashboard:visible")

    def wait_for_drawn(self, path: str) -> None:
        """Wait until one of Dask's pages, in its tab, has something to draw."""
        frame = self.dashboard.locator(f"iframe[src*='{path}']").element_handle(timeout=PATIENCE)
        shown = frame.content_frame()
        assert shown is not None
        shown.wait_for_function(_DRAWN, timeout=PATIENCE)


def ready(place: Locator, number: int) -> Locator:
    """The words of a card or of the panel, when so many workers are ready."""
    return place.get_by_role("img", name=f"Workers: {number} ready of ")


def forget_clusters(person: Person) -> None:
    """Let them be somebody who never had any."""
    shutil.rmtree(person.home / ".local/state/skiva/clusters", ignore_errors=True)


@contextmanager
def list_on_its_way(page: Page) -> Iterator[Callable[[], None]]:
    """The list was told by the server, and arrives when what is yielded is called; no other is asked for."""
    asked: list[Route] = []
    answers: list[APIResponse] = []

    def hold(route: Route) -> None:
        asked.append(route)
        if len(asked) == 1:
            answers.append(route.fetch())

    def arrive() -> None:
        with page.expect_response(_LIST):
            asked[0].fulfill(response=answers[0])
        page.evaluate(_NEXT_FRAME)

    page.route(_LIST, hold)
    while not answers:
        page.wait_for_timeout(20)
    yield arrive
    page.unroute(_LIST)
    for route in asked[1:]:
        route.continue_()
