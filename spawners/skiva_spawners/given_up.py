"""Which sessions this hub has ended itself: the only ones whose jobs it may cancel without an owner.

A job that no record stands for may be another hub's with the same id, or one from after the backup that a
database was restored from. So the hub never concludes from a record that is missing. It writes down what
it gives up, before it drops the record, and cancels that and nothing else.
"""

import time
from pathlib import Path

from tornado.log import app_log

_KEPT_DAYS = 40
"""No session lasts longer than a month."""


class GivenUp:
    """The nonces of these sessions, in a file of one line each, `<nonce> <seconds since the epoch>`.

    A line that is lost, as when the machine breaks down, costs a job that runs until its time limit.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, float] = {}

    def load(self) -> None:
        """Read what earlier hubs have written, and forget what is too old. Raises OSError."""
        oldest = time.time() - _KEPT_DAYS * 86400
        lines = self._path.read_text(errors="replace").splitlines() if self._path.exists() else []
        self._known = {nonce: at for nonce, at in map(_read, lines) if at > oldest} | self._known
        fresh = self._path.with_name(f".{self._path.name}.new")
        fresh.write_text("".join(f"{nonce} {at:.0f}\n" for nonce, at in self._known.items()))
        fresh.replace(self._path)

    def add(self, nonce: str) -> None:
        """Write down that a session's job is wanted no more, whatever becomes of it."""
        if nonce in self._known:
            return
        self._known[nonce] = time.time()
        try:
            with self._path.open("a") as file:
                file.write(f"{nonce} {self._known[nonce]:.0f}\n")
        except OSError as problem:  # this hub knows it; a later one will leave the job alone
            app_log.error("That session %s was given up could not be written down: %s", nonce, problem)

    def __contains__(self, nonce: str) -> bool:
        return nonce in self._known


def _read(line: str) -> tuple[str, float]:
    nonce, _, at = line.partition(" ")
    return nonce, float(at) if at.isdigit() else 0.0
