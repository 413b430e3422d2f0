"""Work in threads that a server which is told to end does not wait for, unlike those of a pool."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

__all__ = ["in_thread"]

_Answer = TypeVar("_Answer")


def in_thread(work: Callable[[], _Answer]) -> "asyncio.Future[_Answer]":
    """What `work` returns or raises. Whoever stops waiting does not stop it."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[_Answer] = loop.create_future()
    # What fails when nobody waits any more is no news for the log of the server.
    future.add_done_callback(lambda done: done.cancelled() or done.exception())

    def settle(answer: Any, problem: BaseException | None) -> None:
        if future.done():
            return
        if problem is None:
            future.set_result(answer)
        else:
            future.set_exception(problem)

    def run() -> None:
        answer, problem = None, None
        try:
            answer = work()
        except Exception as error:  # noqa: BLE001 - it is raised where it is waited for
            problem = error
        with suppress(RuntimeError):  # the server has ended meanwhile
            loop.call_soon_threadsafe(settle, answer, problem)

    threading.Thread(target=run, name="skiva-runs", daemon=True).start()
    return future
