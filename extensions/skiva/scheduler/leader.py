"""Which of a person's servers does what only one need do: a file that one of them holds by a link."""

import json
import os
import secrets
from contextlib import suppress
from pathlib import Path

__all__ = ["Leader"]


class Leader:
    """One server's wish to lead, in a directory that all of them share, on a network file system too.

    Ages are compared by the file system's own clock, so the servers' clocks need not agree. Two may lead for
    a moment when one takes over from another that was only slow: what they do must bear that.
    """

    def __init__(self, place: Path, patience: float = 60.0) -> None:
        self._place = place
        self._patience = patience
        self._mine = place.with_name(f".{place.name}.{secrets.token_hex(8)}")

    def leads(self) -> bool:
        """Whether this server does, from now on; to be asked again well within `patience`.

        Raises:
            OSError: the directory cannot be written.
        """
        self._touch()
        for _ in range(3):
            with suppress(FileExistsError):
                os.link(self._mine, self._place)
            if self._is_mine():
                return True
            if not self._take_away_a_dead_ones():
                return False
        return False

    def leave(self) -> None:
        """Let another take over at once."""
        with suppress(OSError):
            if self._is_mine():
                self._place.unlink()
        with suppress(OSError):
            self._mine.unlink()

    def _touch(self) -> None:
        try:
            os.utime(self._mine)
        except FileNotFoundError:
            self._place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(self._mine, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "w") as file:
                json.dump({"name": self._mine.name, "pid": os.getpid()}, file)

    def _is_mine(self) -> bool:
        # The two names are one file, so touching the one keeps the other fresh.
        try:
            return self._place.stat().st_ino == self._mine.stat().st_ino
        except FileNotFoundError:
            return False

    def _take_away_a_dead_ones(self) -> bool:
        """Remove the file of a leader that has not been heard of; False where there is none such."""
        try:
            theirs = self._place.stat()
        except FileNotFoundError:
            return True
        if self._mine.stat().st_mtime - theirs.st_mtime <= self._patience:
            return False
        aside = self._place.with_name(f"{self._mine.name}.aside")
        try:
            self._place.rename(aside)
        except FileNotFoundError:
            return True
        try:
            if aside.stat().st_ino != theirs.st_ino:  # somebody was faster, and leads
                with suppress(FileExistsError):
                    os.link(aside, self._place)
                return False
            self._remove_name_of(aside)
            return True
        finally:
            aside.unlink(missing_ok=True)

    def _remove_name_of(self, file: Path) -> None:
        with suppress(OSError, ValueError, LookupError, TypeError):
            name = str(json.loads(file.read_text())["name"])
            if name.startswith(f".{self._place.name}.") and "/" not in name:
                self._place.with_name(name).unlink(missing_ok=True)
