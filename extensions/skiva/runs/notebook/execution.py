"""One job's work on a notebook, from the kernel's start to the end of either."""

import asyncio
import time
import traceback
from contextlib import suppress
from pathlib import Path
from typing import Any

from nbclient.exceptions import CellExecutionError, DeadKernelError

from skiva.runs.ending import out_of_memory
from skiva.runs.files import write_json
from skiva.runs.notebook.client import Client
from skiva.runs.notebook.delivery import deliver
from skiva.runs.notebook.document import Document, now
from skiva.runs.notebook.ends import End, Teller, death_in_words
from skiva.runs.notebook.keeping import Variables
from skiva.runs.notebook.kernel import (
    WAIT_FOR_READER,
    CannotStart,
    death_of,
    kernel_name,
    kill,
    running_kernel,
)
from skiva.runs.notebook.outputs import note
from skiva.runs.notebook.plan import SKIP, Plan
from skiva.runs.notebook.saved import KernelDoesNotAnswer, reply_to
from skiva.runs.notebook.signals import Signals
from skiva.runs.paths import RunDir
from skiva.runs.requeue import GO_ON
from skiva.runs.spec import Spec
from skiva.runs.this_run import PLACE

__all__ = ["Execution"]

_TERMINATED = 128 + 15
_AGAIN = 5.0
"""Seconds between two interrupts of a cell that goes on all the same."""
_LEAVE, _SAVE = 0.4, 0.65
"""Of the time between warning and end: when a cell must have given way, and when all must be saved."""
_LIMIT = "Stopped by the time limit"


class Execution:
    """Runs a plan's cells, listens to Slurm meanwhile, and says how it ended."""

    def __init__(self, run: RunDir, spec: Spec, plan: Plan, signals: Signals, restarts: int) -> None:
        self._run, self._spec, self._plan, self._signals = run, spec, plan, signals
        self._restarts = restarts
        self._goes_on = spec.resume and restarts < spec.restarts
        self._document = Document(run.output, plan.notebook)
        self._teller = Teller(run, self._document, plan)
        self._client = Client(self._document, None)
        self._variables = Variables(plan, run.saved, self._client)
        self._cell: int | None = None
        self._running: asyncio.Task[Any] | None = None
        self._interrupted = self._gave_up = False

    @property
    def _km(self) -> Any:
        return self._client.km

    async def until_end(self) -> int:
        """Do all of it; the exit status."""
        self._begin()
        with self._signals.heard() as changed:
            saving = asyncio.create_task(self._document.keep_saving())
            work = asyncio.create_task(self._work())
            listening = asyncio.create_task(self._listen(changed))
            await asyncio.wait({work, listening}, return_when=asyncio.FIRST_COMPLETED)
            end = self._cut_off() if self._signals.told_to_end else await self._result(work)
            for task in (listening, saving, work):
                task.cancel()
            await asyncio.wait({work, saving, listening}, timeout=2)
        return self._conclude(end)

    async def _result(self, work: "asyncio.Task[End]") -> End:
        try:
            return await work
        except Exception as problem:  # noqa: BLE001 - what it did so far must not be lost to a mistake of ours
            self._client.tell(traceback.format_exc())
            words = f"It could not be run to its end: {type(problem).__name__}: {problem}"
            return self._stamped(End("failed", 1, words))

    def _stamped(self, end: End, more: str = "") -> End:
        self._teller.stamp(end, more)
        return end

    def _begin(self) -> None:
        facts = {"run": self._run.id, "restarts": self._restarts, "started": now()}
        self._document.say(**facts, state="running", sentence="", ended=None, cell=None)
        for index in self._plan.cells:
            self._document.mark(index, "waiting")

    def _conclude(self, end: End) -> int:
        with suppress(Exception):
            self._client.set_widgets_metadata()
        try:
            if not self._signals.told_to_end:
                self._document.finish()
        except OSError as problem:
            end = End("failed", 1, f"{self._run.output} could not be written: {problem.strerror}.")
        self._client.tell(f"[{end.sentence}]")
        if end.how in {"requeued", "interrupted"}:
            return end.status
        if end.status:
            self._teller.outcome(end)
        if output := self._spec.source.get("output"):
            self._client.tell(f"skiva: {deliver(self._run.output, str(output))}")
        return end.status

    async def _listen(self, changed: asyncio.Event) -> None:
        """Returns when the job has been told to end."""
        while not self._signals.told_to_end:
            await changed.wait()
            changed.clear()
            if self._signals.warned is not None and self._running is not None and not self._interrupted:
                self._interrupted = True
                self._interrupting = asyncio.create_task(self._interrupt(self._running))

    async def _interrupt(self, running: asyncio.Task[Any]) -> None:
        """Ask the cell to stop, a few times; where the run may go on, it must."""
        for _ in range(3):
            with suppress(Exception):
                await self._km.interrupt_kernel()
            patience = min(_AGAIN, self._left(_LEAVE)) if self._spec.restarts else _AGAIN
            done, _ = await asyncio.wait({running}, timeout=patience)
            if done:
                return
        if self._spec.restarts:
            await asyncio.wait({running}, timeout=self._left(_LEAVE))
            self._gave_up = not running.done()
            running.cancel()

    def _left(self, share: float) -> float:
        """Seconds until this share of the time between the warning and the end is over."""
        warning = min(self._spec.warn_seconds, self._spec.hours * 1800)
        begun = self._signals.warned or time.monotonic()
        return max(0.5, begun + warning * share - time.monotonic())

    def _cut_off(self) -> End:
        """What there is, is on disk in a moment: nobody waits for more."""
        if self._run.cancel.exists():
            how, words = "cancelled", "Cancelled"
        elif self._signals.warned is not None:
            how, words = "time_limit", _LIMIT
        else:
            how, words = "cancelled", "Ended by Slurm: it was cancelled, or gave way to other jobs"
        index = self._cell
        at = f" in cell {self._plan.number(index)}" if index is not None else ""
        end = End(how, _TERMINATED, f"{words}{at}.", index, "cancelled" if how == "cancelled" else "stopped")
        self._teller.stamp(end)
        with suppress(OSError):
            self._document.save_now()
        kill(self._km)
        # What Slurm may start again, or knows better, is for others to say.
        final = self._run.cancel.exists() or (how == "time_limit" and self._restarts >= self._spec.restarts)
        return end if final else End("interrupted", end.status, end.sentence)

    async def _work(self) -> End:
        name = kernel_name(self._plan.notebook, self._spec.environment.get("kernel", ""))
        try:
            told = {PLACE: str(self._run.path)}
            async with running_kernel(name, Path.cwd(), told) as (manager, client):
                self._client.km, self._client.kc = manager, client
                return await self._cells()
        except CannotStart as problem:
            return self._stamped(End("failed", 1, str(problem)))

    async def _cells(self) -> End:
        await self._prepare()
        if self._restarts and not self._plan.goes_on:
            self._client.tell("skiva: an earlier job saved nothing, so it begins with the first cell again")
        for index in self._plan.cells:
            if self._signals.warned is not None:
                return await self._limit(index)
            if problem := await self._variables.load_before(index):
                return self._stamped(End("failed", 1, problem))
            if end := await self._one(index):
                return end
        self._note_progress(len(self._plan.code), "")
        return self._stamped(End("completed", 0, "Completed."))

    async def _prepare(self) -> None:
        kernel: Any = self._client.kc
        with suppress(Exception):
            reply = await kernel.kernel_info(reply=True, timeout=10)
            self._plan.notebook.metadata["language_info"] = reply["content"]["language_info"]
            if reply["content"]["implementation"] == "ipython":
                message = kernel.execute(WAIT_FOR_READER, silent=True, store_history=False)
                await reply_to(kernel, self._km, message, 10)

    async def _one(self, index: int) -> End | None:
        """Run one cell; an end, if that is one."""
        cell = self._plan.notebook.cells[index]
        if SKIP in cell.metadata.get("tags", ()):
            self._document.mark(index, "skipped")
            return None
        number = self._plan.number(index)
        self._client.begin(index, self._earlier(index))
        self._document.mark(index, "running", started=now(), ended=None)
        self._client.tell(f"[cell {number}]")
        first_line = cell.source.strip().splitlines()[0][:80]
        self._note_progress(self._plan.code.index(index), f"cell {number}: {first_line}")
        self._cell, self._interrupted = index, False
        self._running = asyncio.create_task(self._client.async_execute_cell(cell, index))
        try:
            await self._running
        except CellExecutionError as error:
            if not self._interrupted:
                return self._stamped(self._teller.error(error, index))
        except (DeadKernelError, asyncio.CancelledError):
            if not self._gave_up:
                return await self._died(index)
        finally:
            self._running = None
            self._document.touch(index)
        if self._interrupted:
            return await self._limit(index)
        self._document.mark(index, "done", ended=now())
        self._cell = None
        if self._spec.resume and self._plan.cells[-1] != index:
            await self._variables.save_sometimes(self._plan.after(index))
        return None

    def _earlier(self, index: int) -> list[Any]:
        """The outputs of the job that was stopped in this cell."""
        if not self._plan.goes_on or index != self._plan.first:
            return []
        line = f"Skiva, {now()}: {self._plan.goes_on} (restart {self._restarts})"
        return [*self._plan.notebook.cells[index].outputs, note(line, "continued")]

    async def _died(self, index: int) -> End:
        for _ in range(20):  # the same hand may have ended both, and us a moment later
            if self._signals.told_to_end:
                raise asyncio.CancelledError
            await asyncio.sleep(0.05)
        status = await death_of(self._km)
        how, words = death_in_words(status, out_of_memory=out_of_memory())
        return self._stamped(self._teller.death(how, words, index))

    async def _limit(self, index: int) -> End:
        """The time is over at this cell."""
        number = self._plan.number(index)
        where = f"in cell {number}" if self._interrupted else f"before cell {number}"
        if self._gave_up:
            where += ", which did not let itself be interrupted"
        end = End("time_limit", 1, f"{_LIMIT} {where}.", index, "stopped")
        more = ""
        if self._goes_on and not self._gave_up:
            end, more = await self._put_aside(index, where)
        return self._stamped(end, more)

    async def _put_aside(self, index: int, where: str) -> tuple[End, str]:
        """Save what the next job needs; the end as it then is, and what was lost."""
        self._client.tell("skiva: the time limit is near; saving the variables")
        try:
            lost = await self._variables.save(index, self._left(_SAVE))
        except (KernelDoesNotAnswer, OSError) as problem:
            sentence = f"{_LIMIT} {where}; its variables could not be saved: {problem}."
            return End("time_limit", 1, sentence, index, "stopped"), ""
        self._document.drop_interruption(index)
        if lost:
            self._client.tell(f"skiva: {lost}")
        sentence = f"Interrupted by the time limit {where}; it goes on there in another job."
        return End("requeued", GO_ON, sentence, index, "stopped"), lost

    def _note_progress(self, done: int, text: str) -> None:
        values = {
            "at": time.time(),
            "done": done,
            "total": len(self._plan.code),
            "text": text,
            "unit": "cells",
        }
        with suppress(OSError):
            write_json(self._run.progress, values, sync=False)
