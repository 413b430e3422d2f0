"""The programs of a cluster as running processes: started, watched, started again when they end."""

import asyncio
import os
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from skiva_hub.embedded.parts import Part
from skiva_hub.embedded.proc import Process, adopted, descendants, environment, owner, parents, program

_LONG_RUN = 60.0
_FIRST_PAUSE, _LONGEST_PAUSE = 0.2, 30.0


@dataclass
class Child:
    """One part, which may have been started several times."""

    part: Part
    log: Path
    process: asyncio.subprocess.Process | None = None
    identity: Process | None = None
    restarts: int = 0
    since: float = field(default_factory=time.time)

    async def start(self) -> None:
        """Run the part in a session of its own; what it prints goes to its log."""
        given: dict[str, Any] = {"umask": self.part.umask}
        if os.geteuid() == 0 and self.part.user != "root":
            given |= {"user": self.part.user, "group": self.part.user, "extra_groups": []}
        with self.log.open("ab") as log:
            self.process = await asyncio.create_subprocess_exec(
                *self.part.argv,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.part.cwd,
                env=dict(self.part.env),
                start_new_session=True,
                **given,
            )
        for cgroup in self.part.cgroups:
            with suppress(ProcessLookupError):  # it has ended already
                (cgroup / "cgroup.procs").write_text(str(self.process.pid))
        self.identity, self.since = Process.of(self.process.pid), time.time()

    async def stop(self, seconds: float) -> None:
        """SIGTERM and, where that has not ended it in time, SIGKILL."""
        process = self.process
        if process is None or process.returncode is not None:
            return
        process.terminate()
        try:
            await asyncio.wait_for(process.wait(), seconds)
        except TimeoutError:
            process.kill()
            await process.wait()

    def last_lines(self, count: int = 12) -> str:
        """The end of the part's log."""
        try:
            return "\n".join(self.log.read_text(errors="replace").splitlines()[-count:])
        except OSError:
            return ""


class Children:
    """All parts of a cluster that run now.

    Args:
        directory: the state directory; a file `hold/NAME` in it keeps the part NAME from being started again.
        say: told in one sentence when a part ends by itself.
        changed: called when a process has come or gone.
    """

    def __init__(self, directory: Path, say: Callable[[str], None], changed: Callable[[], None]) -> None:
        self._hold = directory / "hold"
        self._log = directory / "log"
        self._say = say
        self._changed = changed
        self._watchers: dict[str, asyncio.Task[None]] = {}
        self._zombies: set[int] = set()
        self._below: set[Process] = set()
        self.others: set[Process] = set()
        """What parts have started that may outlive them."""
        self.all: dict[str, Child] = {}
        self.ended: asyncio.Future[Child] | None = None
        """While the cluster starts: the first part that ended instead."""

    async def start(self, part: Part) -> None:
        """Start a part and keep it running."""
        path = self._log / f"{part.name}.log"
        if path.exists():
            path.replace(path.with_suffix(".log.old"))
        child = self.all[part.name] = Child(part, path)
        await child.start()
        self._watchers[part.name] = asyncio.create_task(self._keep(child))
        self._changed()

    async def stop(self, *names: str, seconds: float) -> None:
        """End parts for good, all at the same time."""
        found = [name for name in names if name in self.all]
        for name in found:
            self._watchers.pop(name).cancel()
        await asyncio.gather(*(self.all.pop(name).stop(seconds) for name in found))
        self._changed()

    def look_round(self) -> None:
        """Collect the remains of orphans and note who else lives below the parts; called now and then.

        Only what was there at two calls counts: the remains of this program's own commands, which asyncio
        collects itself, never do, nor does what a part runs for a moment.
        """
        family = parents()
        own = {child.process.pid for child in self.all.values() if child.process}
        dead = {pid for pid in adopted(own, family) if Process.of(pid) is None}
        for pid in dead & self._zombies:
            with suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
        below = {
            process
            for child in self.all.values()
            if child.part.leaves_orphans and child.process
            for process in descendants(child.process.pid, family)
        }
        stay, self._zombies, self._below = below & self._below, dead, below
        if stay != self.others:
            self.others = stay
            self._changed()

    def strangers(self) -> list[Process]:
        """Everything below this process that is no part: what jobs and their keepers have left."""
        own = {child.process.pid for child in self.all.values() if child.process}
        return [process for process in descendants(os.getpid()) if process.pid not in own]

    def orphans(self, account: str) -> list[Process]:
        """What a part that ended has left running as `account`: neither Slurm's nor in a job."""
        own = {child.process.pid for child in self.all.values() if child.process}
        found = [
            Process.of(pid)
            for pid in adopted(own)
            if owner(pid) == account
            and not program(pid).endswith("/slurmstepd")
            and "SLURM_JOB_ID" not in environment(pid)
        ]
        return [process for process in found if process]

    async def _keep(self, child: Child) -> None:
        pause = _FIRST_PAUSE
        while child.process:
            status = await child.process.wait()
            lived = time.time() - child.since
            if self.ended is not None and not self.ended.done():
                self.ended.set_result(child)
                return
            pause = _FIRST_PAUSE if lived > _LONG_RUN else min(2 * pause, _LONGEST_PAUSE)
            self._say(f"{child.part.name} ended ({_how(status)}); starting it again in {pause:.1f} s.")
            self._changed()
            await asyncio.sleep(pause)
            while (self._hold / child.part.name).exists():  # noqa: ASYNC110 - a file, of another program
                await asyncio.sleep(0.1)
            if child.part.leaves_orphans:
                for process in self.orphans(child.part.user):
                    process.signal(signal.SIGKILL)
            child.restarts += 1
            await child.start()
            self._changed()


def _how(status: int) -> str:
    return f"signal {-status}" if status < 0 else f"status {status}"
