"""Stays with a cell's run until it ends, while the kernel does other things, and then binds its variables."""

import asyncio
from contextlib import suppress
from typing import Any

from skiva.runs.bind import Baseline, bring_back
from skiva.runs.files import read_json
from skiva.runs.look import look
from skiva.runs.paths import RunDir
from skiva.runs.queue import Queue
from skiva.runs.run import Run
from skiva.runs.status import Status

__all__ = ["follow", "show"]

_SHORTEST, _LONGEST = 0.2, 3.0
"""Seconds between two looks at a run's files."""
_ASK_EVERY = 20.0
"""Seconds after which Slurm may be asked where no server tells."""
_following: dict[str, asyncio.Task[None]] = {}


def show(run: Run) -> Any:
    """The run's card; what updates the text that stands for it outside JupyterLab."""
    from IPython.display import display

    return display(run, display_id=True)


def follow(run: Run, handle: Any, shell: Any, baseline: Baseline, *, at_once: bool) -> None:
    """Bring the variables back when the run ends; `at_once` where it may have ended already."""
    if at_once and run.status.over:
        _bring(run, shell, baseline)
        return
    try:
        loop = asyncio.get_running_loop()
    except RuntimeError:
        print(f"When it has ended, skiva.run({run.id!r}).bind() brings its variables here.")
        return
    if known := _following.pop(run.id, None):
        known.cancel()
    task = loop.create_task(_until_end(run, handle, shell, baseline))
    _following[run.id] = task


async def _until_end(run: Run, handle: Any, shell: Any, baseline: Baseline) -> None:
    shown, pause, waited = run.status.state, _SHORTEST, 0.0
    queue = Queue()
    while await asyncio.to_thread(run.directory.exists):  # a run can be removed
        try:
            status = await asyncio.to_thread(_look, run, queue, ask=waited >= _ASK_EVERY)
        except OSError:  # the disk is away for a while
            await asyncio.sleep(_LONGEST)
            continue
        waited = 0.0 if waited >= _ASK_EVERY else waited + pause
        if status.state != shown and handle is not None:
            shown = status.state
            with suppress(Exception):  # the text is a help, no more
                handle.update(run)
        if status.over:
            _bring(run, shell, baseline)
            break
        await asyncio.sleep(pause)
        pause = min(_LONGEST, pause * 1.05)
    _following.pop(run.id, None)


def _look(run: Run, queue: Queue, *, ask: bool) -> Status:
    """How it is by its files and what the server was told; Slurm itself is asked seldom."""
    if ask:
        return run.status
    return look(RunDir(run.directory), run.spec, queue.told())


def _bring(run: Run, shell: Any, baseline: Baseline) -> None:
    status = run.status
    if status.state != "completed":
        print(f"Run {run.id}: {status.sentence} {status.action}".rstrip())
        return
    _show_outputs(run)
    namespace = shell.user_ns
    brought = bring_back(run.directory, namespace, lambda name: baseline.is_as_it_was(name, namespace))
    if brought.names:
        print(f"Bound here: {', '.join(brought.names)}.")
    if brought.left:
        changed = ", ".join(brought.left)
        print(
            f"Changed here since the cell was sent off, and so left alone: {changed}. "
            f"skiva.run({run.id!r}).bind() puts in what the run has."
        )
    for sentence in brought.sentences:
        print(sentence)


def _show_outputs(run: Run) -> None:
    """What the cell showed belongs to the notebook; its text is in the log."""
    from IPython.display import publish_display_data

    told = read_json(run.directory / "outputs.json") or {}
    for output in told.get("outputs", ()):
        data = output.get("data")
        if isinstance(data, dict) and data:
            publish_display_data(data, output.get("metadata") or {})
