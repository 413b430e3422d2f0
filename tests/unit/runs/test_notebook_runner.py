"""The part of a job that runs a notebook, with real kernels."""

import json
import os
import re
import signal
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode
from tests.support.notebook_runs import NotebookRun, notebook_of, text_of
from tests.support.waiting import wait_until

from skiva.runs import work

Make = Callable[..., NotebookRun]
_TICKS = "import time\nfor second in range(600):\n    print('tick', second)\n    time.sleep(0.1)"


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """Makes runs, which are ended after the test."""
    made: list[NotebookRun] = []

    def new(notebook: NotebookNode, **spec: Any) -> NotebookRun:
        made.append(NotebookRun(tmp_path / f"run {len(made)}", notebook, spec))
        return made[-1]

    yield new
    for run in made:
        run.end()


def _kernel_of(run: NotebookRun) -> int:
    """The number of the kernel's process."""
    assert run.process is not None
    children = Path(f"/proc/{run.process.pid}/task/{run.process.pid}/children")
    return wait_until(lambda: next(map(int, children.read_text().split()), 0), 20, "a kernel")


def _place_of(kernel: int) -> Path:
    """The directory of its sockets."""
    return Path(Path(f"/proc/{kernel}/cmdline").read_text().split("\0-f\0")[1].split("\0")[0]).parent


def test_a_notebook_is_run_and_what_each_cell_did_is_kept(make: Make) -> None:
    """Outputs, counts, progress and the log are what the cells put out, and the notebook is valid."""
    run = make(notebook_of("#md Title", "print('hello')", "1 + 1", "x = 3"))
    assert run.run() == 0
    out = run.out
    nbformat.validate(out)
    assert text_of(out.cells[1]) == "hello\n"
    assert out.cells[2].outputs[0].data["text/plain"] == "2"
    assert run.states() == ["", "done", "done", "done"]
    assert out.metadata["skiva"]["state"] == "completed"
    assert re.findall(r"\[cell .*\]", run.log) == ["[cell 1/3]", "[cell 2/3]", "[cell 3/3]"]
    assert "hello\n" in run.log
    assert {**run.json("progress.json"), "at": 0} == {
        "at": 0,
        "done": 3,
        "total": 3,
        "text": "",
        "unit": "cells",
    }
    assert not (run.directory / "outcome.json").exists()


def test_parameters_are_set_after_the_cell_that_names_them(make: Make) -> None:
    """An odd text arrives as it was, in a cell of its own, and start_at still means the same cell."""
    odd = "a 'quoted' \"text\"\nwith\\n lines \u2028 and \U0001f600; import os"
    notebook = notebook_of("word = 'default'", "skipped = 1", "print(repr(word))", tags={0: ["parameters"]})
    run = make(notebook, parameters={"word": odd}, start_at=2)
    assert run.run() == 0
    out = run.out
    assert out.cells[1].metadata["tags"] == ["injected-parameters"]
    assert text_of(out.cells[3]).strip() == repr(odd)
    assert run.states() == ["", "done", "", "done"]


def test_a_failing_cell_ends_the_run_and_is_named(make: Make) -> None:
    """The traceback is in the notebook and in error.json, later cells are marked as not run."""
    run = make(
        notebook_of("print('fine')", "def f():\n    raise ValueError('no luck')\nf()", "print('never')")
    )
    assert run.run() == 1
    assert run.states() == ["done", "failed", "not run"]
    assert text_of(run.out.cells[1]) == "ValueError: no luck"
    error = run.json("error.json")
    assert (error["type"], error["message"], error["cell"]) == ("ValueError", "no luck", "2/3")
    assert "raise ValueError" in error["traceback"]
    assert run.json("outcome.json")["sentence"] == "Cell 2/3 failed: ValueError: no luck"


def test_tags_that_allow_errors_and_leave_cells_out_are_respected(make: Make) -> None:
    """`raises-exception` lets the rest go on, `skip-execution` leaves a cell out."""
    run = make(
        notebook_of(
            "1 / 0",
            "open('made', 'w')",
            "print('last')",
            tags={0: ["raises-exception"], 1: ["skip-execution"]},
        )
    )
    assert run.run() == 0
    assert run.states() == ["done", "skipped", "done"]
    assert not (run.directory / "made").exists()


def test_outputs_are_on_disk_while_their_cell_runs(make: Make) -> None:
    """What a cell prints can be read in the notebook long before it ends."""
    run = make(notebook_of("import time\nprint('now', flush=True)\ntime.sleep(600)"))
    run.start()
    run.wait_for_output("now", 0)
    assert run.states() == ["running"]


def test_the_warning_stops_the_cell_and_nothing_is_lost(make: Make) -> None:
    """Every line up to the interrupt is kept, and the cell, the notebook and the outcome say why it ended."""
    run = make(notebook_of("import time", _TICKS, "print('never')"))
    run.start()
    run.wait_for_output("tick 9", 1)
    run.tell(signal.SIGUSR1)
    assert run.wait() == 1
    text = text_of(run.out.cells[1])
    ticks = [int(number) for number in re.findall(r"tick (\d+)", text)]
    assert ticks == list(range(len(ticks)))
    assert len(ticks) >= 10
    assert "Stopped by the time limit in cell 2/3." in text
    assert run.states() == ["done", "stopped", "not run"]
    assert run.out.metadata["skiva"]["state"] == "time_limit"
    assert run.json("outcome.json")["how"] == "time_limit"


def test_a_cell_that_swallows_the_interrupt_is_still_stopped_at(make: Make) -> None:
    """A cell that ends kindly at the interrupt was not finished, so no other is begun."""
    ticks = textwrap.indent(_TICKS, "    ")
    run = make(notebook_of(f"try:\n{ticks}\nexcept KeyboardInterrupt:\n    print('bye')", "print('never')"))
    run.start()
    run.wait_for_output("tick 1", 0)
    run.tell(signal.SIGUSR1)
    assert run.wait() == 1
    assert "bye" in text_of(run.out.cells[0])
    assert run.states() == ["stopped", "not run"]


def test_the_end_is_stamped_before_it_comes(make: Make) -> None:
    """Told to end, the run saves what there is before it is killed, and says that it was cancelled."""
    run = make(notebook_of(_TICKS, "print('never')"))
    run.start()
    run.wait_for_output("tick 5", 0)
    place = _place_of(_kernel_of(run))
    (run.directory / "cancel.json").write_text("{}")
    run.tell(signal.SIGTERM)
    run.wait_for_output("Cancelled in cell 1/2.", 0, work._GRACE)
    assert run.wait() == 143
    assert not place.exists()
    assert run.states() == ["cancelled", "not run"]
    assert run.json("outcome.json")["how"] == "cancelled"


def test_a_killed_kernel_is_told_with_its_cell(make: Make) -> None:
    """What was printed before is kept, the cell and the signal are named, and the status is not zero."""
    run = make(notebook_of("print('kept')", _TICKS, "print('never')"))
    run.start()
    run.wait_for_output("tick 3", 1)
    os.kill(_kernel_of(run), signal.SIGKILL)
    assert run.wait() == 1
    assert run.states() == ["done", "kernel died", "not run"]
    assert "tick 3" in text_of(run.out.cells[1])
    assert run.json("outcome.json") == {
        "how": "killed",
        "exit": 1,
        "sentence": "The kernel was ended by the signal SIGKILL in cell 2/3.",
    }
    assert run.json("error.json")["cell"] == "2/3"


def test_a_run_goes_on_at_its_unfinished_cell(make: Make) -> None:
    """After the limit finished cells are not run again, their variables and outputs are there."""
    notebook = notebook_of(
        "with open('effects', 'a') as file:\n    file.write('one ')\n"
        "seen = []\ndef count():\n    return len(seen)",
        "import threading, time\nlock = threading.Lock()",
        "print('lock' in dir(), count())\nwhile len(seen) < 30:\n    seen.append(len(seen))\n"
        "    print('did', seen[-1])\n    time.sleep(0.1)",
        "print('seen', count(), seen == list(range(30)))",
    )
    run = make(notebook, resume=True, restarts=2)
    run.start()
    run.wait_for_output("did 5", 2)
    run.tell(signal.SIGUSR1)
    assert run.wait() == 75
    assert run.states() == ["done", "done", "stopped", "waiting"]
    lost = json.loads((run.directory / "saved/variables.json").read_text())["lost"]
    assert [entry["name"] for entry in lost] == ["lock"]
    assert "lock: it holds a lock" in text_of(run.out.cells[2])
    assert run.run(restarts=1) == 0
    text = text_of(run.out.cells[2])
    assert [int(n) for n in re.findall(r"did (\d+)", text)] == list(range(30))
    assert "KeyboardInterrupt" not in text
    assert "continued after the time limit (restart 1)" in text
    assert re.search(r"did 5\n.*continued.*\nFalse \d+\n", text, re.DOTALL)
    assert text_of(run.out.cells[3]) == "seen 30 True\n"
    assert (run.directory / "effects").read_text() == "one "
    assert run.states() == ["done"] * 4


def test_what_was_saved_outlives_a_lost_job_and_an_early_warning(make: Make) -> None:
    """A job that is warned before it has read the variables keeps them; one that is lost loses no more."""
    loop = "while len(seen) < 40:\n    print('did', len(seen))\n    seen.append(0)\n    time.sleep(0.1)"
    first = "import time\nopen('effects', 'a').write('x')\nseen = []"
    setting = "open('prepared', 'a').write('x')"
    run = make(
        notebook_of(first, setting, loop, "print(seen == [0] * 40)", tags={1: ["setup"]}),
        resume=True,
        restarts=9,
    )
    run.start()
    run.wait_for_output("did 5", 2)
    run.tell(signal.SIGUSR1)
    assert run.wait() == 75
    run.start(restarts=1)
    _kernel_of(run)
    run.tell(signal.SIGUSR1)
    assert run.wait() == 75
    run.start(restarts=2)
    run.wait_for_output("did 20", 2)
    run.end()
    assert run.run(restarts=3) == 0
    out = run.out
    assert text_of(out.cells[3]) == "True\n"
    assert "begun again after its job was lost (restart 3)" in text_of(out.cells[2])
    assert (run.directory / "effects").read_text() == "x"
    assert len((run.directory / "prepared").read_text()) in {3, 4}


def test_a_runaway_print_is_bounded_in_the_notebook_alone(make: Make) -> None:
    """Of 40 MB the notebook keeps the beginning and the end and says so; the log has every line."""
    run = make(notebook_of("for number in range(400_000):\n    print(f'{number:099}')"))
    assert run.run() == 0
    text = text_of(run.out.cells[0])
    assert len(text) < 5_000_000
    assert text.startswith(f"{0:099}\n")
    assert text.endswith(f"{399_999:099}\n")
    assert "left out here" in text
    with (run.directory / "log").open() as log:
        assert sum(1 for line in log if len(line) == 100) == 400_000


def test_a_kernel_that_prints_faster_than_it_is_read_loses_no_line(make: Make) -> None:
    """While nobody reads, the kernel waits instead of throwing lines away."""
    printing = (
        "import os, time\nprint('ready', flush=True)\nwhile not os.path.exists('go'):\n    time.sleep(0.01)\n"
        "for number in range(4000):\n    print('line', number, flush=True)\n"
        "    with open('printed', 'w') as file:\n        file.write(str(number))"
    )
    run = make(notebook_of(printing))
    run.start()
    run.wait_for_output("ready", 0)
    run.tell(signal.SIGSTOP)
    (run.directory / "go").touch()

    def stands_still() -> bool:
        before = run.number("printed")
        time.sleep(1)
        return before == run.number("printed") > 500

    wait_until(stands_still, 60, "a kernel that waits for its reader")
    run.tell(signal.SIGCONT)
    assert run.wait() == 0
    assert text_of(run.out.cells[0]) == "ready\n" + "".join(f"line {number}\n" for number in range(4000))


def test_an_unknown_kernel_is_told_in_words(make: Make) -> None:
    """A kernel that is not here is named with those that are."""
    notebook = notebook_of("1")
    notebook.metadata.kernelspec.name = "no-such-kernel"
    run = make(notebook)
    assert run.run() == 1
    sentence = run.json("outcome.json")["sentence"]
    assert sentence.startswith("There is no kernel called 'no-such-kernel' here; there are: ")
    assert run.states() == ["not run"]


def test_a_persons_own_kernel_is_used_and_needs_nothing_of_ours(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kernel of their own runs the notebook, and its variables travel although it has no cloudpickle."""
    program = "import sys; sys.modules['cloudpickle'] = None; from ipykernel.kernelapp import main; main()"
    spec = {"argv": [sys.executable, "-c", program, "-f", "{connection_file}"], "language": "python"}
    kernel = tmp_path / "kernels" / "bare"
    kernel.mkdir(parents=True)
    (kernel / "kernel.json").write_text(json.dumps({**spec, "display_name": "Bare"}))
    monkeypatch.setenv("SKIVA_KERNELS_DIR", str(kernel.parent))
    cells = (
        "import os\ntwice = lambda n: 2 * n\nprint(os.environ['SKIVA_KERNEL'])",
        _TICKS,
        "print(twice(4))",
    )
    notebook = notebook_of(*cells)
    notebook.metadata.kernelspec.name = "bare"
    run = make(notebook, resume=True, restarts=2)
    run.start()
    run.wait_for_output("tick 2", 1)
    run.tell(signal.SIGUSR1)
    assert run.wait() == 75
    changed = run.out
    changed.cells[1].source = "print('short')"
    nbformat.write(changed, run.directory / "out.ipynb")
    assert run.run(restarts=1) == 0
    assert text_of(run.out.cells[0]) == "bare\n"
    assert text_of(run.out.cells[2]) == "8\n"


def test_code_in_a_notebook_knows_its_run(make: Make) -> None:
    """The run's name, its directory and how often it has begun are there for the asking."""
    run = make(notebook_of("import skiva\nrun = skiva.this_run()\nprint(run.id, run.name, run.restarts)"))
    starts = [{"event": "started"}, {"event": "requeued"}, {"event": "started"}]
    (run.directory / "state.jsonl").write_text("".join(json.dumps(one) + "\n" for one in starts))
    assert run.run() == 0
    assert text_of(run.out.cells[0]) == f"{run.directory.name} a notebook 1\n"


def test_nothing_of_the_kernel_is_left(make: Make) -> None:
    """Its private directory and its process are gone after the run."""
    run = make(notebook_of(_TICKS))
    run.start()
    run.wait_for_output("tick 1", 0)
    kernel = _kernel_of(run)
    place = _place_of(kernel)
    assert place.stat().st_mode & 0o777 == 0o700
    run.tell(signal.SIGUSR1)
    assert run.wait() == 1
    assert not Path(f"/proc/{kernel}").exists()
    assert not place.exists()
