"""Makes runs when schedules are due, for as long as a server of the person's lives."""

import asyncio
import atexit
import re
import time
from pathlib import Path
from typing import Any

from jupyter_scheduler.task_runner import BaseTaskRunner
from traitlets import Integer

from skiva.runs.offer import NoOffer, find_offer
from skiva.runs.paths import NotYours
from skiva.runs.submit import NotSubmitted
from skiva.runs.wish import BadWish
from skiva.scheduler.definitions import Definition, Definitions
from skiva.scheduler.leader import Leader
from skiva.scheduler.schedule import BadSchedule, Schedule

__all__ = ["Timer"]

_MADE_UP_FOR = 300.0
"""Seconds for which something that was due may be late, as when the server has just begun."""


class Timer(BaseTaskRunner):
    """One of a person's servers in an environment does this; the key of a run sees that it is made once."""

    poll_interval = Integer(
        default_value=5, min=1, config=True, help="Seconds between two looks at what is due."
    )

    def __init__(self, scheduler: Any = None, config: Any = None) -> None:
        super().__init__(config=config)
        self._scheduler = scheduler
        self._leader: Leader | None = None

    async def start(self) -> None:
        """Look at what is due, again and again."""
        while True:
            try:
                await asyncio.to_thread(self.tick, time.time())
            except (NoOffer, NotYours):
                pass  # nothing can be sent from here; forms say so
            except Exception:  # the next look may do better
                self.log.exception("Skiva: the schedules could not be looked at")
            await asyncio.sleep(self.poll_interval)

    def tick(self, now: float) -> None:
        """One look. Raises NoOffer, and OSError where the directory of runs cannot be used."""
        store: Definitions = self._scheduler.definitions
        here = find_offer().environment.id
        waiting = [one for one in store.all() if _holds(one, here)]
        if not waiting or not self._leads(self._scheduler.place, here):
            return
        for definition in waiting:
            due = _due(definition, store.fired(definition.id), now)
            if due is not None:
                self._fire(store, definition, due)

    def _fire(self, store: Definitions, definition: Definition, due: int) -> None:
        key = f"schedule:{definition.id}:{due}"
        try:
            run = self._scheduler.send_defined(definition, key=key)
            self.log.info("Skiva: run %s was due by the schedule of %r", run.id, definition.card.name)
        except BadWish as problem:
            self._scheduler.note_unsent(definition, key, str(problem))
        except NotSubmitted as problem:  # its run tells it too
            self.log.warning("Skiva: what was due by %r was not sent: %s", definition.card.name, problem)
        # Only now: a server that dies in between leaves it to the next, which finds the run by its key.
        store.note_fired(definition.id, due)

    def _leads(self, place: Path, environment: str) -> bool:
        if self._leader is None:
            name = re.sub(r"[^A-Za-z0-9_-]", "-", environment)
            self._leader = Leader(place / f"leader-{name}")
            atexit.register(self._leader.leave)
        return self._leader.leads()

    # What is due is read from the definitions themselves.
    def add_job_definition(self, job_definition_id: str) -> None:
        """Nothing is to do."""

    def update_job_definition(self, job_definition_id: str, model: Any) -> None:
        """Nothing is to do."""

    def delete_job_definition(self, job_definition_id: str) -> None:
        """Nothing is to do."""


def _holds(definition: Definition, environment: str) -> bool:
    scheduled = definition.active and bool(definition.schedule)
    return scheduled and definition.card.runtime_environment_name == environment


def _due(definition: Definition, fired: float, now: float) -> int | None:
    """The last time that it was due and nothing has been done yet."""
    try:
        schedule = Schedule.parse(definition.schedule or "", definition.timezone)
    except BadSchedule:
        return None
    return schedule.latest(max(definition.since, fired, now - _MADE_UP_FOR), now)
