"""A person's own kernels in a real JupyterLab and a real browser: they come, break, and say why."""

import shutil
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, Page, expect
from tests.support.own_environments import make
from tests.support.own_lab import OwnLab, own_lab, skiva

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, wait_for: Callable[..., Any]) -> Iterator[OwnLab]:
    """A JupyterLab of somebody whose project folder has an environment of uv's."""
    home = tmp_path_factory.mktemp("home")
    make(home / "fits/.venv", "ipykernel")
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as probe:
        port = int(probe.server_address[1])
    with own_lab(home, port, wait_for) as found:
        yield found


@pytest.fixture
def page(browser: Browser, lab: OwnLab) -> Iterator[Page]:
    """JupyterLab's launcher, in a browser that was never there."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, locale="en-GB")
    page = context.new_page()
    page.goto(f"{lab.url}lab?reset&token=t")
    expect(card(page, "Python 3 (ipykernel)")).to_be_visible(timeout=60_000)
    yield page
    context.close()


def card(page: Page, title: str) -> Locator:
    """The launcher's card for notebooks with this kernel."""
    return page.locator(f".jp-LauncherCard[data-category=Notebook][title='{title}']")


def add(lab: OwnLab) -> None:
    """Make a kernel of the project."""
    done = skiva(lab.home, "add", str(lab.home / "fits"))
    assert done.returncode == 0, done.stderr


def test_a_kernel_comes_and_goes_without_a_reload(lab: OwnLab, page: Page) -> None:
    """It is in the launcher in three seconds, with version and kind; it starts by keyboard and computes."""
    add(lab)
    own = card(page, "fits (Python 3.11, uv)")
    expect(own).to_be_visible(timeout=3000)
    own.press("Enter")
    cell = page.locator(".jp-Notebook .cm-content").first
    expect(page.locator("#jp-bottom-panel")).to_contain_text("| Idle", timeout=60_000)
    cell.click()
    page.keyboard.insert_text("import os, sys; print(os.environ['SKIVA_KERNEL'], sys.prefix)")
    page.keyboard.press("Shift+Enter")
    expect(page.locator(".jp-OutputArea-output").first).to_have_text(f"fits {lab.home}/fits/.venv")

    page.goto(f"{lab.url}lab/workspaces/second?reset")
    expect(own).to_be_visible()
    skiva(lab.home, "remove", "fits")
    expect(own).to_have_count(0, timeout=3000)


def test_a_broken_kernel_says_what_mends_it(lab: OwnLab, page: Page) -> None:
    """It stays, marked with a picture; JupyterLab's own dialog tells the reason; then it is mended."""
    add(lab)
    python = lab.home / "fits/.venv/bin/python"
    expect(card(page, "fits (Python 3.11, uv)")).to_be_visible()
    away = python.rename(python.with_name("away"))
    python.symlink_to("/opt/gone/python3.11")
    broken = card(page, "fits (Python 3.11, uv) (cannot start)")
    expect(broken).to_be_visible(timeout=15_000)
    expect(broken.locator("img")).to_be_visible()
    broken.click()
    dialog = page.locator(".jp-Dialog")
    expect(dialog).to_contain_text("leads to /opt/gone/python3.11", timeout=5000)
    expect(dialog).to_contain_text("To mend it:")
    expect(dialog).to_contain_text("uv venv --allow-existing --managed-python --python 3.11")

    away.replace(python)
    page.goto(f"{lab.url}lab/workspaces/third?reset")
    expect(card(page, "fits (Python 3.11, uv)")).to_be_visible(timeout=15_000)


def test_a_kernel_that_dies_at_its_start_shows_its_last_lines(lab: OwnLab, page: Page) -> None:
    """What Python printed is in the dialog, instead of a kernel that is restarted again and again."""
    add(lab)
    (module,) = (lab.home / "fits/.venv/lib").glob("python3*/site-packages/zmq")
    kept = module.rename(module.with_name("away"))
    module.mkdir()
    Path(module, "__init__.py").write_text("raise ImportError('libzmq.so.5: no such file')\n")
    try:
        card(page, "fits (Python 3.11, uv)").click()
        dialog = page.locator(".jp-Dialog")
        expect(dialog).to_contain_text("ended while it started (exit status 1)")
        expect(dialog).to_contain_text("ImportError: libzmq.so.5: no such file")
    finally:
        shutil.rmtree(module)
        kept.rename(module)
