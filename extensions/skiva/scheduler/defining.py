"""New definitions and changed ones, checked before anything is kept. Waits for disks: for threads."""

import time
import uuid
from typing import Any

from skiva.runs.notebook.parameters import check
from skiva.runs.notebook.plan import NoNotebook, readable
from skiva.runs.offer import find_offer
from skiva.runs.paths import runs_dir
from skiva.runs.wish import BadWish
from skiva.scheduler.card import Card
from skiva.scheduler.definitions import Definition, Definitions
from skiva.scheduler.described import updated
from skiva.scheduler.folders import checked_folder
from skiva.scheduler.parameters import typed
from skiva.scheduler.schedule import Schedule
from skiva.scheduler.sending import Staged, check_card

__all__ = ["change_definition", "new_definition"]


def new_definition(store: Definitions, model: Any, staged: Staged) -> str:
    """Keep a definition; its id.

    Raises:
        BadWish: names what is not possible.
        BadSchedule: the same of its schedule.
        NoOffer: no site is known here.
        OSError: it could not be written.
    """
    now = time.time()
    definition = Definition(
        id=str(uuid.uuid4()),
        card=Card.of(model),
        notebook=str(staged.path),
        schedule=model.schedule or None,
        timezone=model.timezone or None,
        created=now,
        updated=now,
        since=now,
    )
    _check(definition, staged)
    store.add(definition, staged)
    return definition.id


def change_definition(store: Definitions, definition_id: str, model: Any, staged: Staged | None) -> None:
    """Change a definition, and its notebook where one is given.

    Raises:
        LookupError: there is none.
        BadWish, BadSchedule, NoOffer, OSError: as for a new one.
    """
    definition = store.get(definition_id)
    changed = updated(definition, model, time.time())
    if staged is not None:
        card = changed.card.changed({"input_filename": staged.path.name})
        changed = changed.model_copy(update={"card": card, "notebook": str(staged.path)})
    _check(changed, staged or store.staged(definition))
    store.replace(changed, staged.content if staged else None)


def _check(definition: Definition, staged: Staged) -> None:
    check_card(definition.card)
    if definition.schedule:
        Schedule.parse(definition.schedule, definition.timezone)
    try:
        notebook = readable(staged.content)
    except NoNotebook as problem:
        raise BadWish(f"input: {problem}") from None
    given = definition.card.parameters or {}
    check({name: typed(text) for name, text in given.items()}, notebook)
    if staged.folder is not None:
        checked_folder(staged.folder, runs_dir(site=find_offer().runs))
