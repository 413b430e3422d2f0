"""The pages in a real browser, on sample data and without a hub."""

import re
import shutil
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser as Chromium
from playwright.async_api import Page, async_playwright, expect
from tests.unit.pages import preview, samples
from tornado.httpserver import HTTPServer
from tornado.testing import bind_unused_port

from skiva_spawners.progress import line

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="module")]

SPAWN = f"/hub/spawn/{preview.USER}"


@dataclass
class Browser:
    """A page of the preview and what the preview shows."""

    page: Page
    state: preview.State
    url: str
    problems: list[str]

    async def show(self, name: str, query: str = "") -> None:
        """Open the page of one of the sample states."""
        where = preview.show(self.state, name)
        await self.page.goto(self.url + where + query)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def chromium() -> AsyncIterator[Chromium]:
    """One Chromium for all of these tests."""
    program = shutil.which("chromium")
    assert program, "These tests need Chromium; install the package chromium."
    async with async_playwright() as playwright:
        running = await playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield running
        await running.close()


@pytest_asyncio.fixture(loop_scope="module")
async def browser(chromium: Chromium) -> AsyncIterator[Browser]:
    """A page of its own on the preview; uncaught errors in the page fail the test."""
    state = preview.State()
    socket, port = bind_unused_port()
    server = HTTPServer(preview.application(state))
    server.add_socket(socket)
    problems: list[str] = []
    page = await chromium.new_page(locale="en-GB", timezone_id="Asia/Tokyo")
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("dialog", lambda dialog: problems.append(dialog.message))
    yield Browser(page, state, f"http://127.0.0.1:{port}", problems)
    await page.close()
    state.push()
    server.stop()
    await server.close_all_connections()
    assert problems == []


def _queued(state: preview.State, *, ahead: int = 2) -> dict[str, Any]:
    now = time.time()
    mine = samples.pending(900, user=preview.USER, priority=50, start=now + 1500)
    others = [samples.pending(300 + number) for number in range(ahead)]
    seen = replace(samples.full(mine, *others), taken=now)
    return line(mine, seen, state.site, "1g.10gb", now, user=preview.USER)


async def test_a_slice_is_chosen_and_started_by_keyboard_alone(browser: Browser) -> None:
    """Tab reaches the group, arrow keys move in it, Enter starts what is chosen, once."""
    await browser.show("free")
    page = browser.page
    await page.get_by_role("radio", name="CPU only").focus()
    await page.keyboard.press("ArrowDown")
    await expect(page.get_by_role("radio", name="1g.10gb")).to_be_checked()
    outline = "getComputedStyle(document.querySelector('[data-slice=\"1g.10gb\"]')).outlineStyle"
    assert await page.evaluate(outline) == "solid"
    await page.get_by_label("Hours").fill("1.5")
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(f"{browser.url}/hub/spawn-pending/{preview.USER}")
    posted = browser.state.posted
    wish = {"slice": ["1g.10gb"], "environment": ["base"], "hours": ["1.5"]}
    assert posted == {"_xsrf": ["xsrf"], **wish}


async def test_the_numbers_on_the_cards_are_live(browser: Browser) -> None:
    """While the page is open, a slice that fills up says so, to the eye and to the ear."""
    await browser.show("free", "?slice=1g.10gb")
    card = browser.page.locator('[data-slice="1g.10gb"]')
    await expect(card).to_contain_text("4 free")
    await expect(card).to_contain_text("Starts now.")
    browser.state.snapshot = replace(samples.full(), taken=time.time())
    await expect(card).to_contain_text("0 free", timeout=15_000)
    await expect(card).to_contain_text("7 of 7 in use")
    await expect(browser.page.locator("#skiva-live")).to_have_text("1g.10gb: 0 of 7 free.")


async def test_a_silent_scheduler_is_said_above_the_cards(browser: Browser) -> None:
    """Old numbers have a notice with their time, in the reader's own zone; it goes when they are new."""
    await browser.show("stale")
    notice = browser.page.locator("#skiva-stale")
    await expect(notice).to_contain_text("The scheduler has not answered for 2 min; numbers are from ")
    taken = datetime.fromisoformat(await notice.locator("time").get_attribute("datetime") or "")
    assert 130 < time.time() - taken.timestamp() < 200
    tokyo = (taken + timedelta(hours=9)).strftime("%H:%M")
    await expect(notice.locator("time")).to_have_text(tokyo)
    browser.state.snapshot = replace(samples.full(), taken=time.time())
    await expect(notice).to_be_hidden(timeout=15_000)


async def test_a_link_only_fills_in_the_form(browser: Browser) -> None:
    """Slice, environment and hours of a link are chosen in the form; nothing was sent."""
    await browser.show("free", "?slice=h100&opt-environment=pytorch&hours=3&cmd=id")
    page = browser.page
    await expect(page.get_by_role("radio", name="One H100")).to_be_checked()
    await expect(page.get_by_role("radio", name="PyTorch")).to_be_checked()
    await expect(page.get_by_label("Hours")).to_have_value("3")
    assert browser.state.posted is None
    await page.get_by_role("button", name="Start").click()
    await expect(page).to_have_url(f"{browser.url}/hub/spawn-pending/{preview.USER}")


async def test_the_hours_are_bounded_by_the_slice(browser: Browser) -> None:
    """More hours than the slice allows are named before anything is sent."""
    await browser.show("free", "?slice=1g.10gb&hours=8")
    page = browser.page
    await page.get_by_role("radio", name="One H100").check()
    await expect(page.locator("#skiva-summary")).to_have_text("At most 4 hours on this slice.")
    await expect(page.get_by_role("button", name="8 h")).to_be_disabled()
    await page.get_by_role("button", name="Start").click()
    assert browser.state.posted is None
    await page.get_by_role("button", name="4 h").click()
    await expect(page.get_by_label("Hours")).to_have_value("4")
    await expect(page.locator("#skiva-summary")).to_contain_text("it ends at")
    assert browser.state.posted is None
    await page.get_by_role("button", name="Start").click()
    await expect(page).to_have_url(f"{browser.url}/hub/spawn-pending/{preview.USER}")


async def test_who_pays_is_chosen_and_what_is_left_is_told(browser: Browser) -> None:
    """Price, budget and limits beside the button; an account that cannot pay gives way and comes back."""
    await browser.show("charges")
    page = browser.page
    account, told = page.get_by_label("Account"), page.locator("#skiva-cost")
    await page.get_by_role("radio", name="CPU only").check()
    await page.get_by_label("Hours").fill("2")
    await expect(told).to_have_text("Costs 9 billing hours.")
    await account.select_option("chem")
    await expect(told).to_contain_text("1 of 10 core hours left (chem).")
    await expect(told).to_contain_text("That pays for 0.5 h of this slice: a longer session would wait.")
    await page.get_by_role("radio", name="1g.10gb").check()
    await expect(account).to_have_value("physics")
    await expect(told).to_contain_text("chem cannot pay for this slice; physics does.")
    await expect(told).to_contain_text("gpu1 has a limit of 1 GPU at a time, and 1 GPU in use")
    await expect(page.locator('[data-slice="1g.10gb"] .skiva-starts')).to_contain_text("would wait")
    assert await account.locator("option", has_text="chem").is_disabled()
    await page.get_by_role("radio", name="CPU only").check()
    await expect(account).to_have_value("chem")
    await page.get_by_role("button", name="Start").click()
    await page.wait_for_url("**/spawn-pending/**")
    assert browser.state.posted is not None
    assert browser.state.posted["account"] == ["chem"]


async def test_without_a_choice_nobody_is_asked_who_pays(browser: Browser) -> None:
    """One account, or none that is known: there is no field, and a link's is passed over."""
    await browser.show("free", "?account=chem")
    await expect(browser.page.get_by_role("button", name="Start")).to_be_enabled()
    await expect(browser.page.get_by_label("Account")).to_have_count(0)
    await expect(browser.page.locator("#skiva-cost")).to_be_hidden()


async def test_waiting_shows_place_expectation_and_title(browser: Browser) -> None:
    """The line, the list of steps, the place and the tab's title follow the events."""
    await browser.show("queued")
    page = browser.page
    await expect(page.locator("#progress-message")).to_contain_text("You are 3rd of 3 for 1g.10gb.")
    await expect(page.locator("dd[data-row=place]")).to_have_text("3 of 3")
    await expect(page.locator("dd[data-row=expected]")).to_contain_text("about ")
    await expect(page).to_have_title("Waiting in the queue: 3 of 3 \N{EN DASH} Skiva")
    browser.state.push(_queued(browser.state, ahead=0))
    await expect(page.locator("#progress-message")).to_contain_text("You are next for 1g.10gb.")
    browser.state.push({"progress": 60, "message": "The slice is proved.", "phase": "proved"})
    await expect(page.locator(".skiva-steps [data-state=done]")).to_have_count(3)
    await expect(page.locator(".skiva-steps [aria-current=step]")).to_have_text("Server answers (under way)")
    await expect(page.locator("dd[data-row=place]")).to_be_hidden()


async def test_cancel_works_while_the_hub_is_still_letting_go(browser: Browser) -> None:
    """Errors and `still stopping` are waited out; then the form opens with the same choice."""
    await browser.show("queued")
    browser.state.delete_answers = [500, 202, 204]
    await browser.page.get_by_role("button", name="Cancel").click()
    await expect(browser.page).to_have_url(f"{browser.url}{SPAWN}?slice=1g.10gb&environment=base&hours=2")
    await expect(browser.page.get_by_role("radio", name="1g.10gb")).to_be_checked()
    assert browser.state.deleted == 3


async def test_switching_cancels_and_opens_the_form_with_the_other_slice(browser: Browser) -> None:
    """Nothing is started by the switch itself."""
    await browser.show("queued")
    await browser.page.get_by_role("button", name="Switch to Shared H100").click()
    await expect(browser.page.get_by_role("radio", name="Shared H100")).to_be_checked()
    assert browser.state.deleted == 1
    assert browser.state.posted is None


async def test_the_page_outlives_a_hub_that_restarts(browser: Browser) -> None:
    """A refused stream is said and tried again; the next events are shown."""
    await browser.show("queued")
    page = browser.page
    await expect(page.locator("#progress-message")).to_contain_text("3rd of 3")
    browser.state.stream_status = 503
    browser.state.push()
    await expect(page.locator("#skiva-lost")).to_be_visible(timeout=15_000)
    browser.state.stream_status = 200
    browser.state.push(_queued(browser.state, ahead=0))
    await expect(page.locator("#progress-message")).to_contain_text("You are next", timeout=30_000)
    await expect(page.locator("#skiva-lost")).to_be_hidden()


async def test_after_a_restart_of_the_hub_the_page_waits_for_its_verdict(browser: Browser) -> None:
    """While the hub looks for the session there is no stream; then the page goes on by itself."""
    path = preview.show(browser.state, "queued")
    browser.state.pending, browser.state.stream_status = "check", 400
    await browser.page.goto(browser.url + path)
    await expect(browser.page.get_by_role("heading", level=1)).to_have_text("Looking for your session")
    browser.state.pending, browser.state.stream_status = "spawn", 200
    await expect(browser.page.locator("#progress-message")).to_contain_text("3rd of 3", timeout=30_000)


async def test_a_failed_start_shows_cause_action_and_log(browser: Browser) -> None:
    """The failure page has the sentence, what to do, the log as text, and the way back to the form."""
    await browser.show("queued")
    page = browser.page
    await expect(page.locator("#progress-message")).to_contain_text("3rd of 3")
    events = browser.state.events
    preview.show(browser.state, "failed")
    browser.state.events = events
    browser.state.push({"progress": 100, "failed": True, "message": "Spawn failed"})
    await expect(page.get_by_role("heading", level=1)).to_have_text("Your session could not start")
    await expect(page.get_by_role("alert")).to_contain_text("The node does not fence its devices")
    await expect(page.locator(".skiva-log")).to_contain_text("<script>alert('a log is only text')</script>")
    browser.state.started = True
    await page.get_by_role("button", name="Choose again").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Start a session")


async def test_a_session_that_ended_says_why(browser: Browser) -> None:
    """Who comes back after the time limit reads that it was the time limit."""
    await browser.show("timeout")
    await expect(browser.page.get_by_role("heading", level=1)).to_have_text("Your session has ended")
    await expect(browser.page.get_by_role("alert")).to_contain_text("its time limit was reached")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_page_fits_a_telephone(browser: Browser, scheme: Any) -> None:
    """At 390 pixels nothing has to be scrolled sideways, in either colour scheme."""
    await browser.page.set_viewport_size({"width": 390, "height": 800})
    await browser.page.emulate_media(color_scheme=scheme)
    for name in (
        *(
            "free",
            "charges",
            "full",
            "empty",
            "stale",
            "notice",
            "error",
            "queued",
            "limit",
            "failed",
            "timeout",
        ),
        *("one", "three", "many", "unrecorded", "long"),
    ):
        await browser.show(name)
        await expect(browser.page.locator("html")).to_have_attribute("data-bs-theme", scheme)
        assert await browser.page.evaluate("document.documentElement.scrollWidth") <= 390, name


async def test_being_told_when_it_is_ready_is_asked_for_only_by_the_button(browser: Browser) -> None:
    """The page never asks for the permission by itself."""
    await browser.page.add_init_script(
        "window.asked = 0;"
        "Notification.requestPermission = async () => { window.asked += 1; return 'granted'; };"
        "Object.defineProperty(Notification, 'permission', {get: () => 'default'});"
    )
    await browser.show("queued")
    await expect(browser.page.locator("#progress-message")).to_contain_text("3rd of 3")
    assert await browser.page.evaluate("window.asked") == 0
    await browser.page.get_by_role("button", name="Notify me when it is ready").click()
    await expect(browser.page.locator("#skiva-notify")).to_have_text("You will be notified")
    assert await browser.page.evaluate("window.asked") == 1


async def test_an_environment_is_chosen_by_keyboard_and_sent(browser: Browser) -> None:
    """The cards are one radio group of their own; what is sent is what is checked."""
    await browser.show("three", "?slice=h100&hours=1")
    page = browser.page
    await page.get_by_role("radio", name="Base").focus()
    await page.keyboard.press("ArrowDown")
    await expect(page.get_by_role("radio", name="PyTorch")).to_be_checked()
    await expect(page.locator("#skiva-chosen")).to_have_text("One H100 \N{MIDDLE DOT} PyTorch")
    await expect(page.get_by_role("radio", name="PyTorch")).to_have_accessible_description(
        re.compile("uses a GPU.*Training.*torch 2.13.0.*CUDA 13")
    )
    await expect(page.locator("#skiva-fit")).to_be_hidden()
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(f"{browser.url}/hub/spawn-pending/{preview.USER}")
    assert browser.state.posted is not None
    assert browser.state.posted["environment"] == ["pytorch"]
    await expect(page.locator("dl")).to_contain_text("Base (")


async def test_an_environment_that_likes_a_gpu_starts_without_and_says_so(browser: Browser) -> None:
    """What can compute on cores may; before Start it is said that it will."""
    await browser.show("three", "?slice=cpu&environment=pytorch")
    page = browser.page
    words = "CPU only has no GPU. PyTorch works there, and computes on the processor's cores."
    await expect(page.locator("#skiva-fit")).to_have_text(words)
    await expect(page.get_by_role("button", name="Start")).to_be_enabled()
    await page.get_by_role("radio", name="One H100").check()
    await expect(page.locator("#skiva-fit")).to_be_hidden()


async def test_an_environment_that_needs_a_gpu_is_not_started_without(browser: Browser) -> None:
    """The sentence says what to do, and Start is there again as soon as the choice fits."""
    await browser.show("three", "?slice=cpu&environment=rapids")
    page = browser.page
    await expect(page.locator("#skiva-fit")).to_contain_text("CPU only has no GPU, and RAPIDS needs one.")
    await expect(page.get_by_role("button", name="Start")).to_be_disabled()
    await page.get_by_role("radio", name="Base").check()
    await expect(page.get_by_role("button", name="Start")).to_be_enabled()
    await page.get_by_role("radio", name="RAPIDS").check()
    await page.get_by_role("radio", name="One H100").check()
    await expect(page.get_by_role("button", name="Start")).to_be_enabled()


async def test_the_digest_is_opened_without_choosing_its_card(browser: Browser) -> None:
    """Who only looks keeps the choice."""
    await browser.show("three")
    page = browser.page
    card = page.locator('[data-environment="pytorch"]')
    await card.locator("summary").click()
    await expect(card.locator("details")).to_contain_text(f"sha256:{'e8795e623be8'}")
    await expect(page.get_by_role("radio", name="Base")).to_be_checked()
