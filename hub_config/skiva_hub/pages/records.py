"""Reads the records of a site's environments, again and again, without the hub ever waiting for a disk."""

import threading
from pathlib import Path

from skiva_hub.pages.environments import Records
from skiva_hub.site import Environment, Site
from skiva_images.record import ImageRecord, read_record

_EVERY = 10.0


class RecordReader:
    """What the records said when they were last read.

    A thread of its own reads them: where a file system hangs, so does this thread alone, and the pages
    go on with what they had. A record that is gone or broken is one that an environment does not have.
    """

    def __init__(self, site: Site, every: float = _EVERY) -> None:
        self._site = site
        self._every = every
        self._read: dict[str, ImageRecord] = {}
        self._ended = threading.Event()

    @property
    def records(self) -> Records:
        """The record of each environment that has one."""
        return self._read

    def start(self) -> None:
        """Begin to read. It ends with the process, or with `stop`."""
        threading.Thread(target=self._run, name="skiva-records", daemon=True).start()

    def stop(self) -> None:
        """Read no more."""
        self._ended.set()

    def _run(self) -> None:
        while True:
            for offered in self._site.environment:
                self._take(offered)
            if self._ended.wait(self._every):
                return

    def _take(self, offered: Environment) -> None:
        record = _record(offered)
        # Never changed in place: a page may be going through it.
        others = {name: kept for name, kept in self._read.items() if name != offered.id}
        self._read = others | ({offered.id: record} if record else {})


def _record(offered: Environment) -> ImageRecord | None:
    try:
        return read_record(Path(offered.image or offered.python))
    except (OSError, ValueError, RuntimeError):  # RuntimeError: links in a circle
        return None
