"""Notebooks as runs on a real Slurm: the time limit, going on after it, and every other end."""

import os
import pwd
import re
import signal
from collections.abc import Mapping
from pathlib import Path

import nbformat
import pytest
from nbformat import NotebookNode
from tests.support.notebook_person import TICKS, USER, Limited, Person
from tests.support.notebook_runs import notebook_of, text_of
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.slurm, pytest.mark.skipif(os.geteuid() != 0, reason="acts as another account")]


def _out(run: Path) -> NotebookNode:
    return NotebookNode(nbformat.read(run / "out.ipynb", as_version=4))


def _wait_for_output(run: Path, text: str, cell: int) -> str:
    def there() -> str:
        return text_of(_out(run).cells[cell]) if (run / "out.ipynb").exists() else ""

    wait_until(lambda: text in there(), 90, f"{text!r} in {run.name}")
    return there()


def _states(run: Path) -> list[str]:
    return [cell.metadata["skiva"]["state"] for cell in _out(run).cells]


def test_time_limits_lose_nothing_and_are_told(person: Person, limited: Mapping[str, Limited]) -> None:
    """A cell over its limit keeps every line, also one that resists; one that may goes on in another job."""
    plain, stubborn, again = (limited[name].run for name in ("plain", "stubborn", "again"))
    assert limited["plain"].end.result() == {
        "state": "time_limit",
        "sentence": "Stopped by the time limit in cell 2/3.",
        "restarts": 0,
    }
    ticks = re.findall(r"tick \d+", text_of(_out(plain).cells[1]))
    assert ticks == (person.place / "ticks 1").read_text().splitlines()
    assert len(ticks) > 5
    assert _states(plain) == ["done", "stopped", "not run"]
    assert "\n".join(ticks) in (plain / "log").read_text()

    end = limited["again"].end.result()
    assert (end["state"], end["restarts"] >= 1) == ("completed", True), end
    text = text_of(_out(again).cells[1])
    assert [int(number) for number in re.findall(r"did (\d+)", text)] == list(range(62))
    assert "continued after the time limit (restart 1)" in text
    assert "opened: an open file" in text
    assert text_of(_out(again).cells[2]) == "62\n"
    assert (person.place / "effects").read_text() == "once "

    assert limited["stubborn"].end.result()["state"] == "time_limit"
    text = text_of(_out(stubborn).cells[0])
    assert text.count("not me") >= 1
    assert "Stopped by the time limit in cell 1/1." in text


def test_every_other_end_is_told_as_it_was(person: Person) -> None:
    """A killed kernel, a killed runner, a cancelled run: each keeps what it printed, and has its words."""
    waiting = notebook_of("import os\nprint('pid', os.getpid())", TICKS.format(2), "print('never')")
    kernel = person.submit(waiting, "hours=0.1, name='kernel'")
    runner = person.submit(waiting, "hours=0.1, name='runner'")
    cancelled = person.submit(waiting, "hours=0.1, name='cancelled'")
    hungry = person.submit(notebook_of("print('begun')", "x = b'x' * 3_000_000_000"), "hours=0.1")
    for run in (kernel, runner, cancelled):
        _wait_for_output(run, "tick 2", 1)
    pid = int(text_of(_out(kernel).cells[0]).split()[1])
    os.kill(pid, signal.SIGKILL)
    mine = int(text_of(_out(runner).cells[0]).split()[1])
    parent = int(Path(f"/proc/{mine}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(parent, signal.SIGKILL)
    person.run(f"skiva.run({cancelled.name!r}).cancel()\nprint(1)")

    assert person.end_of(kernel) == {
        "state": "killed",
        "sentence": "The kernel was ended by the signal SIGKILL in cell 2/3.",
        "restarts": 0,
    }
    assert _states(kernel) == ["done", "kernel died", "not run"]
    assert "tick 2" in text_of(_out(kernel).cells[1])

    assert person.end_of(hungry)["state"] == "out_of_memory"
    assert _states(hungry) == ["done", "kernel died"]

    assert person.end_of(runner)["state"] == "killed"
    assert "tick 2" in text_of(_out(runner).cells[1])
    wait_until(lambda: not Path(f"/proc/{mine}").exists(), 30, "the end of the runner's kernel")

    assert person.end_of(cancelled)["state"] == "cancelled"
    assert _states(cancelled) == ["done", "cancelled", "not run"]
    assert "Cancelled in cell 2/3." in text_of(_out(cancelled).cells[1])


def test_odd_paths_parameters_and_edits_after_submission(person: Person) -> None:
    """The content is the one that was sent, whatever its path is called and whatever becomes of the file."""
    name = "-rf 'a' \"b\"\n$(x) é.ipynb"
    notebook = notebook_of(
        "word = 1", "print(word)", "open('made here', 'w').close()", tags={0: ["parameters"]}
    )
    output = person.place / "the result.ipynb"
    options = f"{{'word': '\\n$HOME \"'}}, output={str(output)!r}, hours=0.1"
    run = person.submit(notebook, options, name)
    (person.place / name).write_text("changed")
    assert person.end_of(run) == {"state": "completed", "sentence": "Completed.", "restarts": 0}
    assert text_of(_out(run).cells[2]) == '\n$HOME "\n'
    assert (person.place / "made here").exists()
    assert output.read_bytes() == (run / "out.ipynb").read_bytes()
    assert output.stat().st_uid == pwd.getpwnam(USER).pw_uid
    words = person.run(
        "try:\n    skiva.submit_notebook('the result.ipynb', {'speed': 1})\n"
        "except skiva.BadWish as refusal:\n    print(json.dumps(str(refusal)))"
    )
    assert words == "parameters: the notebook has none called speed; its parameters cell assigns word"


def test_the_rest_of_a_notebook_goes_on_with_the_kernels_variables(person: Person) -> None:
    """What the rest reads travels, what it shares too, and what cannot is named before anything is sent."""
    content = notebook_of("made = []", "print(pair[0] is pair[1], total(2))", "print(base)")
    draft = person.run(
        "from pathlib import Path\nfrom skiva.runs.notebook.drafts import write_draft\n"
        f"content = json.loads({nbformat.writes(content)!r})\n"
        "print(json.dumps(write_draft(Path(os.environ['SKIVA_RUNS']), 'a.ipynb', content)))"
    )
    setting = "import threading\nbase, shared = 40, [1]\npair = [shared, shared]\n"
    setting += "def total(n):\n    return base + n\n"
    words = person.run(
        f"{setting}base = threading.Lock()\ntry:\n    skiva.submit_rest({draft!r}, 1)\n"
        "except skiva.Stays as refusal:\n    print(json.dumps(str(refusal)))"
    )
    assert "cannot travel to the job:\n  base: it holds a lock" in words
    sending = f"[skiva.submit_rest({draft!r}, 1, hours=0.1).id for _ in 'ab']"
    made, same = person.run(f"{setting}print(json.dumps({sending}))")
    assert made == same
    run = person.place / "runs" / made
    assert person.end_of(run)["state"] == "completed"
    out = _out(run)
    assert [text_of(cell) for cell in out.cells] == ["", "True 42\n", "40\n"]
