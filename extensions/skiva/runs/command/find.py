"""Which run is meant: an id, the beginning of one, or `last`."""

import os
import re

from skiva.runs.listing import here, newest
from skiva.runs.paths import RunDir
from skiva.runs.run import Run

__all__ = ["Mistake", "find"]

_POSSIBLE = re.compile(r"[0-9a-z-]{1,15}")


class Mistake(Exception):
    """What was typed is not possible; one sentence that says what is."""


def find(text: str) -> Run:
    """The run that is meant.

    Raises:
        Mistake: it could not be one, or several begin so.
        LookupError: there is none.
    """
    if not _POSSIBLE.fullmatch(text):
        raise Mistake(f"ID: {text!r:.50} is no run's id, nor the beginning of one; 'skiva jobs' lists them.")
    root = here()
    mine = (one for one in newest(root) if _is_mine(one))
    if text == "last":
        newest_one = next(mine, None)
        if newest_one is None:
            raise LookupError("You have no runs yet; 'skiva submit' makes one.")
        return Run(newest_one)
    known = [one for one in mine if one.id.startswith(text) or one.id.partition("-")[2].startswith(text)]
    if len(known) > 1:
        some = ", ".join(one.id for one in known[:4])
        more = " and others" if len(known) > 4 else ""
        raise Mistake(f"ID: {text} is the beginning of {some}{more}; type more of it.")
    if not known:
        raise LookupError(f"You have no run whose id begins with {text}; 'skiva jobs' lists them.")
    return Run(known[0])


def _is_mine(run: RunDir) -> bool:
    """Reading another person's results would run their code."""
    try:
        return run.path.stat().st_uid == os.geteuid()
    except OSError:
        return False
