"""The variables of a run's kernel, on their way to another job."""

import time
from contextlib import suppress
from pathlib import Path
from queue import Empty
from typing import Any

from skiva.runs.files import read_json
from skiva.runs.notebook import keeper

__all__ = [
    "KernelDoesNotAnswer",
    "Lost",
    "load_variables",
    "lost_in_words",
    "reply_to",
    "save_variables",
    "saved_cell",
]

_AFTER = 3.0
"""Seconds for a kernel to finish what it was told to leave."""

Lost = list[tuple[str, str]]
"""Names of variables, with the reason why each is not there any more."""


class KernelDoesNotAnswer(Exception):
    """A request of ours was not carried out in the kernel; says why."""


def lost_in_words(lost: Lost) -> str:
    """For people; empty where nothing was lost."""
    return "\n".join(f"  {name}: {reason}" for name, reason in lost)


def saved_cell(path: Path) -> int | None:
    """The index of the cell at which to go on; None where nothing was saved."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        return int(keeper.index_of(path)["cell"])
    return None


async def save_variables(client: Any, manager: Any, path: Path, cell: int, seconds: float) -> Lost:
    """Have the kernel write its variables, within the time; those that it could not.

    Raises:
        KernelDoesNotAnswer: nothing was saved.
    """
    facts = {"cell": cell, "saved": time.time()}
    request = {"do": "save", "path": str(path), "seconds": max(1.0, seconds - 2 * _AFTER), "facts": facts}
    return await _ask(client, manager, request, path.with_name("variables.json"), seconds - _AFTER)


async def load_variables(client: Any, manager: Any, path: Path, answer: Path) -> Lost:
    """Have the kernel read them; those that it could not.

    Raises:
        KernelDoesNotAnswer: it died of it, or nothing can be read at all.
    """
    return await _ask(client, manager, {"do": "load", "path": str(path)}, answer, None)


async def _ask(
    client: Any, manager: Any, request: dict[str, Any], answer: Path, seconds: float | None
) -> Lost:
    """Carry out a request of `keeper` in the kernel, unseen by the notebook."""
    message = client.execute(_code(request, answer), silent=True, store_history=False, allow_stdin=False)
    content = await reply_to(client, manager, message, seconds)
    if content["status"] != "ok":
        raise KernelDoesNotAnswer(f"{content.get('ename', 'Error')}: {content.get('evalue', '')}")
    told = read_json(answer) or {}
    return [(entry["name"], entry["reason"]) for entry in told.get("lost", ())]


def _code(request: dict[str, Any], answer: Path) -> str:
    import cloudpickle

    answer.parent.mkdir(mode=0o700, exist_ok=True)
    answer.unlink(missing_ok=True)
    request = {**request, "cloudpickle": str(Path(cloudpickle.__file__).parent), "answer": str(answer)}
    # The kernel's environment may know nothing of us, so it gets the text.
    text = Path(keeper.__file__).read_text()
    run = f"compile({text!r}, 'skiva-keeper', 'exec', dont_inherit=True)"
    return f"__import__('builtins').exec({run}, {{'__name__': 'skiva_keeper', 'REQUEST': {request!r}}})"


async def reply_to(client: Any, manager: Any, message: str, seconds: float | None) -> dict[str, Any]:
    """What the kernel answers to a request; after so many seconds it is interrupted.

    Raises:
        KernelDoesNotAnswer: it has died, or does not answer even then.
    """
    end = None if seconds is None else time.monotonic() + seconds
    told = False
    while True:
        with suppress(Empty):
            reply = await client.get_shell_msg(timeout=0.2)
            if reply["parent_header"].get("msg_id") == message:
                return dict(reply["content"])
        if not await manager.is_alive():
            raise KernelDoesNotAnswer("the kernel has died")
        late = 0.0 if end is None else time.monotonic() - end
        if late > _AFTER:
            raise KernelDoesNotAnswer("the kernel did not answer in time")
        if late > 0 and not told:
            told = True
            await manager.interrupt_kernel()
