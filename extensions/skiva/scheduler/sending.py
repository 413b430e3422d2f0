"""From a form to a run. Waits for Slurm: for threads."""

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jupyter_scheduler.exceptions import InputUriError

from skiva.runs.notebook.parameters import check
from skiva.runs.notebook.plan import NoNotebook, readable
from skiva.runs.offer import find_offer
from skiva.runs.paths import runs_dir
from skiva.runs.run import Run
from skiva.runs.submit import Luggage, send
from skiva.runs.wish import BadWish, wish
from skiva.scheduler.card import CARD, Card
from skiva.scheduler.compute import parse_compute_type
from skiva.scheduler.describe import FORMATS
from skiva.scheduler.folders import checked_folder
from skiva.scheduler.parameters import typed

__all__ = ["Staged", "check_card", "send_job", "staged_from", "title"]

_RESTARTS = 10
"""How often a notebook that goes on by itself may do so, where nothing is said."""
_OPTIONS = frozenset({"hours", "restarts", "resume"})
"""What a form's `runtime_environment_parameters` may say."""


@dataclass(frozen=True, slots=True)
class Staged:
    """A notebook that shall run.

    Attributes:
        content: its text.
        path: where it belongs; it runs beside its neighbours there.
        folder: of which a copy goes along, to run in instead.
    """

    content: bytes
    path: Path
    folder: Path | None = None


def staged_from(served: Path, model: Any) -> Staged:
    """The notebook that a form names, below the directory that the file browser shows.

    Raises:
        InputUriError: there is none.
    """
    path = Path(os.path.normpath(served / model.input_uri.lstrip("/")))
    if not path.is_relative_to(served) or not path.is_file():
        raise InputUriError(model.input_uri)
    try:
        content = path.read_bytes()
    except OSError:
        raise InputUriError(model.input_uri) from None
    packaged = bool(getattr(model, "package_input_folder", None))
    return Staged(content, path, path.parent if packaged else None)


def check_card(card: Card) -> None:
    """See that what a form says is possible here. Raises BadWish or NoOffer."""
    offer = find_offer()
    if card.runtime_environment_name != offer.environment.id:
        raise BadWish(
            f"environment: this session's is {offer.environment.id}; to run a notebook in "
            f"{card.runtime_environment_name!r:.60}, start a session in it and send it from there"
        )
    if unknown := [one for one in card.output_formats if one not in FORMATS]:
        raise BadWish(f"output_formats: {unknown[0]!r:.60} is none; there are {', '.join(FORMATS)}")
    if unknown := sorted(set(card.runtime_environment_parameters or {}) - _OPTIONS):
        raise BadWish(
            f"runtime_environment_parameters: there is no {unknown[0]!r:.60}; there are "
            f"{', '.join(sorted(_OPTIONS))}"
        )
    slice_id, hours = parse_compute_type(card.compute_type)
    if slice_id is not None and slice_id not in {one.id for one in offer.slices}:
        names = ", ".join(one.id for one in offer.slices)
        raise BadWish(f"compute_type: {slice_id!r:.60} is not among the slices you may use: {names}")
    if hours is not None and hours > offer.max_hours:
        raise BadWish(f"compute_type: at most {offer.max_hours:g} hours are possible for a run")


def send_job(card: Card, staged: Staged, key: str = "") -> Run:
    """Hand it to Slurm; a second one with the same key is the first.

    Raises:
        BadWish: names what is not possible.
        NoOffer: no site is known here.
        NotSubmitted: Slurm refused, or did not answer.
    """
    check_card(card)
    try:
        notebook = readable(staged.content)
    except NoNotebook as problem:
        raise BadWish(f"input: {problem}") from None
    given = {name: typed(text) for name, text in (card.parameters or {}).items()}
    slice_id, hours = parse_compute_type(card.compute_type)
    options: dict[str, Any] = {"hours": hours, **(card.runtime_environment_parameters or {})}
    if options.get("resume") is True:
        options.setdefault("restarts", _RESTARTS)
    wanted = wish(slice=slice_id, name=title(card.name), key=key, **options)
    folder = None
    if staged.folder is not None:
        folder = checked_folder(staged.folder, runs_dir(site=find_offer().runs))
    luggage = Luggage(
        kind="notebook",
        name=title(card.name),
        files={"input.ipynb": staged.content, CARD: json.dumps(card.model_dump()).encode()},
        folder=folder,
        parameters=check(given, notebook),
        source={"notebook": str(staged.path)},
        cwd=str(staged.path.parent),
        sys_path=(),
    )
    return Run(send(luggage, wanted))


def title(name: str) -> str:
    """A run's name from a form's."""
    return re.sub(r"[^\x20-\x7e\xa1-\u2027\u202a-\U0010ffff]+", " ", name).strip()[:60] or "notebook"
