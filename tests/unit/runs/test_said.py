"""The words in which a run is told, whole: what people read, and what other programs compare."""

import json
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from nbformat import NotebookNode
from nbformat.v4 import new_output
from tests.support.fake_runs import FakePerson

import skiva
from skiva.runs.bind import bring_back
from skiva.runs.command.table import cells
from skiva.runs.display import html_table
from skiva.runs.notebook.outputs import Outputs, note, plain
from skiva.runs.notebook.plan import readable
from skiva.runs.queue import QueueJob, Reading
from skiva.runs.requeue import requeue
from skiva.runs.spec import Spec
from skiva.runs.status import Status, Traces, status
from skiva.runs.wish import BadWish, job_name, wish

ID = "261122-aaaaaaaa"
NOW = 1_800_000_000.0
SPEC = Spec(id=ID, name="fit", kind="function", created=NOW - 500, slice="cpu", hours=1, cwd="/")
GONE = {"missing_since": NOW - 100}


def _said(jobs: tuple[QueueJob, ...] | None, **traces: Any) -> Status:
    reading = None if jobs is None else Reading(NOW, jobs)
    return status(SPEC, Traces(**traces), reading, NOW)


def _job(state: str, **more: Any) -> QueueJob:
    return QueueJob(job_id=7, state=state, run=ID, **more)


SUBMITTED: dict[str, Any] = {"submission": {"job_id": 7, "at": NOW - 400}}
STARTED = {"event": "started", "at": NOW - 300, "node": "n1", "restarts": 0}


@pytest.mark.parametrize(
    ("jobs", "traces", "state", "sentence", "action"),
    [
        (None, {}, "preparing", "It is being handed to Slurm.", ""),
        (
            (),
            {"seen": GONE},
            "refused",
            "It was never handed to Slurm: the submission was cut off.",
            "Submit it again.",
        ),
        (None, SUBMITTED, "queued", "It waits for its turn.", ""),
        (None, SUBMITTED | {"cancel": {"at": NOW - 1}}, "ending", "It is being cancelled.", ""),
        (None, SUBMITTED | {"events": [STARTED]}, "running", "Running.", ""),
        (
            None,
            SUBMITTED | {"events": [STARTED, {"event": "requeued", "at": NOW - 9}]},
            "requeued",
            "It waits to begin again.",
            "",
        ),
        (
            None,
            SUBMITTED | {"events": [STARTED, {"event": "requeued", "at": NOW - 9, "sentence": "Saved."}]},
            "requeued",
            "Saved.",
            "",
        ),
        ((_job("PENDING"),), SUBMITTED, "queued", "It waits for its turn.", ""),
        ((_job("PENDING", reason="Full.", action="Wait."),), SUBMITTED, "queued", "Full.", "Wait."),
        (
            (_job("PENDING", reason="Full.", action="Wait.", restarts=1),),
            SUBMITTED | {"events": [STARTED, {"event": "requeued", "at": NOW - 9}]},
            "requeued",
            "It begins again in another job. Full.",
            "Wait.",
        ),
        ((_job("RUNNING"),), SUBMITTED | {"events": [STARTED]}, "running", "Running.", ""),
        (
            (_job("SUSPENDED"),),
            SUBMITTED | {"events": [STARTED]},
            "running",
            "It is suspended for now.",
            "",
        ),
        (
            (_job("RUNNING"),),
            SUBMITTED | {"events": [STARTED], "cancel": {"at": NOW - 1}},
            "ending",
            "It is being cancelled.",
            "",
        ),
        (
            (_job("RUNNING"),),
            SUBMITTED | {"events": [STARTED], "cancel": {"at": NOW - 100}},
            "running",
            "Running, although it was told to end: cancel it once more.",
            "",
        ),
        (
            (_job("RUNNING"),),
            SUBMITTED | {"events": [STARTED, {"event": "warned", "at": NOW - 9}]},
            "running",
            "Running; its time limit is near.",
            "",
        ),
        ((_job("COMPLETING", node="n1"),), SUBMITTED, "ending", "It is ending.", ""),
        (
            (_job("FAILED", ends=NOW - 5, exit_code="0:0"),),
            SUBMITTED | {"events": [STARTED]},
            "ending",
            "It is ending.",
            "",
        ),
        (
            (_job("FAILED", ends=NOW - 5, exit_code="9:0"),),
            SUBMITTED | {"events": [STARTED]},
            "killed",
            "It ended without a word (Slurm: FAILED, exit code 9:0); the end of its log may tell why.",
            None,
        ),
        (
            (_job("FAILED", ends=NOW - 500),),
            SUBMITTED,
            "killed",
            "It failed before it began (Slurm: FAILED, exit code ?); the end of its log may tell why.",
            None,
        ),
        ((_job("WHO KNOWS"),), SUBMITTED, "unknown", "Slurm reports a state that is not known here.", ""),
        (None, {"refused": {"sentence": "No.", "at": NOW - 3}}, "refused", "No.", None),
        (
            (),
            SUBMITTED
            | {"seen": GONE}
            | {
                "events": [
                    STARTED,
                    {"event": "interrupted", "how": "failed", "sentence": "Oh.", "at": NOW - 9},
                ]
            },
            "failed",
            "Oh.",
            None,
        ),
    ],
)
def test_how_a_run_is_told(
    jobs: tuple[QueueJob, ...] | None, traces: dict[str, Any], state: str, sentence: str, action: str | None
) -> None:
    """State, sentence and what to do, whole, for each thing that files and queue can say together."""
    told = _said(jobs, **traces)
    assert (told.state, told.sentence) == (state, sentence)
    assert action is None or told.action == action


def test_times_go_with_what_is_told() -> None:
    """When it ended, when it is expected, on which node: of the same thing as the sentence."""
    assert _said(None, refused={"sentence": "No.", "at": NOW - 3}).ended == NOW - 3
    waits = (_job("PENDING", expected=NOW + 60, restarts=1),)
    again = {"events": [STARTED, {"event": "requeued", "at": NOW - 9}]}
    assert _said(waits, **SUBMITTED | again).expected == NOW + 60
    assert _said(waits, **SUBMITTED).expected == NOW + 60
    assert _said((_job("COMPLETING", node="n2"),), **SUBMITTED).node == "n2"
    gone = SUBMITTED | {"seen": GONE, "events": [STARTED | {"at": NOW - 7}], "cancel": {"at": NOW - 200}}
    told = _said((), **gone)
    assert (told.state, told.ended) == ("cancelled", NOW - 7)
    assert _said((), **gone | {"cancel": None}).state == "vanished"


def test_a_line_of_the_table_is_exact() -> None:
    """When it was submitted and is expected, how far it is, and what is left."""
    made = time.mktime((2026, 11, 22, 9, 5, 0, 0, 0, -1))
    spec = SimpleNamespace(id=ID, name="fit", slice="cpu", simulated=True, created=made)
    waits = Status(state="queued", sentence="Full.", expected=made + 3600)
    assert cells(spec, waits) == (  # type: ignore[arg-type]
        *(ID, "fit", "cpu (simulated)", "Nov 22 09:05", "queued"),
        "Full. Expected Nov 22 10:05.",
    )
    spec.simulated = False
    for progress, more in (
        ({"done": 3, "total": 9, "text": "epoch"}, "3 of 9, epoch, 1 h 01 min left"),
        ({"done": 3}, "3, 1 h 01 min left"),
        (None, "1 h 01 min left"),
    ):
        runs = Status(state="running", sentence="Running.", progress=progress, seconds_left=3661.0)
        assert cells(spec, runs)[2::3] == ("cpu", more)  # type: ignore[arg-type]
    assert html_table(("A",), [("x", "<y>")]).endswith(
        "<tr><td style='text-align:left'>x</td><td style='text-align:left'>&lt;y&gt;</td></tr>"
        "</tbody></table>"
    )


def test_what_cannot_travel_is_named_by_where_it_stands(person: FakePerson) -> None:
    """An argument by its number or name, the function by its own; a map's items by their numbers."""
    lock = threading.Lock()

    def work(*_: Any, **__: Any) -> None:
        """Nothing."""

    def holds() -> Any:
        return lock

    with pytest.raises(skiva.Stays, match=r"^argument 2 of work "):
        skiva.submit(work, 1, lock)
    with pytest.raises(skiva.Stays, match=r"^the argument data of work "):
        skiva.submit(work, 1, data=lock)
    with pytest.raises(skiva.Stays, match="holds"):
        skiva.submit(holds)
    with pytest.raises(skiva.Stays, match=r"^item 1 "):
        skiva.map(abs, [1, lock])
    with pytest.raises(BadWish, match=r"^items: there are none$"):
        skiva.map(abs, [])
    assert person.slurm.jobs == {}
    run = skiva.submit(work)
    assert run.spec.name == "work"
    assert skiva.map(abs, [1]).spec.name == "abs"
    assert skiva.submit(_Callable()).spec.name == "_Callable"


class _Callable:
    def __call__(self) -> None:
        """Nothing."""


def test_a_wish_names_its_field() -> None:
    """What must be, whole; a name that is too long to show is cut."""
    with pytest.raises(BadWish, match=r"^hours: must be a number of hours above 0 and of at most a year"):
        wish(hours=-1)
    with pytest.raises(BadWish, match=rf"^{'x' * 60}: there is no such option$"):
        wish(**{"x" * 99: 1})
    assert wish(slice=None, hours=None).hours is None
    assert [job_name(name) for name in ("X-._", "_a b_", "", "é")] == ["X", "a-b", "skiva-run", "skiva-run"]


def _stream(text: str, name: str = "stdout") -> NotebookNode:
    return NotebookNode(new_output("stream", name=name, text=text))


def test_neighbours_of_one_stream_are_one_output() -> None:
    """Also where the beginning ends and the end begins; a picture between them parts them."""
    outputs = Outputs(half=2000)
    for text in ("a" * 900, "b" * 900, "c" * 900):
        outputs.add(_stream(text))
    [whole] = outputs.listed()
    assert (whole.output_type, whole.name, whole.text) == (
        "stream",
        "stdout",
        "a" * 900 + "b" * 900 + "c" * 900,
    )
    outputs = Outputs()
    outputs.add(_stream("c"))
    outputs.add(note("between", "x"))
    outputs.add(_stream("d"))
    outputs.add(_stream("e", "stderr"))
    assert [one.output_type for one in outputs.listed()] == ["stream", "display_data", "stream", "stream"]
    outputs.clear()
    assert outputs.listed() == []


def test_what_was_left_out_is_counted() -> None:
    """All that was printed, less what is shown, in units that people read."""
    outputs = Outputs(half=2000)
    outputs.add(_stream("x" * 3_000_000))
    first, middle, last = outputs.listed()
    hidden = 3_000_000 - len(first.text) - len(last.text)
    assert f" {hidden / 1e6:.1f} MB of output" in middle.data["text/plain"]
    for size, words in ((999, "999 characters"), (1000, "1.0 kB"), (1_000_000_000, "1.0 GB")):
        told = Outputs(half=10)
        told._left_out = size
        assert f" {words} of output" in told.listed()[0].data["text/plain"]


@pytest.mark.parametrize(
    ("output", "text"),
    [
        (new_output("error", ename="E", evalue="v", traceback=["one", "two"]), "one\ntwo"),
        (new_output("error", ename="E", evalue="v", traceback=[]), "E: v"),
        (new_output("display_data", {"text/plain": "shown"}), "shown"),
        (new_output("display_data", {"text/plain": ["sh", "own"]}), "shown"),
        (new_output("display_data", {"image/png": "x"}), ""),
        (new_output("display_data", {"text/plain": "x" * 5000}), "x" * 4000 + "…"),
    ],
)
def test_the_log_shows_what_is_no_stream_as_text(output: NotebookNode, text: str) -> None:
    """An error's traceback, a picture's words, and of something long the beginning."""
    assert plain(output) == text


def test_an_error_that_is_long_counts_as_long() -> None:
    """A traceback of a million letters does not push everything else out unseen."""
    outputs = Outputs(half=2000)
    outputs.add(_stream("begin"))
    outputs.add(NotebookNode(new_output("error", ename="E", evalue="v", traceback=["x" * 100_000] * 3)))
    outputs.add(_stream("end"))
    assert next(one.output_type for one in outputs.listed()) == "stream"
    assert outputs.listed()[-1].text == "end"


def test_variables_come_back_by_name_and_say_what_does_not(tmp_path: Path) -> None:
    """Modules are imported here, what is here already stays, and who is not allowed is told apart."""
    (tmp_path / "bound.json").write_text(
        json.dumps({"names": ["y"], "modules": {"j": "json", "s": "sys", "no": "no_such_module"}})
    )
    namespace: dict[str, Any] = {"s": sys}
    brought = bring_back(tmp_path, namespace)
    assert namespace["j"] is json
    assert set(brought.names) == {"j"}
    assert brought.left == ()
    first, second = brought.sentences
    assert first.startswith("no cannot be imported here: ModuleNotFoundError: ")
    assert second.startswith("Its variables cannot be read here: FileNotFoundError: ")
    held = bring_back(tmp_path, {}, lambda name: name != "j")
    assert held.left == ("j",)
    assert bring_back(tmp_path / "elsewhere", {}).names == ()


def test_a_job_that_cannot_begin_again_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a map the task by its number; three tries; Slurm's own words in the end."""
    program = tmp_path / "scontrol"
    program.write_text(f"#!/bin/sh\necho \"$@\" >>{tmp_path}/asked\necho '{'x' * 400} no' >&2\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setattr("skiva.runs.requeue.time.sleep", lambda _: None)
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.delenv("SLURM_ARRAY_JOB_ID", raising=False)
    monkeypatch.setenv("SLURM_ARRAY_TASK_ID", "3")
    single = replace(SPEC, environment={"slurm_bin": str(tmp_path)})
    assert requeue(single) == ("x" * 400 + " no")[-300:]
    many = replace(single, tasks=9)
    requeue(many)
    monkeypatch.setenv("SLURM_ARRAY_JOB_ID", "5")
    requeue(many)
    asked = (tmp_path / "asked").read_text().splitlines()
    assert asked == ["requeue 7"] * 3 + ["requeue 7_3"] * 3 + ["requeue 5_3"] * 3
    assert "No such file" in requeue(replace(SPEC, environment={"slurm_bin": str(tmp_path / "none")}))


def test_an_old_notebook_is_made_whole(tmp_path: Path) -> None:
    """A cell that lacks what newer ones have can be run; one that is none is told in a sentence."""
    notebook = {
        "cells": [
            {"cell_type": "code", "source": "1", "metadata": {}, "outputs": []},
            {"cell_type": "markdown", "source": "x", "metadata": {}},
        ],
        "metadata": {},
        "nbformat": 4,
        "nbformat_minor": 4,
    }
    code, text = readable(json.dumps(notebook).encode()).cells
    assert (code.outputs, code.execution_count, code.metadata) == ([], None, {})
    assert "outputs" not in text
