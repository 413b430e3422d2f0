"""A run as its owner holds it in a notebook."""

import asyncio
import base64
import pickle
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from skiva.runs.files import read_json, read_tail, write_json
from skiva.runs.look import look, read_spec, task_statuses
from skiva.runs.paths import RunDir
from skiva.runs.queue import Queue
from skiva.runs.spec import Spec
from skiva.runs.status import Status

__all__ = ["NotDone", "Run", "RunFailed"]

_SHORTEST, _LONGEST = 0.02, 1.0
"""Seconds between two looks at the files of a run that is waited for."""
_SHARE = 0.05
"""Of the time that it was waited for already, the pause until the next look."""
_WORK = 4.0
"""How many times longer a pause is than a look: a map of thousands is work."""
_LOG_CHUNK = 256 * 1024
_queue = Queue()


class RunFailed(RuntimeError):
    """A run that ended without a result.

    Attributes:
        status: how it ended.
        traceback: of what it raised, where it did; the cause is that exception, if it could travel.
    """

    def __init__(self, message: str, status: Status, traceback: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.traceback = traceback


class NotDone(TimeoutError):
    """The time for waiting is over, and the run goes on."""


class Run:
    """One run: what was asked for, how it is, what came out of it.

    Everything is read from its directory and from Slurm, so any notebook, terminal or server of its owner
    finds it again with `skiva.run(id)`.
    """

    def __init__(self, directory: RunDir, spec: Spec | None = None) -> None:
        self._dir = directory
        self._spec = spec or read_spec(directory)
        self._over: Status | None = None

    @property
    def id(self) -> str:
        """Its name for good, e.g. `261122-k3f9ta2x`."""
        return self._spec.id

    @property
    def name(self) -> str:
        """What its owner called it."""
        return self._spec.name

    @property
    def spec(self) -> Spec:
        """What was asked for."""
        return self._spec

    @property
    def directory(self) -> Path:
        """Where all of it is."""
        return self._dir.path

    @property
    def status(self) -> Status:
        """How it is now."""
        if self._over is None:
            now = look(self._dir, self._spec, None if self._wrote_end() else _queue.reading())
            if not now.over:
                return now
            self._over = now
        return self._over

    def _wrote_end(self) -> bool:
        """Whether the run's own files tell its end, so that nobody need be asked."""
        return self._spec.tasks is None and look(self._dir, self._spec, None).over

    @property
    def progress(self) -> Mapping[str, Any] | None:
        """`done`, `total`, `text` and `unit` as the run told last."""
        return self.status.progress

    @property
    def done(self) -> bool:
        """Whether it is over, well or not."""
        return self.status.over

    # -- waiting ---------------------------------------------------------------------------

    def wait(self, timeout: float | None = None) -> Status:
        """Wait until it is over.

        Raises:
            NotDone: it is not after `timeout` seconds; it goes on.
        """
        begun = looked = time.monotonic()
        while not (now := self.status).over:
            if timeout is not None and time.monotonic() - begun >= timeout:
                raise NotDone(f"{self._title} is not over after {timeout:g} seconds: {now.sentence}")
            time.sleep(_pause(begun, looked))
            looked = time.monotonic()
        return now

    def __await__(self) -> Generator[Any, None, Any]:
        """`await run` gives its result without holding up anything else."""
        return self._result_later().__await__()

    async def _result_later(self) -> Any:
        begun = looked = time.monotonic()
        while not (await asyncio.to_thread(lambda: self.status)).over:
            await asyncio.sleep(_pause(begun, looked))
            looked = time.monotonic()
        return self.result()

    def result(self, timeout: float | None = None) -> Any:
        """What the function returned: of a map the list for all items, of a cell its variables.

        Raises:
            RunFailed: it ended without one; says why, and shows what it raised.
            NotDone: it is not over after `timeout` seconds.
        """
        status = self.wait(timeout)
        if status.state != "completed":
            raise self._failure(self._dir, status)
        if self._spec.tasks is not None:
            return [self._unpacked(self._dir.task(number), status) for number in range(self._spec.tasks)]
        return self._unpacked(self._dir, status)

    def results(self) -> list[Any]:
        """Of a map, what is there now: each item's result, or the `RunFailed` of one that has none yet."""
        found: list[Any] = []
        for number, status in self.tasks().items():
            place = self._dir.task(number)
            ended_well = status.state == "completed"
            found.append(self._unpacked(place, status) if ended_well else self._failure(place, status))
        return found

    def _unpacked(self, place: RunDir, status: Status) -> Any:
        if self._spec.kind in {"notebook", "command"}:
            return None
        try:
            return pickle.loads(place.result.read_bytes())  # noqa: S301 - of this person's own run
        except FileNotFoundError:
            words = f"{self._title} completed, but its result is no longer in {place.path}."
            raise RunFailed(words, status) from None

    def tasks(self) -> dict[int, Status]:
        """How each task of a map is."""
        return task_statuses(self._dir, self._spec, _queue.reading(), time.time())

    def _failure(self, place: RunDir, status: Status) -> RunFailed:
        error = read_json(place.error) or {}
        traceback = str(error.get("traceback", ""))
        words = [f"{self._title} {_ended_words(status)}", traceback.rstrip(), status.action]
        failure = RunFailed("\n".join(word for word in words if word), status, traceback)
        if error.get("pickle"):
            try:
                failure.__cause__ = pickle.loads(base64.b64decode(error["pickle"]))  # noqa: S301
            except Exception:  # noqa: BLE001 - its class may be one that only the job knew
                failure.__cause__ = None
        return failure

    @property
    def _title(self) -> str:
        return f"Run {self.id} ({self.name})" if self.name else f"Run {self.id}"

    # -- what it prints --------------------------------------------------------------------

    def logs(self, *, follow: bool = False, task: int | None = None) -> str | None:
        """What it has printed, the last 256 KiB of it; with `follow` it is printed until the run ends."""
        path = self._dir.log(task)
        if not follow:
            return read_tail(path, _LOG_CHUNK)[0]
        offset, pause = 0, _SHORTEST
        while True:
            over = self.status.over
            text, offset, _ = read_tail(path, _LOG_CHUNK, offset)
            if text:
                sys.stdout.write(text)
                sys.stdout.flush()
                pause = _SHORTEST
            elif over:
                return None
            else:
                time.sleep(pause)
                pause = min(_LONGEST, pause * 1.3)

    # -- what can be done with it ----------------------------------------------------------

    def cancel(self) -> Status:
        """End it now, wherever it is; what it has written stays.

        Raises:
            Refused: Slurm said no, in one sentence.
            SlurmUnanswered: Slurm did not answer; try again.
        """
        from skiva.runs.offer import find_offer
        from skiva.runs.slurm import Slurm, wait_for
        from skiva_slurm.errors import Refused
        from skiva_slurm.tags import RunTag

        status = self.status
        if status.over:
            return status
        with suppress(OSError):  # a full disk keeps nobody from ending what fills it
            write_json(self._dir.cancel, {"at": time.time()})
        slurm = Slurm(find_offer())
        numbers = [status.job_id] if status.job_id else []
        if not numbers:
            jobs = wait_for(slurm.tagged(RunTag(self.id).text))
            numbers = sorted({job.array.job_id if job.array else job.id for job in jobs})
        try:
            for number in numbers:
                wait_for(slurm.cancel(number))
        except Refused:
            self._dir.cancel.unlink(missing_ok=True)
            raise
        return self.status

    def rerun(self, **changes: Any) -> "Run":
        """Send the same off again, as a new run; `changes` are options such as `slice` or `hours`.

        Of a map, only the items that did not complete.
        """
        from skiva.runs.again import again

        return again(self, **changes)

    def bind(self, namespace: dict[str, Any] | None = None) -> list[str]:
        """Put a cell's variables where the cell would have put them: into this notebook. Their names."""
        from skiva.runs.bind import bind

        return bind(self, namespace)

    def __repr__(self) -> str:
        status = self.status
        return f"<Run {self.id} {self.name!r} on {self._spec.slice}: {status.sentence or status.state}>"

    def __hash__(self) -> int:
        return hash(self.id)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Run) and other.id == self.id

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        from skiva.runs.display import bundle

        return bundle(self)


def _pause(begun: float, looked: float) -> float:
    """Seconds until the next look at what is waited for since `begun`; the last look began at `looked`."""
    now = time.monotonic()
    return max(_SHORTEST, min(_LONGEST, (now - begun) * _SHARE), (now - looked) * _WORK)


def _ended_words(status: Status) -> str:
    return f"ended: {status.sentence}" if status.over else f"is not over: {status.sentence}"
