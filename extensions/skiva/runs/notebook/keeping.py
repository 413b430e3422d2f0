"""When a run's variables are brought back, and when they are saved."""

import time
from pathlib import Path
from typing import Any

from skiva.runs.notebook.client import Client
from skiva.runs.notebook.plan import Plan
from skiva.runs.notebook.saved import KernelDoesNotAnswer, load_variables, lost_in_words, save_variables

__all__ = ["Variables"]

_EVERY = 60.0
"""Seconds between two saves while nothing threatens, at least."""
_SHARE = 20.0
"""And so many times as long as the last one took."""
_LONGEST = 600.0


class Variables:
    """The kernel's variables, as far as other jobs of the run are concerned."""

    def __init__(self, plan: Plan, directory: Path, client: Client) -> None:
        self._waiting = plan.variables
        self._first = plan.first
        self._path = directory / "variables.pkl"
        self._client = client
        self._pause = _EVERY
        self._saved = time.monotonic()

    @property
    def _kernel(self) -> tuple[Any, Any]:
        return self._client.kc, self._client.km

    async def load_before(self, index: int) -> str:
        """Bring them back if this cell is the first to need them; why that was not possible, or nothing."""
        if self._waiting is None or index < self._first:
            return ""
        try:
            lost = await load_variables(
                *self._kernel, self._waiting, self._path.with_name("not_restored.json")
            )
        except KernelDoesNotAnswer as problem:
            return f"The variables could not be brought back: {problem}"
        self._waiting = None
        if lost:
            self._client.tell(f"skiva: variables that could not be brought back:\n{lost_in_words(lost)}")
        return ""

    async def save(self, index: int, seconds: float) -> str:
        """Save them for a job that goes on at a cell; those that were lost, in words.

        Raises:
            KernelDoesNotAnswer: nothing was saved; what an earlier job saved is still there.
            OSError: likewise.
        """
        if self._waiting is not None:
            return ""  # what is saved is what there is
        begun = time.monotonic()
        lost = await save_variables(*self._kernel, self._path, index, seconds)
        self._saved = time.monotonic()
        self._pause = max(_EVERY, _SHARE * (self._saved - begun))
        return f"variables that could not be kept:\n{lost_in_words(lost)}" if lost else ""

    async def save_sometimes(self, index: int) -> None:
        """Save them between two cells, for the case that the node is lost; seldom where that takes long."""
        if self._waiting is None and time.monotonic() - self._saved >= self._pause:
            try:
                await self.save(index, _LONGEST)
            except (KernelDoesNotAnswer, OSError) as problem:
                self._client.tell(f"skiva: the variables could not be saved: {problem}")
                self._saved = time.monotonic()
