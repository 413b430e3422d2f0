"""The session's status item in a real JupyterLab and a real browser, with a session's times scaled down."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect
from tests.support.own_lab import answers

from skiva.server import SessionFacts, write_facts

pytestmark = pytest.mark.browser

ROOT = Path(__file__).parents[2]
NOTEBOOK = {
    "cells": [
        {"cell_type": "code", "id": "a", "execution_count": None, "metadata": {}, "outputs": [], "source": ""}
    ],
    "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}},
    "nbformat": 4,
    "nbformat_minor": 5,
}
AS_IN_A_SESSION = """\
import asyncio, signal
from skiva.server import warn

def _jupyter_server_extension_points():
    return [{"module": "as_in_a_session"}]

def _load_jupyter_server_extension(app):
    from_hub = {"hubPrefix": "/hub/", "hubUser": "me"}
    app.web_app.settings["page_config_hook"] = lambda _, config: {**config, **from_hub}
    app.io_loop.add_callback(lambda: asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, warn, app))
"""


def _labextension() -> Path:
    """Where the built JupyterLab side is: in the test run's environment, else in the checkout."""
    places = [ROOT / "extensions/skiva/labextension"]
    if installed := os.environ.get("SKIVA_TEST_DIR"):
        places.insert(0, Path(installed) / "venv/base/share/jupyter/labextensions/@skiva/lab")
    found = next((place for place in places if (place / "package.json").exists()), None)
    if found is None:
        pytest.fail("Build it first: npm ci && npm run build:prod in extensions/labextension.")
    return found


class Hub(ThreadingHTTPServer):
    """The hub's one answer: each press on *Extend* gives an hour from now."""

    daemon_threads = True

    def __init__(self) -> None:
        class Answer(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                content = json.dumps({"ends": time.time() + 3600}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        super().__init__(("127.0.0.1", 0), Answer)


class Lab:
    """A JupyterLab in a session that a test describes."""

    def __init__(self, home: Path, url: str, process: "subprocess.Popen[bytes]") -> None:
        self.home = home
        self.url = url
        self.process = process

    def ends_in(self, seconds: float, **values: Any) -> None:
        """Let the session end then."""
        known: dict[str, Any] = {
            "slice": "1g.10gb",
            "title": "MIG 1g.10gb",
            "environment": "base",
            "digest": f"sha256:{'ab' * 32}",
            "isolation": "exclusive",
            "simulated": True,
            "job_id": 4711,
            "node": "n1",
            "gres": "gpu:1g.10gb:1",
            "warn": 120,
            "memory_mb": 10240,
            "extend_hours": 1.0,
            "ends": time.time() + seconds,
        }
        write_facts(self.home / "run/session.json", SessionFacts(**(known | values)))

    def saved(self, name: str) -> str:
        """What is on disk of a notebook's cells; nothing while it is being written."""
        try:
            cells = json.loads((self.home / "work" / name).read_text())["cells"]
        except ValueError:
            return ""
        return "\n".join("".join(cell["source"]) for cell in cells)

    def open(self, page: Page, name: str) -> None:
        """Open a new notebook of that name and wait for the status item."""
        (self.home / "work" / name).write_text(json.dumps(NOTEBOOK))
        page.goto(f"{self.url}lab/workspaces/{name[0]}/tree/{name}?reset&token=t")
        expect(page.locator(".jp-Notebook .cm-content")).to_be_visible(timeout=60_000)
        expect(item(page)).to_be_visible()


def item(page: Page) -> Any:
    """The status item's button."""
    return page.locator(".skiva-StatusButton")


def toast(page: Page, text: str) -> Any:
    """The notification that says `text`."""
    return page.locator(".Toastify__toast", has_text=text)


def write(page: Page, text: str) -> None:
    """Type into the first cell, and wait until the notebook counts as changed."""
    page.locator(".jp-Notebook .cm-content").first.click()
    page.keyboard.type(text)
    expect(page.locator(".jp-Notebook .cm-content").first).to_contain_text(text)


def ask_now(page: Page) -> None:
    """Do what coming back to the tab does: ask the server at once."""
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


@contextmanager
def running(home: Path, port: int, wait_for: Callable[..., Any]) -> Iterator[Lab]:
    """A JupyterLab with nothing of the account's own, until the block ends."""
    for name in ("run", "work", "share/labextensions/@skiva"):
        (home / name).mkdir(parents=True)
    (home / "share/labextensions/@skiva/lab").symlink_to(_labextension())
    (home / "as_in_a_session.py").write_text(AS_IN_A_SESSION)
    hub = Hub()
    serving = threading.Thread(target=hub.serve_forever, kwargs={"poll_interval": 0.05})
    serving.start()
    env = {
        **os.environ,
        "HOME": str(home),
        "PYTHONPATH": os.pathsep.join(filter(None, [str(home), os.environ.get("PYTHONPATH")])),
        "JUPYTER_CONFIG_PATH": str(ROOT / "extensions/skiva/etc"),
        "JUPYTER_PATH": str(home / "share"),
        "SKIVA_RUN_DIR": str(home / "run"),
        "JUPYTERHUB_API_URL": f"http://127.0.0.1:{hub.server_address[1]}/hub/api",
        "JUPYTERHUB_API_TOKEN": "of-the-server",
    }
    argv = [sys.executable, "-m", "jupyterlab", "--allow-root", "--no-browser", f"--port={port}"]
    argv += [
        "--ServerApp.port_retries=0",
        "--IdentityProvider.token=t",
        f"--ServerApp.root_dir={home / 'work'}",
    ]
    argv += ["--ServerApp.jpserver_extensions={'as_in_a_session': True}", "--LabApp.news_url=None"]
    lab_url = f"http://127.0.0.1:{port}/"
    try:
        log = (home / "log").open("wb")
        with log, subprocess.Popen(argv, env=env, stdout=log, stderr=log) as process:
            lab = Lab(home, lab_url, process)
            lab.ends_in(3600)
            try:
                wait_for(lambda: answers(lab_url), seconds=90, what="JupyterLab")
                yield lab
            finally:
                _end(process)
    finally:
        hub.shutdown()
        serving.join()
        hub.server_close()


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:  # a request that was cut off may keep a thread of it waiting
        process.kill()


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, wait_for: Callable[..., Any]) -> Iterator[Lab]:
    """One JupyterLab for the tests that leave it running."""
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as probe:
        port = int(probe.server_address[1])
    with running(tmp_path_factory.mktemp("lab"), port, wait_for) as found:
        yield found


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A page of a person who was never here."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB")
    yield context.new_page()
    context.close()


def test_the_item_tells_the_session(lab: Lab, page: Page) -> None:
    """Slice, time and memory are in the status bar; a press opens the rest, by keyboard too."""
    lab.ends_in(72 * 60 + 30)
    lab.open(page, "a.ipynb")
    expect(item(page)).to_contain_text("MIG 1g.10gb")
    expect(item(page)).to_contain_text("1 h 1")
    expect(item(page)).to_contain_text("/ 10 GB")
    assert "1 hour 1" in (item(page).get_attribute("aria-label") or "")
    item(page).press("Enter")
    details = page.get_by_role("dialog", name="This session")
    expect(details).to_contain_text("only yours: nobody else can open its devices (simulated, no real GPU)")
    expect(details).to_contain_text("base (abababababab)")
    expect(details).to_contain_text("4711 on n1")
    expect(details.get_by_role("button", name="Save all")).to_be_focused()
    expect(details.get_by_role("button", name="Extend by 1 h")).to_be_enabled()
    page.keyboard.press("Escape")
    expect(details).to_have_count(0)
    expect(item(page)).to_be_focused()


def test_stopping_saves_and_opens_the_hub(lab: Lab, page: Page) -> None:
    """The hub's page, where a session is stopped, opens beside this one when everything is on disk."""
    lab.ends_in(3600)
    lab.open(page, "s.ipynb")
    write(page, "precious = 0")
    item(page).click()
    with page.expect_popup() as opened:
        page.get_by_role("button", name="Stop session…").click()
    assert opened.value.url == f"{lab.url}hub/home"
    assert lab.saved("s.ipynb") == "precious = 0"


def test_two_minutes_before_the_end_everything_is_saved(
    lab: Lab, page: Page, wait_for: Callable[..., Any]
) -> None:
    """Nobody has to press anything: the warning names what was saved, and later edits are saved as well."""
    lab.ends_in(3600)
    lab.open(page, "b.ipynb")
    write(page, "precious = 1")
    lab.ends_in(121)
    ask_now(page)
    # JupyterLab may still be moving the warning as it was before out of the page.
    warning = toast(page, "This session ends in 2 minutes").filter(has_text="Saved b.ipynb.")
    expect(warning.first).to_be_visible()
    assert lab.saved("b.ipynb") == "precious = 1"
    write(page, "23")
    wait_for(lambda: lab.saved("b.ipynb") == "precious = 123", seconds=40, what="the later edit is on disk")


def test_an_extension_takes_the_warning_away(lab: Lab, page: Page) -> None:
    """One press in the warning gives an hour, and the page says so."""
    lab.ends_in(595)
    lab.open(page, "c.ipynb")
    warning = toast(page, "This session ends in 10 minutes")
    warning.get_by_role("button", name="Extend by 1 h").click()
    expect(toast(page, "Extended. 59 minutes left.")).to_be_visible()
    expect(item(page)).to_contain_text("59 min")
    expect(warning).to_have_count(0)


@pytest.fixture
def own_lab(tmp_path: Path, free_port: int, wait_for: Callable[..., Any]) -> Iterator[Lab]:
    """One for a test that leaves it warned of its end for good."""
    with running(tmp_path / "lab", free_port, wait_for) as found:
        yield found


def test_slurms_warning_signal_saves_in_hidden_tabs_too(own_lab: Lab, page: Page) -> None:
    """A session that must go long before its limit is saved, and the cause is told, without a question."""
    page.add_init_script("Object.defineProperty(document, 'hidden', { get: () => window.isHidden === true })")
    own_lab.ends_in(3600, warn=60)
    own_lab.open(page, "d.ipynb")
    write(page, "precious = 4")
    page.evaluate("window.isHidden = true")
    os.kill(own_lab.process.pid, signal.SIGUSR1)
    warning = toast(page, "Slurm ends this session in about 1 minute: it needs the node.")
    expect(warning).to_contain_text("Saved d.ipynb.")
    expect(warning.get_by_role("button", name="Extend by 1 h")).to_have_count(0)
    assert own_lab.saved("d.ipynb") == "precious = 4"


def test_a_server_that_does_not_answer_is_told(lab: Lab, page: Page) -> None:
    """Old numbers are taken away when they may be wrong, and come back with the answers."""
    lab.ends_in(3600)
    lab.open(page, "e.ipynb")
    refuse: Callable[[Route], None] = lambda route: route.abort()  # noqa: E731
    page.route("**/skiva/status**", refuse)
    ask_now(page)
    expect(item(page)).to_contain_text("no answer")
    expect(item(page)).not_to_contain_text("GB")
    page.unroute("**/skiva/status**")
    ask_now(page)
    expect(item(page)).to_contain_text("GB")


def test_a_jupyterlab_without_a_session_shows_nothing(lab: Lab, page: Page) -> None:
    """The same packages on a laptop show no status item."""
    page.route("**/skiva/status**", lambda route: route.fulfill(json={"slice": None}))
    (lab.home / "work/f.ipynb").write_text(json.dumps(NOTEBOOK))
    with page.expect_response("**/skiva/status**"):
        page.goto(f"{lab.url}lab/workspaces/f/tree/f.ipynb?reset&token=t")
    expect(page.locator(".jp-Notebook .cm-content")).to_be_visible(timeout=60_000)
    expect(item(page)).to_have_count(0)


def test_the_end_is_told(tmp_path: Path, page: Page, free_port: int, wait_for: Callable[..., Any]) -> None:
    """When the time is over and the server is gone, one dialog says why and until when things are saved."""
    with running(tmp_path / "lab", free_port, wait_for) as lab:
        lab.open(page, "g.ipynb")
        write(page, "precious = 7")
        lab.ends_in(6)
        ask_now(page)
        wait_for(lambda: lab.saved("g.ipynb") == "precious = 7", seconds=40, what="the notebook is on disk")
        expect(item(page)).to_contain_text("time is up")
        lab.process.kill()
        dialog = page.locator(".jp-Dialog", has_text="Session ended")
        expect(dialog).to_contain_text("its time limit was reached.")
        expect(dialog).to_contain_text("is on disk.")
        page.context.route("**/hub/spawn", lambda route: route.fulfill(body="which slice?"))
        with page.expect_popup() as opened:
            dialog.get_by_role("button", name="Start a new session").click()
        expect(opened.value.locator("body")).to_have_text("which slice?")
