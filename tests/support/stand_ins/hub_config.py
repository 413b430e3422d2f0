"""The embedded hub's own configuration, with a hub that can be told to die at an await.

Where the file `armed` is in the hub's directory, the first await of a start that is not yet in the
file `deaths` kills the hub: when it begins to wait (`at`) and when the answer is there (`after`).
"""

import os
import signal
from collections.abc import Callable, Coroutine, Generator
from functools import partial
from pathlib import Path
from typing import Any

_here = Path(os.environ["SKIVA_STATE"])
_own = os.environ["SKIVA_TEST_CONFIG"]
exec(compile(Path(_own).read_bytes(), _own, "exec"), globals())  # noqa: S102 - the product's configuration

_PACKAGES = ("skiva_spawners", "skiva_slurm", "skiva_hub", "jupyterhub")


def _point(place: str) -> None:
    if not (_here / "armed").exists():
        return
    deaths = _here / "deaths"
    known = deaths.read_text().splitlines() if deaths.exists() else []
    if place in known:
        return
    with deaths.open("a") as file:
        file.write(f"{place}\n")
        file.flush()
        os.fsync(file.fileno())
    (_here / "armed").unlink()
    os.kill(os.getpid(), signal.SIGKILL)


def _place(awaited: Any) -> str:
    """Where a coroutine waits: the lines of our packages, the innermost last."""
    found = []
    while awaited is not None:
        frame = getattr(awaited, "cr_frame", None) or getattr(awaited, "gi_frame", None)
        if frame is not None:
            package, _, name = frame.f_code.co_filename.rpartition("site-packages/")[2].partition("/")
            if package in _PACKAGES:
                found.append(f"{name.removesuffix('.py')}:{frame.f_lineno}")
        awaited = getattr(awaited, "cr_await", None) or getattr(awaited, "gi_yieldfrom", None)
    return ">".join(found)


class _Mortal:
    """A coroutine that may die wherever it waits."""

    def __init__(self, coroutine: Coroutine[Any, Any, Any]) -> None:
        self._coroutine = coroutine

    def __await__(self) -> Generator[Any, Any, Any]:
        step: Callable[[], Any] = partial(self._coroutine.send, None)
        while True:
            try:
                waits_for = step()
            except StopIteration as end:
                return end.value
            place = _place(self._coroutine)
            _point(f"at {place}")
            try:
                answer = yield waits_for
            except BaseException as problem:  # noqa: BLE001 - handed on to whom it is for
                step = partial(self._coroutine.throw, problem)
            else:
                _point(f"after {place}")
                step = partial(self._coroutine.send, answer)


def _mortal(owner: Any, name: str) -> None:
    function = getattr(owner, name)

    async def wrapped(*args: Any, **kwargs: Any) -> Any:
        return await _Mortal(function(*args, **kwargs))

    setattr(owner, name, wrapped)


def _make_mortal() -> None:
    from jupyterhub.proxy import Proxy
    from jupyterhub.user import User

    from skiva_spawners import arrival
    from skiva_spawners.acting import Actor
    from skiva_spawners.spawner import SliceSpawner

    _mortal(User, "spawn")
    _mortal(Proxy, "add_user")
    _mortal(SliceSpawner, "start")
    _mortal(arrival, "_submit")
    _mortal(Actor, "_answer")


_make_mortal()
