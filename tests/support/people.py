"""People at their browsers: what they click, what they see."""

import json
import pwd
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from playwright.sync_api import ConsoleMessage, Locator, Page, expect

__all__ = ["PATIENCE", "Person"]

PATIENCE = 90_000.0
"""Milliseconds that a machine with other work may take for what takes a few seconds alone."""

_NOTEBOOK = {
    "cells": [
        {"cell_type": "code", "id": "a", "execution_count": None, "metadata": {}, "outputs": [], "source": ""}
    ],
    "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    "nbformat": 4,
    "nbformat_minor": 5,
}


@dataclass
class Person:
    """Somebody with an account and one browser tab.

    Attributes:
        cluster: see `tests/conftest.py`.
        complaints: what the pages wrote to the browser's console as errors.
    """

    name: str
    page: Page
    cluster: Any
    complaints: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(PATIENCE)
        self.page.set_default_navigation_timeout(PATIENCE)
        self.page.on("console", self._listen)
        self.page.on("pageerror", lambda error: self.complaints.append(f"{error}"))

    def _listen(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(f"{message.text} ({message.location.get('url')})")

    # -- hub -------------------------------------------------------------------------------

    def go(self, path: str, **query: str) -> None:
        """Open a page of the site."""
        self.page.goto(f"{self.cluster.url}{path}" + (f"?{urlencode(query)}" if query else ""))

    def sign_in(self) -> None:
        """Fill in the login page that is shown."""
        self.page.fill("#username_input", self.name)
        self.page.fill("#password_input", self.cluster.password)
        self.page.keyboard.press("Enter")
        expect(self.page.locator("#login_submit")).to_have_count(0)

    def open_form(self, **query: str) -> None:
        """Sign in and come to the spawn page."""
        self.go("/hub/spawn", **query)
        self.sign_in()
        expect(self.page.locator("#spawn_form")).to_be_visible()

    def card(self, slice_id: str) -> Locator:
        """The card of a slice."""
        return self.page.locator(f"[data-slice='{slice_id}']")

    @property
    def picked(self) -> str:
        """The slice that the form would ask for."""
        return self.page.locator("input[name=slice]:checked").input_value()

    def choose(self, slice_id: str, hours: str = "") -> None:
        """Pick a card, and a length."""
        self.card(slice_id).locator("input[name=slice]").check()
        if hours:
            self.page.fill("#skiva-hours", hours)

    def press_start(self) -> None:
        """Press Start and see the pending page."""
        self.page.click("#skiva-start")
        self.page.wait_for_url("**/hub/spawn-pending/**")

    @property
    def line(self) -> Locator:
        """What the pending page says now."""
        return self.page.locator("#progress-message")

    # -- JupyterLab ------------------------------------------------------------------------

    @property
    def home(self) -> Path:
        """The account's home."""
        return Path(pwd.getpwnam(self.name).pw_dir)

    def forget_workspaces(self) -> None:
        """Let JupyterLab open as it does for somebody new."""
        shutil.rmtree(self._workspaces, ignore_errors=True)

    @property
    def workspace(self) -> str:
        """What JupyterLab has kept of what is open."""
        return "".join(path.read_text() for path in self._workspaces.glob("*"))

    @property
    def _workspaces(self) -> Path:
        return self.home / ".jupyter" / "lab" / "workspaces"

    def write_notebook(self, name: str) -> Path:
        """Put a notebook with one empty cell into the home."""
        path = self.home / name
        path.write_text(json.dumps(_NOTEBOOK))
        entry = pwd.getpwnam(self.name)
        shutil.chown(path, entry.pw_uid, entry.pw_gid)
        return path

    def open_notebook(self, name: str) -> None:
        """Open it in the running JupyterLab and wait until its kernel is idle."""
        self.go(f"/user/{self.name}/lab/tree/{name}")
        self.wait_for_lab()
        self.wait_for_kernel()

    def wait_for_lab(self) -> None:
        """Wait until JupyterLab shows the session in its status bar."""
        self.page.wait_for_url(f"**/user/{self.name}/lab**")
        expect(self.status).to_be_visible(timeout=PATIENCE)

    def wait_for_kernel(self) -> None:
        """Wait until the open notebook can be typed into and its kernel is idle."""
        self.cell.wait_for()
        expect(self.page.locator("#jp-bottom-panel")).to_contain_text("| Idle", timeout=PATIENCE)

    @property
    def status(self) -> Locator:
        """The session's item in the status bar."""
        return self.page.locator(".skiva-StatusButton")

    @property
    def cell(self) -> Locator:
        """The last cell's editor."""
        return self.page.locator(".jp-Notebook .jp-CodeCell .cm-content").last

    @property
    def outputs(self) -> Locator:
        """What cells have printed."""
        return self.page.locator(".jp-Notebook .jp-OutputArea-output")

    def type(self, code: str) -> None:
        """Type into the last cell, without running it."""
        self.cell.click()
        self.page.keyboard.insert_text(code)
        expect(self.cell).to_contain_text(code.splitlines()[0])

    def run(self, code: str) -> None:
        """Run code in the last cell."""
        self.type(code)
        self.page.keyboard.press("Shift+Enter")

    def toast(self, text: str) -> Locator:
        """JupyterLab's notification that says `text`."""
        return self.page.locator(".Toastify__toast", has_text=text)

    def saved(self, path: Path) -> str:
        """The code on disk of a notebook's cells; nothing while it is being written."""
        try:
            cells: list[Mapping[str, Any]] = json.loads(path.read_text())["cells"]
        except ValueError:
            return ""
        return "\n".join("".join(cell["source"]) for cell in cells)
