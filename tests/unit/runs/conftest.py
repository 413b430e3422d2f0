"""Somebody with a Slurm that is not one; and no time limit for single examples on a busy machine."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from tests.support.fake_runs import FakePerson

from skiva.runs import run as run_module
from skiva.runs import slurm as slurm_module
from skiva.runs.queue import Queue

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")


@pytest.fixture(autouse=True)
def queue(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody is told what Slurm said in another test some seconds ago."""
    monkeypatch.setattr(run_module, "_queue", Queue())


@pytest.fixture
def person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakePerson:
    """Somebody whose home and Slurm this process sees too."""
    made = FakePerson.at(tmp_path)
    for name in ("SKIVA_RUN_DIR", "SKIVA_RUNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(made.home))
    monkeypatch.setenv("USER", "ann")
    monkeypatch.setattr(slurm_module, "_SEARCH_EVERY", 0.02)
    return made


@pytest.fixture
def new_shell(tmp_path: Path) -> Callable[[], Any]:
    """Opens a notebook that has the extension."""

    def new() -> Any:
        from IPython.core.interactiveshell import InteractiveShell
        from traitlets.config import Config

        config = Config()
        config.HistoryManager.enabled = False
        shell: Any = InteractiveShell(config=config, ipython_dir=str(tmp_path / "ipython"))
        shell.extension_manager.load_extension("skiva")
        return shell

    return new
