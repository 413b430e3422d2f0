"""The cluster's side of its reaper: a small process that clears up when this one is killed."""

import subprocess
import sys
from contextlib import suppress

from skiva.dask.place import ClusterDir

__all__ = ["Reaper"]


class Reaper:
    """Started with the cluster, in a session of its own, so that what kills this process spares it."""

    def __init__(self, place: ClusterDir) -> None:
        self._place = place
        self._process: subprocess.Popen[bytes] | None = None
        self.owed = False
        """Whether jobs are left that could not be ended; the reaper then goes on trying."""

    def start(self) -> None:
        """Let it watch over this process."""
        argv = [sys.executable, "-I", "-m", "skiva.dask.reaper", str(self._place.path)]
        with (self._place.path / "reaper.log").open("ab") as log:
            self._process = subprocess.Popen(
                argv, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True
            )

    def stop(self) -> None:
        """The cluster has ended in order; let it go, or end what could not be ended."""
        if self._process is None or self._process.stdin is None:
            return
        with suppress(OSError):
            self._process.stdin.write(b"owed\n" if self.owed else b"done\n")
            self._process.stdin.close()
        if not self.owed:
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(5)
        self._process = None
