"""The part of a job that runs the user's code, in a child of its own."""

import inspect
import pickle
import sys
import traceback
from collections.abc import Callable
from typing import Any

from skiva.runs.files import write_json, write_whole
from skiva.runs.paths import RunDir
from skiva.runs.spec import Spec

__all__ = ["keep_error", "keep_result", "run_user_code"]


def run_user_code(run: RunDir, place: RunDir, spec: Spec, task: int | None) -> int:
    """Run it and keep what it returns or raises; the exit status."""
    from skiva.runs.this_run import enter

    enter(run, place, spec, task)
    match spec.kind:
        case "command":
            from skiva.runs.programs import run_program

            return run_program(run, spec, task)
        case "notebook":
            from skiva.runs.notebook.runner import main as run_notebook

            return int(run_notebook(run.path, spec))
        case "cell":
            from skiva.runs.cell import keep_variables, run_cell

            return _guarded(place, lambda: run_cell(run), keep_variables)
        case _:
            return _guarded(place, lambda: _call(run, task))


def _call(run: RunDir, task: int | None) -> Any:
    function, arguments, named = pickle.loads(run.call.read_bytes())  # noqa: S301 - the person's own
    if task is not None:
        arguments = (pickle.loads(pickle.loads(run.items.read_bytes())[task]), *arguments)  # noqa: S301
    value = function(*arguments, **named)
    if inspect.iscoroutine(value):
        import asyncio

        return asyncio.run(value)
    return value


def _guarded(
    place: RunDir, work: Callable[[], Any], keep: Callable[[RunDir, Any], None] | None = None
) -> int:
    from skiva.runs.checkpoint import Warned
    from skiva.runs.requeue import GO_ON

    try:
        (keep or keep_result)(place, work())
    except Warned:
        return GO_ON
    except SystemExit as wish:
        if wish.code in {0, None}:
            keep_result(place, None)
            return 0
        keep_error(place, wish)
        return wish.code if isinstance(wish.code, int) and 0 < wish.code < 256 else 1
    except BaseException as error:  # noqa: BLE001 - whatever it is, its owner is told
        keep_error(place, error)
        return 1
    return 0


def keep_result(place: RunDir, value: Any) -> None:
    """Write down what a run has computed.

    Raises:
        TypeError: it cannot be taken to another process; says why.
    """
    from skiva.runs.travel import Stays, packed

    try:
        content = packed("the result", value, "back from the job")
    except Stays as stays:
        raise TypeError(str(stays)) from None
    write_whole(place.result, content)


def keep_error(place: RunDir, error: BaseException) -> None:
    """Write down what ended a run, for people and for whoever asks for the result; the log has it too."""
    lines = "".join(traceback.format_exception(type(error), error, _from_user_code(error)))
    print(lines, file=sys.stderr, flush=True)
    write_json(
        place.error,
        {
            "type": type(error).__name__,
            "message": str(error)[:10_000],
            "traceback": lines[-100_000:],
            "pickle": _pickled(error),
        },
    )


def _from_user_code(error: BaseException) -> Any:
    """The traceback without our own frames, which would only be in the way."""
    trace = error.__traceback__
    while trace and trace.tb_frame.f_globals.get("__package__") == "skiva.runs":
        trace = trace.tb_next
    return trace


def _pickled(error: BaseException) -> str:
    """The exception itself, if it can travel; its class may be one that only the job knows."""
    import base64

    from skiva.runs.travel import Stays, packed

    try:
        content = packed("the exception", error.with_traceback(None))
    except Stays:
        return ""
    return base64.b64encode(content).decode() if len(content) < 1_000_000 else ""
