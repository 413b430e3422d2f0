"""How a notebook's run ended: said in the notebook, in the log, and to whoever asks for the run."""

import signal
from contextlib import suppress
from dataclasses import dataclass

from nbclient.exceptions import CellExecutionError

from skiva.runs.files import write_json
from skiva.runs.notebook.document import Document, now
from skiva.runs.notebook.outputs import note
from skiva.runs.notebook.plan import Plan
from skiva.runs.paths import RunDir

__all__ = ["End", "Teller", "death_in_words"]


@dataclass(frozen=True, slots=True)
class End:
    """One end.

    Attributes:
        how: as in the run's last line of states; `requeued` and `interrupted` where it may go on.
        status: the exit status.
        sentence: for people.
        cell: the index of the cell at which it was; None where that does not matter.
        word: what is said of that cell in its metadata.
    """

    how: str
    status: int
    sentence: str
    cell: int | None = None
    word: str = ""


class Teller:
    """Writes an end down, everywhere it belongs."""

    def __init__(self, run: RunDir, document: Document, plan: Plan) -> None:
        self._run = run
        self._document = document
        self._plan = plan

    def stamp(self, end: End, more: str = "") -> None:
        """Say it in the notebook, which is not written by that."""
        if end.cell is not None:
            self._document.mark(end.cell, end.word, ended=now())
            if end.word != "failed":
                self._add_note(end, more)
        if end.how not in {"completed", "requeued"}:
            for index in self._plan.cells:
                if self._document.state(index) == "waiting":
                    self._document.mark(index, "not run")
        facts = {"state": end.how, "sentence": end.sentence, "ended": now()}
        self._document.say(**facts, cell=end.cell)

    def _add_note(self, end: End, more: str) -> None:
        assert end.cell is not None  # noqa: S101
        words = note(f"Skiva, {now()}: {end.sentence}" + (f"\n{more}" if more else ""), end.how)
        if end.cell in self._document.outputs:
            self._document.outputs[end.cell].add(words)
        else:
            self._document.notebook.cells[end.cell].outputs.append(words)
        self._document.touch(end.cell)

    def outcome(self, end: End) -> None:
        """Leave word for the program that watches over the job."""
        values = {"how": end.how, "exit": end.status, "sentence": end.sentence}
        with suppress(OSError):
            write_json(self._run.outcome, values)

    def error(self, error: CellExecutionError, index: int) -> End:
        """What a failing cell raised."""
        number = self._plan.number(index)
        words = f"{error.ename}: {error.evalue}".strip().splitlines()[0][:300]
        self._keep(error.ename, error.evalue, error.traceback, number)
        return End("failed", 1, f"Cell {number} failed: {words}", index, "failed")

    def death(self, how: str, words: str, index: int) -> End:
        """What ended the kernel."""
        number = self._plan.number(index)
        self._keep("KernelDied", words, "", number)
        return End(how, 1, f"{words} in cell {number}.", index, "kernel died")

    def _keep(self, kind: str, message: str, trace: str, number: str) -> None:
        values = {"type": kind, "message": message[:10_000], "traceback": trace[-100_000:], "cell": number}
        with suppress(OSError):
            write_json(self._run.error, values)


def death_in_words(status: int | None, *, out_of_memory: bool) -> tuple[str, str]:
    """How a kernel's end is called, and what is said of it before the cell is named."""
    if status == -signal.SIGKILL and out_of_memory:
        return "out_of_memory", "The kernel needed more memory than the slice has, and was ended,"
    if status is None or status == 0:
        return "failed", "The kernel ended"
    if status > 0:
        return "failed", f"The kernel ended with exit status {status}"
    name = str(-status)
    with suppress(ValueError):
        name = signal.Signals(-status).name
    return "killed" if status == -signal.SIGKILL else "failed", f"The kernel was ended by the signal {name}"
