"""What is made of a child's death: how it ended, in one line, and whether that is the end of the run."""

import json
import signal
from pathlib import Path
from typing import Any

import pytest

from skiva.runs import ending as ending_module
from skiva.runs.ending import Ending, ending, out_of_memory
from skiva.runs.paths import RunDir
from skiva.runs.status import ENDED

_NOTHING_ELSE = {"cancelled": False, "told_to_end": False, "warned": False, "may_go_on": False}
_CUT = {**_NOTHING_ELSE, "told_to_end": True}
_GAVE_WAY = "Slurm told it to end: it was cancelled, or gave way to other jobs."


@pytest.mark.parametrize(
    ("status", "facts", "how", "sentence", "event"),
    [
        (0, _NOTHING_ELSE, "completed", "Completed.", "ended"),
        (0, {**_NOTHING_ELSE, "warned": True}, "completed", "Completed.", "ended"),
        (3, _NOTHING_ELSE, "failed", "It ended with exit status 3.", "ended"),
        (-signal.SIGSEGV, _NOTHING_ELSE, "killed", "It was ended by the signal SIGSEGV.", "ended"),
        (-64, _NOTHING_ELSE, "killed", "It was ended by the signal SIGRTMAX.", "ended"),
        (-999, _NOTHING_ELSE, "killed", "It was ended by the signal 999.", "ended"),
        # Slurm told it to end; whatever the program made of that.
        *(
            (status, {**_CUT, **facts}, how, sentence, event)
            for status in (0, 1, -signal.SIGTERM, -signal.SIGKILL)
            for facts, how, sentence, event in (
                ({}, "cancelled", _GAVE_WAY, "interrupted"),
                ({"may_go_on": True}, "cancelled", _GAVE_WAY, "interrupted"),
                ({"cancelled": True}, "cancelled", "Cancelled.", "ended"),
                ({"cancelled": True, "warned": True, "may_go_on": True}, "cancelled", "Cancelled.", "ended"),
                ({"warned": True}, "time_limit", "Stopped by the time limit.", "ended"),
                (
                    {"warned": True, "may_go_on": True},
                    "time_limit",
                    "Stopped by the time limit.",
                    "interrupted",
                ),
            )
        ),
    ],
)
def test_a_death_is_told_as_it_was(
    tmp_path: Path, status: int, facts: dict[str, bool], how: str, sentence: str, event: str
) -> None:
    """By exit status and signal, by what Slurm had said, and by whether another job may follow."""
    found = ending(status, RunDir(tmp_path), **facts)
    assert (found.how, found.sentence, found.event) == (how, sentence, event)


def test_a_result_that_is_there_counts_although_it_was_told_to_end(tmp_path: Path) -> None:
    """Slurm's word came after the last line of the person's code."""
    RunDir(tmp_path).result.write_bytes(b"")
    assert ending(0, RunDir(tmp_path), **_CUT).how == "completed"
    assert ending(1, RunDir(tmp_path), **_CUT).how == "cancelled"


def test_what_the_code_raised_is_told_in_its_first_line(tmp_path: Path) -> None:
    """A long message over many lines is one line in every list; its own word about the end goes before."""
    place = RunDir(tmp_path)
    place.error.write_text(json.dumps({"type": "KeyError", "message": f"{'x' * 999}\nmore"}))
    assert ending(1, place, **_NOTHING_ELSE) == Ending("failed", f"KeyError: {'x' * 290}")
    assert ending(-signal.SIGTERM, place, **_CUT).how == "failed"
    place.outcome.write_text(json.dumps({"how": "time_limit", "sentence": f"Cell 3 {'y' * 999}\nmore"}))
    assert ending(1, place, **_NOTHING_ELSE) == Ending("time_limit", f"Cell 3 {'y' * 493}")
    place.outcome.write_text(json.dumps({"how": "out_of_memory"}))
    assert ending(0, place, **_NOTHING_ELSE) == Ending("out_of_memory", "It ended: out of memory.")


@pytest.mark.parametrize(
    "told", [None, {}, {"how": "great"}, {"how": []}, {"how": "failed", "sentence": None}]
)
@pytest.mark.parametrize("error", [None, {}, {"type": "KeyError", "message": "\n\n"}, {"message": None}])
@pytest.mark.parametrize("status", [0, 1, 75, -9, -64, -999])
def test_every_death_has_words(tmp_path: Path, told: Any, error: Any, status: int) -> None:
    """Whatever the part that ran user code left behind: how it ended, and one line about it."""
    place = RunDir(tmp_path)
    for path, values in ((place.outcome, told), (place.error, error)):
        if values is not None:
            path.write_text(json.dumps(values))
    for facts in range(16):
        found = ending(
            status,
            place,
            cancelled=bool(facts & 1),
            told_to_end=bool(facts & 2),
            warned=bool(facts & 4),
            may_go_on=bool(facts & 8),
        )
        assert found.how in ENDED
        assert found.sentence
        assert "\n" not in found.sentence


@pytest.mark.parametrize(
    ("of_this_process", "events"),
    [
        ("0::/job/step\n", "sys/fs/cgroup/job/step/memory.events"),
        ("5:cpu,memory:/job\n0::/x\n", "sys/fs/cgroup/memory/job/memory.oom_control"),
        ("1:name=systemd:/x\n9:memory:/job\n", "sys/fs/cgroup/memory/job/memory.oom_control"),
    ],
)
@pytest.mark.parametrize(
    ("told", "is_so"), [("oom 3\noom_kill 2\n", True), ("oom_kill 0\n", False), ("x\n", False)]
)
def test_want_of_memory_is_what_the_kernel_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, of_this_process: str, events: str, told: str,
    *, is_so: bool,
) -> None:  # fmt: skip
    """With both kinds of cgroups; only a kill counts, and only it makes a SIGKILL want of memory."""
    monkeypatch.setattr(ending_module, "Path", lambda text: tmp_path / text.lstrip("/"))
    (tmp_path / "proc/self").mkdir(parents=True)
    (tmp_path / "proc/self/cgroup").write_text(of_this_process)
    assert not out_of_memory()
    (tmp_path / events).parent.mkdir(parents=True)
    (tmp_path / events).write_text(told)
    assert out_of_memory() == is_so
    killed = ending(-signal.SIGKILL, RunDir(tmp_path), **_NOTHING_ELSE)
    assert killed.how == ("out_of_memory" if is_so else "killed")
    assert ending(-signal.SIGTERM, RunDir(tmp_path), **_NOTHING_ELSE).how == "killed"
