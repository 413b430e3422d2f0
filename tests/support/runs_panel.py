"""JupyterLab's side panel of runs, as people use it, and runs that were there before."""

import json
import os
import pwd
import time

from playwright.sync_api import Locator, Page, expect
from tests.support.people import Person

from skiva.runs.spec import Spec

__all__ = ["Runs", "write_runs"]


_CLOCK = """() => {
    window.took = null;
    const start = () => {
        const pressed = performance.now();
        const look = () => {
            if (document.querySelector('#skiva-runs [role=option]')?.checkVisibility()) {
                window.took = performance.now() - pressed;
            } else {
                requestAnimationFrame(look);
            }
        };
        look();
    };
    addEventListener('pointerdown', start, {once: true, capture: true});
}"""


class Runs:
    """The side panel."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.panel = page.locator("#skiva-runs")

    def open(self) -> None:
        """Open it where it is not open, and wait until it has been told the runs."""
        if not self.panel.is_visible():
            self.page.get_by_role("tab", name="Runs", exact=True).click()
        expect(self.panel.get_by_role("listbox").or_(self.panel.get_by_text("No runs yet."))).to_be_visible()

    def seconds_to_open(self) -> float:
        """Open it, and look every frame when the first run is there; close it again."""
        tab = self.page.get_by_role("tab", name="Runs", exact=True)
        if self.panel.is_visible():
            tab.click()
        expect(self.panel).to_be_hidden()
        self.page.evaluate(_CLOCK)
        tab.click()
        took = self.page.wait_for_function("window.took").json_value()
        tab.click()
        return float(took) / 1000

    def row(self, name: str) -> Locator:
        """The newest run of that name in the list."""
        return self.panel.get_by_role("option", name=f"{name}, ").first

    @property
    def state(self) -> Locator:
        """How the run is that is shown in full."""
        return self.panel.locator(".skiva-State")

    @property
    def log(self) -> Locator:
        """What it printed."""
        return self.panel.get_by_role("log", name="Log")

    def press(self, name: str) -> None:
        """Press one of its buttons."""
        self.panel.get_by_role("button", name=name).click()

    def show_all(self) -> None:
        """Read older ones until there are none; a slow server tells fewer at a time."""
        rows, older = self.panel.get_by_role("option"), self.panel.get_by_role("button", name="Show older")
        expect(rows.first).to_be_attached()
        while older.count():
            known = rows.count()
            older.click()
            expect(rows.nth(known)).to_be_attached()


def write_runs(person: Person, count: int) -> None:
    """So many runs that ended, as their jobs left them."""
    place, now = person.home / "skiva-runs", time.time()
    for number in range(count):
        run = place / f"261101-{number:08d}"
        run.mkdir(parents=True, mode=0o700)
        at = now - (count - number) * 60
        spec = Spec(
            id=run.name, name=f"run {number}", kind="function", created=at, slice="cpu", hours=1, cwd="/"
        )
        (run / "spec.json").write_text(json.dumps(spec.to_json()))
        (run / "submission.json").write_text(json.dumps({"job_id": 10**6 + number, "at": at}))
        ended = {"event": "ended", "at": at + 30, "how": "completed", "exit": 0, "sentence": "Completed."}
        (run / "state.jsonl").write_text(json.dumps(ended) + "\n")
    account = pwd.getpwnam(person.name)
    for path in (place, *place.rglob("*")):
        os.chown(path, account.pw_uid, account.pw_gid)
