"""The names that a notebook finds in `skiva`."""

import subprocess
import sys

import pytest

import skiva


@pytest.mark.parametrize("name", skiva.__all__)
def test_each_name_is_there(name: str) -> None:
    """All that is listed can be had, under its own name or the one that it has inside."""
    assert getattr(skiva, name) is not None


def test_clusters_are_listed_without_dask() -> None:
    """A terminal's environment may have none: only to start a cluster, or to attach to one, takes it."""
    code = (
        "import sys, skiva\nskiva.clusters, skiva.cluster, skiva.NeverStarted\n"
        "assert not {'dask', 'distributed'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
