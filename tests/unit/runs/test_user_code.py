"""What a person's code returns, raises or exits with, as it is kept and as the exit status tells it."""

import base64
import json
import os
import pickle
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cloudpickle
import pytest

from skiva.runs.paths import RunDir
from skiva.runs.programs import run_program
from skiva.runs.spec import Spec
from skiva.runs.user_code import _call, _guarded, keep_error


def _raises(error: BaseException) -> Callable[[], Any]:
    def work() -> None:
        raise error

    return work


@pytest.mark.parametrize(
    ("code", "status"),
    [(0, 0), (None, 0), (3, 3), (255, 255), (256, 1), (-1, 1), ("words", 1), (False, 0)],
)
def test_leaving_has_its_exit_status(tmp_path: Path, code: Any, status: int) -> None:
    """`sys.exit()` is a good end without a result; any other is an error that is kept."""
    place = RunDir(tmp_path)
    assert _guarded(place, _raises(SystemExit(code))) == status
    assert place.result.exists() == (status == 0)
    assert place.error.exists() == (status != 0)
    if status == 0:
        assert pickle.loads(place.result.read_bytes()) is None  # noqa: S301


@pytest.mark.parametrize("kind", [ValueError, KeyboardInterrupt, GeneratorExit])
def test_whatever_is_raised_is_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: type[BaseException]
) -> None:
    """Its type, its words, its traceback without ours, and itself; the log has it too."""
    place = RunDir(tmp_path)
    assert _guarded(place, _raises(kind("no luck"))) == 1
    told = json.loads(place.error.read_text())
    assert (told["type"], told["message"]) == (kind.__name__, "no luck")
    assert "in work" in told["traceback"]
    assert told["traceback"].count("File ") == 1
    assert repr(pickle.loads(base64.b64decode(told["pickle"]))) == repr(kind("no luck"))  # noqa: S301
    assert capsys.readouterr().err == told["traceback"] + "\n"
    assert not place.result.exists()


def test_an_error_that_cannot_travel_or_is_huge_is_kept_in_words(tmp_path: Path) -> None:
    """So that whoever asks for the result reads what happened all the same."""
    place = RunDir(tmp_path)
    for held in (threading.Lock(), "x" * 2_000_000):
        error = ValueError("y" * 20_000)
        error.held = held  # type: ignore[attr-defined]
        keep_error(place, error)
        told = json.loads(place.error.read_text())
        assert (told["pickle"], len(told["message"])) == ("", 10_000)
        assert len(told["traceback"]) <= 100_000


def test_a_result_that_cannot_travel_is_an_error(tmp_path: Path) -> None:
    """The words say why, and that it was the way back."""
    place = RunDir(tmp_path)
    assert _guarded(place, threading.Lock) == 1
    told = json.loads(place.error.read_text())
    assert told["message"] == (
        "the result cannot travel back from the job: a lock belongs to this process (_thread.lock)."
    )


def test_coroutines_are_awaited_and_tasks_get_their_item(tmp_path: Path) -> None:
    """An `async def` gives its result; of a map each task its own item, before the other arguments."""

    async def later(*arguments: Any, **named: Any) -> Any:
        return arguments, named

    run = RunDir(tmp_path)
    run.call.write_bytes(cloudpickle.dumps((later, (1,), {"a": 2})))
    run.items.write_bytes(pickle.dumps([pickle.dumps(item) for item in "xyz"]))
    assert _call(run, None) == ((1,), {"a": 2})
    assert _call(run, 1) == (("y", 1), {"a": 2})


@pytest.mark.parametrize(("name", "status"), [("no-such-program", 127), ("a-text", 126)])
def test_a_program_that_cannot_be_run_has_the_shells_exit_status(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    status: int,
) -> None:
    """Not found or not executable; a task of an array finds its number and its line in the environment."""
    (tmp_path / "a-text").write_text("text")
    run = RunDir(tmp_path)
    run.items.write_bytes(pickle.dumps([(0, "zero"), (5, "five")]))
    for variable in ("SKIVA_TASK", "SKIVA_ITEM"):
        monkeypatch.setenv(variable, "")
    program = str(tmp_path / name)
    spec = Spec(
        id="261122-aaaaaaaa", name="", kind="command", created=0, slice="cpu", hours=1, cwd="/",
        argv=(program, "{}"),
    )  # fmt: skip
    monkeypatch.setattr("signal.signal", lambda *_: None)
    assert run_program(run, spec, 1) == status
    assert f"{program} cannot be run: " in capsys.readouterr().err
    assert (os.environ["SKIVA_TASK"], os.environ["SKIVA_ITEM"]) == ("5", "five")
