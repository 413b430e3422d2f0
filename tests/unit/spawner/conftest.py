"""A hub in virtual time, for the lives of sessions."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.fakes.hub import FakeCluster, FakeHub, a_cluster, database
from tests.support.helper import Helper, ImportedHelper
from tornado.log import app_log


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
def logged(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[str], list[str]]]:
    """The lines of the hub's log with some words in them, whatever others have done to the log meanwhile."""
    monkeypatch.setattr(app_log, "propagate", False)
    monkeypatch.setattr(app_log, "disabled", False)
    # Not by its name, which servers of other tests have changed.
    level = app_log.level
    app_log.setLevel(logging.INFO)
    app_log.addHandler(caplog.handler)
    yield lambda words: [one.getMessage() for one in caplog.records if words in one.getMessage()]
    app_log.removeHandler(caplog.handler)
    app_log.setLevel(level)


@pytest.fixture
def hub(cluster: FakeCluster, hub_database: Any) -> FakeHub:
    """A hub on which nothing runs; tests may let it die and go on with the next."""
    return FakeHub(cluster, hub_database)


@pytest.fixture(params=["installed", "imported"])
def helper(request: pytest.FixtureRequest, tmp_path: Path) -> Helper:
    """A helper whose user's home is a temporary directory."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    if request.param == "imported":
        return ImportedHelper(tmp_path, home)
    made = Helper(tmp_path, home)
    # The helper takes the home from the password database, never from the environment; the copy is told.
    text = made.path.read_text().replace("pwd.getpwuid(os.getuid()).pw_dir", repr(str(home)))
    made.path.write_text(text)
    return made
