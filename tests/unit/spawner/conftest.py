"""A hub in virtual time, for the lives of sessions."""

from collections.abc import Iterator
from typing import Any

import pytest
from tests.fakes.hub import FakeCluster, FakeHub, a_cluster, database


@pytest.fixture(scope="session")
def hub_database() -> Any:
    """JupyterHub's database, which each test leaves empty."""
    return database()


@pytest.fixture
def cluster(hub_database: Any) -> Iterator[FakeCluster]:
    """A cluster on which nothing runs."""
    with a_cluster(hub_database) as made:
        yield made


@pytest.fixture
def hub(cluster: FakeCluster, hub_database: Any) -> FakeHub:
    """A hub on which nothing runs; tests may let it die and go on with the next."""
    return FakeHub(cluster, hub_database)
