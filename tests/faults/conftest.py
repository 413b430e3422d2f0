"""The shared cluster with a site and a hub of these tests' own, so that both can be broken at will."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.breakable import breakable
from tests.support.faults import Faults


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """All tests here need the real Slurm, and root, which alone can break it."""
    for item in items:
        if "/faults/" in str(item.path):
            item.add_marker(pytest.mark.slurm)
            item.add_marker(pytest.mark.skipif(os.geteuid() != 0, reason="needs accounts of several people"))


@pytest.fixture(scope="module")
def faults(breakable_cluster: Any) -> Iterator[Faults]:
    """The cluster, breakable."""
    with breakable(breakable_cluster) as broken:
        yield broken


@pytest.fixture(autouse=True)
def _tidy(faults: Faults) -> Iterator[None]:
    """Begin and end each test with a whole cluster and no session."""
    yield
    faults.mend()
    faults.end_everything()
