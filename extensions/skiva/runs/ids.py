"""Names of runs: sortable by day, hard to guess, easy to type."""

import time

from skiva_slurm.tags import RUN_ID

__all__ = ["is_run_id", "new_run_id"]

_LETTERS = "0123456789abcdefghijklmnopqrstuvwxyz"


def new_run_id(now: float) -> str:
    """A new name for a run that is made `now` (seconds since the epoch), e.g. `261122-k3f9ta2x`."""
    import secrets  # every job imports this module, and makes no name

    day = time.strftime("%y%m%d", time.gmtime(now))
    return f"{day}-{''.join(secrets.choice(_LETTERS) for _ in range(8))}"


def is_run_id(text: str) -> bool:
    """Whether this could be a run's name; nothing else ever becomes a path."""
    return bool(RUN_ID.fullmatch(text))
