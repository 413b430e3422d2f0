"""A Jupyter server with this person's runs."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.clusters_on_disk import Scheduler, lay_cluster, scheduler_of
from tests.support.runs_lab import Lab, served

from skiva.dask.place import ClusterDir


@pytest.fixture(autouse=True)
def _outside_of_sessions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests in a session: the servers of tests are not that one's."""
    for name in ("JUPYTERHUB_API_URL", "JUPYTERHUB_API_TOKEN", "SKIVA_STREAM_URL", "SKIVA_RUN_DIR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """However busy the machine is, a page of runs is as long as it was asked for."""
    monkeypatch.setattr("skiva.server.runs.index._PATIENCE", 1e9)


@pytest.fixture
async def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Lab]:
    """A server of one person, without a hub and without Slurm."""
    home = tmp_path / "home"
    (home / "skiva-runs").mkdir(parents=True)
    for name, place in {
        "HOME": home,
        "SKIVA_RUN_DIR": tmp_path / "run",
        "SKIVA_RUNS": home / "skiva-runs",
    }.items():
        monkeypatch.setenv(name, str(place))
    for name in ("CONFIG", "DATA", "RUNTIME"):
        monkeypatch.setenv(f"JUPYTER_{name}_DIR", str(tmp_path / name.lower()))
    monkeypatch.setenv("JUPYTER_PREFER_ENV_PATH", "0")
    async with served(home) as (app, url):
        yield Lab(app, url, home / "skiva-runs")


@pytest.fixture
def place(lab: Lab) -> ClusterDir:
    """A cluster of the person's."""
    return lay_cluster(lab.runs.parent / ".local/state/skiva/clusters", told={})


@pytest.fixture
async def scheduler(place: ClusterDir) -> AsyncIterator[Scheduler]:
    """What stands for its scheduler."""
    async with scheduler_of(place) as found:
        yield found
