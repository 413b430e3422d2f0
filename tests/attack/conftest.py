"""Two people with sessions on one node, and what is known of the first one's from outside."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from tests.support.hub import HubClient
from tests.support.sessions import Session, close_session, open_session


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests here need the real Slurm, and root, which alone can act as two people."""
    for item in items:
        if "/attack/" in str(item.path):
            item.add_marker(pytest.mark.slurm)
            item.add_marker(pytest.mark.skipif(os.geteuid() != 0, reason="needs accounts of several people"))


@pytest.fixture(scope="module")
def hub(cluster: Any) -> Iterator[HubClient]:
    """The hub's API, for administrators."""
    with HubClient(cluster.url, cluster.admin_token) as client:
        yield client


@pytest.fixture(scope="module")
def sessions(cluster: Any, hub: HubClient) -> Iterator[dict[str, Session]]:
    """Sessions of researcher1 and researcher2 with a notebook, a kernel and a terminal each."""
    people = ("researcher1", "researcher2")
    try:
        with ThreadPoolExecutor(2) as pool:
            yield dict(
                zip(people, pool.map(lambda name: open_session(cluster, hub, name), people), strict=True)
            )
    finally:
        for name in people:
            close_session(hub, name)


@pytest.fixture(scope="module")
def victim(sessions: dict[str, Session]) -> Session:
    """The session that nobody else may touch."""
    return sessions["researcher1"]


@pytest.fixture(scope="module")
def intruder(sessions: dict[str, Session]) -> Session:
    """The session of an account with the same rights, on the same node."""
    return sessions["researcher2"]
