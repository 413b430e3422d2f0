"""Real people at a real browser, in front of a real hub and a real Slurm."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, expect, sync_playwright
from tests.support.hub import HubClient, HubRefused
from tests.support.people import PATIENCE, Person
from tests.support.waiting import wait_until

expect.set_options(timeout=30_000)

ACCOUNTS = ("researcher1", "researcher2", "researcher3", "instructor1")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Debian's Chromium."""
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", timeout=PATIENCE)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def hub(cluster: Any) -> Iterator[HubClient]:
    """The hub's API, for administrators."""
    with HubClient(cluster.url, cluster.admin_token) as client:
        yield client


@pytest.fixture
def somebody(browser: Browser, cluster: Any, quiet: None) -> Iterator[Callable[..., Person]]:
    """`somebody("researcher1")`: a person whose browser was never here and whose JupyterLab is empty."""
    contexts = []

    def make(name: str) -> Person:
        context = browser.new_context(viewport={"width": 1200, "height": 850}, locale="en-GB")
        contexts.append(context)
        person = Person(name, context.new_page(), cluster)
        person.forget_workspaces()
        return person

    yield make
    for context in contexts:
        context.close()


@pytest.fixture
def quiet(cluster: Any, hub: HubClient) -> Iterator[None]:
    """No session and no job, before the test and after it; new notebooks go when it is over."""
    before = _notebooks()
    _end_everything(cluster, hub)
    yield
    _end_everything(cluster, hub)
    for path in _notebooks() - before:
        path.unlink(missing_ok=True)


@pytest.fixture
def hold(cluster: Any) -> Callable[[int], list[int]]:
    """`hold(5)`: jobs of the instructor take so many 1g.10gb; their numbers, when all of them run."""

    def take(count: int) -> list[int]:
        options = ["--partition=slices", "--gres=gpu:1g.10gb:1", "--cpus-per-task=1", "--mem=50"]
        options += ["--time=30", "--output=/dev/null", "--job-name=training"]
        jobs = [cluster.submit("instructor1", *options, script="exec sleep 1800") for _ in range(count)]
        for job in jobs:
            cluster.wait_state(job, "RUNNING", seconds=60)
        return jobs

    return take


@pytest.fixture
def release(cluster: Any) -> Callable[..., None]:
    """`release(job)`: these jobs leave."""

    def leave(*jobs: int) -> None:
        done = cluster.run_as("root", ["/usr/bin/scancel", *map(str, jobs)])
        assert done.returncode == 0, done.stderr

    return leave


@pytest.fixture
def job_of(hub: HubClient) -> Callable[[str], int]:
    """`job_of("researcher1")`: the number of their session's job."""

    def number(name: str) -> int:
        server = hub.server(name)
        assert server is not None
        return int(server["state"]["session"]["job_id"])

    return number


@pytest.fixture
def jobs_of(cluster: Any) -> Callable[[str], list[str]]:
    """`jobs_of("researcher1")`: the numbers of their jobs that wait or run."""

    def numbers(name: str) -> list[str]:
        return _queue(cluster, "-t", "PENDING,RUNNING,SUSPENDED", "-u", name)

    return numbers


def _notebooks() -> set[Path]:
    return {path for name in ACCOUNTS for path in Path("/home", name).glob("*.ipynb")}


def _end_everything(cluster: Any, hub: HubClient) -> None:
    wait_until(hub.is_up, 60, "the hub answers")
    known = [name for name in ACCOUNTS if hub.server(name) is not None]
    for name in known:
        with suppress(HubRefused):
            hub.stop_server(name)
    if jobs := _jobs(cluster):
        cluster.run_as("root", ["/usr/bin/scancel", *jobs])
    wait_until(lambda: not _jobs(cluster), 60, "no job is left", every=0.2)
    for name in known:
        hub.wait_stopped(name, 60)


def _jobs(cluster: Any) -> list[str]:
    return _queue(cluster, "-t", "PENDING,RUNNING,SUSPENDED,COMPLETING")


def _queue(cluster: Any, *options: str) -> list[str]:
    done = cluster.run_as("root", ["/usr/bin/squeue", "-ho", "%A", *options])
    assert done.returncode == 0, done.stderr
    return str(done.stdout).split()
