"""What a run keeps across its jobs: whole or as it was, and a block that is left when Slurm says so."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest
from tests.support.runs_on_disk import lay, run_id

import skiva
from skiva.runs import checkpoint as checkpoint_module
from skiva.runs import this_run as this_run_module
from skiva.runs.checkpoint import Warned, checkpoint
from skiva.runs.look import read_spec
from skiva.runs.paths import RunDir
from skiva.runs.requeue import GO_ON
from skiva.runs.this_run import PLACE, ThisRun, enter
from skiva.runs.user_code import _guarded

_KILLED_WHILE_IT_SAVES = """
import resource, signal, skiva
with skiva.checkpoint(every=0) as state:
    state["step"] = 1
    state.save()
    signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
    state["step"], state["weights"] = 2, bytes(100_000)
    state.save()
"""


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ThisRun]:
    """The run that this process is part of, and that listens to Slurm's warning."""
    place = RunDir(lay(tmp_path, run_id(1), end=None))
    before = signal.getsignal(signal.SIGUSR1)
    monkeypatch.setattr(this_run_module, "_current", None)
    enter(place, place, read_spec(place), None)
    found = skiva.this_run()
    assert found is not None
    yield found
    signal.signal(signal.SIGUSR1, before)


def test_a_job_that_is_killed_while_it_saves_goes_on_from_the_last_save(run: ThisRun) -> None:
    """The kernel ends it in the middle of the file: the state before is there, whole."""
    env = {**os.environ, PLACE: str(run.directory), "PYTHONPATH": ":".join(filter(None, sys.path))}
    done = subprocess.run([sys.executable, "-c", _KILLED_WHILE_IT_SAVES], env=env, check=False)
    assert done.returncode == -signal.SIGXFSZ
    with checkpoint() as state:
        assert (state.restored, dict(state)) == (True, {"step": 1})
        assert [path.name for path in state.path.iterdir()] == ["state.pkl"]  # what it left half is gone


def test_a_warned_block_is_left_with_its_state_saved(run: ThisRun) -> None:
    """Not before Slurm has warned; then whatever `every` says, and through the person's own `except`."""
    place, after = RunDir(run.directory), list[str]()

    def work() -> None:
        with checkpoint(every=1e9) as state:
            state["step"] = 1
            state.save()
            after.append("not warned")
            os.kill(os.getpid(), signal.SIGUSR1)
            try:
                state["step"] = 2
                state.save()
            except Exception:  # noqa: BLE001 - as people write around a step that may fail
                after.append("swallowed")
            after.append("went on")
        after.append("left as if it were done")

    assert _guarded(place, work) == GO_ON
    assert after == ["not warned"]
    assert not place.result.exists()
    assert not place.error.exists()
    with checkpoint() as state:
        assert dict(state) == {"step": 2}
        with pytest.raises(Warned):
            state.save()


def test_saves_are_as_far_apart_as_was_asked_for(run: ThisRun, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of many calls those are written that come `every` seconds after the last one, or insist."""
    clock = 1000.0
    monkeypatch.setattr(checkpoint_module, "time", SimpleNamespace(monotonic=lambda: clock))
    written = list[int]()
    with checkpoint(every=60) as state:
        for second in range(200):
            state["second"] = second
            clock = 1000.0 + second
            state.save(now=second == 130)
            if (kept := checkpoint_module.Checkpoint(state.path, 60)).restored:
                written.append(kept["second"])
    assert list(dict.fromkeys(written)) == [60, 120, 130, 190]


def test_each_name_and_each_task_has_a_state_of_its_own(
    run: ThisRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The tasks of a map share a directory, and two checkpoints of one run may be nested."""
    for task in (None, 0, 1):
        monkeypatch.setattr(run, "task", task)
        for name in ("checkpoint", "other"):
            with checkpoint(name) as state:
                assert not state.restored
                state["is"] = f"{name} {task}"
                state.save(now=True)
                (state.path / "own.bin").write_text("of the person's own")
    monkeypatch.setattr(run, "task", 1)
    with checkpoint("other") as state:
        assert dict(state) == {"is": "other 1"}
        assert state.path.parent == RunDir(run.directory).saved


def test_outside_of_a_run_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same code can be tried in a notebook."""
    monkeypatch.setattr(this_run_module, "_current", None)
    monkeypatch.delenv(PLACE, raising=False)
    monkeypatch.chdir(tmp_path)
    for _ in range(2):
        with checkpoint(every=0) as state:
            assert (state.restored, len(state), state.path) == (False, 0, tmp_path)
            state["step"] = 1
            state.save(now=True)
            del state["step"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["", "../up", "a/b", "a b", ".", "a\n"])
def test_a_name_that_could_be_a_path_is_refused(run: ThisRun, name: str) -> None:
    """Letters, digits and the two dashes alone; nothing is made for others."""
    with checkpoint("Aa-9_"):
        pass
    with pytest.raises(ValueError, match=r"^name: must be of letters"), checkpoint(name):
        pass
    assert [path.name for path in RunDir(run.directory).saved.iterdir()] == ["Aa-9_"]
