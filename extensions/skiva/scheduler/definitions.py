"""Definitions of jobs and their schedules: a directory each, of which every file is written whole."""

import shutil
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from skiva.runs.files import read_json, read_plain, write_json, write_whole
from skiva.scheduler.card import Card
from skiva.scheduler.sending import Staged

__all__ = ["Definition", "Definitions"]

_FILE, _INPUT, _FOLDER, _FIRED = "definition.json", "input.ipynb", "files", "fired.json"


class Definition(BaseModel):
    """What shall run again and again."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    id: str
    card: Card
    notebook: str
    """Where it was taken from; absolute."""
    schedule: str | None = None
    timezone: str | None = None
    active: bool = True
    created: float
    """Seconds since the epoch, as all times here."""
    updated: float
    since: float
    """Since when the schedule holds; nothing that was due before is made up for."""

    def job_card(self, parameters: dict[str, str] | None = None) -> Card:
        """What is said of a job by this definition, which may have other parameters."""
        changes: dict[str, object] = {"job_definition_id": self.id}
        if parameters is not None:
            changes["parameters"] = parameters
        return self.card.changed(changes)


class Definitions:
    """The definitions below one directory. Several servers may use it at the same time."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def all(self) -> Iterator[Definition]:
        """Each of them; what cannot be read is left out."""
        try:
            names = sorted(entry.name for entry in self._root.iterdir())
        except OSError:
            return
        for name in names:
            with suppress(LookupError):
                yield self.get(name)

    def get(self, definition_id: str) -> Definition:
        """One of them. Raises LookupError."""
        try:
            found = Definition.model_validate(read_json(self._place(definition_id) / _FILE))
        except ValidationError:
            raise LookupError(f"There is no job definition {definition_id[:60]}.") from None
        return found

    def add(self, definition: Definition, staged: Staged) -> None:
        """Keep a new one with its notebook, and a copy of the folder where that goes along."""
        draft = self._root / f".new-{definition.id}"
        draft.mkdir(mode=0o700, parents=True)
        try:
            if staged.folder is not None:
                shutil.copytree(staged.folder, draft / _FOLDER, symlinks=True)
            write_whole(draft / _INPUT, staged.content)
            write_json(draft / _FILE, definition.model_dump())
            draft.rename(self._place(definition.id))
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise

    def replace(self, definition: Definition, content: bytes | None = None) -> None:
        """Change one, and its notebook where another is given. Raises LookupError."""
        self.get(definition.id)
        place = self._place(definition.id)
        if content is not None:
            write_whole(place / _INPUT, content)
        write_json(place / _FILE, definition.model_dump())

    def remove(self, definition_id: str) -> None:
        """Forget one; its runs stay. Raises LookupError."""
        self.get(definition_id)
        gone = self._root / f".gone-{definition_id}-{uuid.uuid4().hex[:8]}"
        self._place(definition_id).rename(gone)
        shutil.rmtree(gone, ignore_errors=True)

    def staged(self, definition: Definition) -> Staged:
        """Its notebook. Raises OSError."""
        place = self._place(definition.id)
        folder = place / _FOLDER if definition.card.package_input_folder else None
        return Staged(read_plain(place / _INPUT), Path(definition.notebook), folder)

    def fired(self, definition_id: str) -> float:
        """The last time at which its schedule was due and something was done about it."""
        at = (read_json(self._place(definition_id) / _FIRED) or {}).get("at")
        return float(at) if isinstance(at, int | float) else 0.0

    def note_fired(self, definition_id: str, at: float) -> None:
        """Remember that. Raises OSError."""
        write_json(self._place(definition_id) / _FIRED, {"at": at})

    def _place(self, definition_id: str) -> Path:
        try:
            return self._root / str(uuid.UUID(definition_id))
        except ValueError:
            raise LookupError(f"There is no job definition {definition_id[:60]!r}.") from None
