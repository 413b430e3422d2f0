"""Starts a cluster, keeps it running and ends it: `python -m skiva_hub.embedded.supervisor`."""

import argparse
import asyncio
import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from skiva_hub.embedded import (
    cgroups,
    hub_fence,
    parts,
    people,
    ports,
    prepare,
    privilege,
    ready,
    state,
    texts,
)
from skiva_hub.embedded.assemble import Assembly, assemble, check_reach
from skiva_hub.embedded.children import Child, Children
from skiva_hub.embedded.errors import CannotStart
from skiva_hub.embedded.layout import Layout
from skiva_hub.embedded.proc import Process, adopt_orphans, kill
from skiva_hub.embedded.sweep import sweep
from skiva_images.fuse import open_fuse

_START_SECONDS = 90.0
_JOBS_END_SECONDS = 4.0
_LOOK_ROUND_SECONDS = 4.0


class Supervisor:
    """One cluster, from its first process to its last.

    Args:
        directory: the state directory, whose lock this process holds.
        public_port: where browsers go; None for the one used last.
        with_hub: False for Slurm alone.
    """

    def __init__(self, directory: Path, public_port: int | None, *, with_hub: bool) -> None:
        self._directory = directory
        self._public_port = public_port
        self._with_hub = with_hub
        self._stop = asyncio.Event()
        self._children = Children(directory, self._say, self._save)
        self._ready = False
        self._assembly: Assembly | None = None
        self._signing_in: people.SigningIn | None = None

    async def run(self) -> int:
        """Start, wait until told to stop, end; the exit status."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        loop.add_reader(sys.stdin.fileno(), self._guard_spoke)
        collector = asyncio.create_task(self._collect())
        try:
            await self._start_or_stop()
            await self._stop.wait()
            self._say("Ending everything.")
            status = 0
        except CannotStart as problem:
            self._say(str(problem))
            status = 1
        await self._end()
        collector.cancel()
        return status

    def _guard_spoke(self) -> None:
        asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
        self._stop.set()

    async def _start_or_stop(self) -> None:
        """Start everything; give up in the middle when told to stop, when a part ends, or after a while."""
        self._children.ended = asyncio.get_running_loop().create_future()
        start = asyncio.create_task(self._start())
        stop = asyncio.create_task(self._stop.wait())
        waited: set[asyncio.Future[Any]] = {start, stop, self._children.ended}
        await asyncio.wait(waited, timeout=_START_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        stop.cancel()
        ended, self._children.ended = self._children.ended, None
        if not start.done():
            start.cancel()
            with suppress(asyncio.CancelledError):
                await start
        if ended.done():
            raise CannotStart(_why(ended.result()))
        if self._stop.is_set():
            return
        if start.cancelled():
            logs = self._directory / "log"
            raise CannotStart(f"Not everything answered within {_START_SECONDS:.0f} s; see {logs}.")
        start.result()

    async def _start(self) -> None:
        began = time.monotonic()
        self._assembly = assembly = assemble(self._directory, self._public_port)
        self._save()
        layout = assembly.layout
        self._say(texts.machine(layout))
        self._signing_in = signing_in = people.prepare(layout, assembly.accounts)
        if self._with_hub:
            check_reach(layout, layout.owners.hub)
        open_fuse(self._say)
        prepare.slurm(layout)
        prepare.hub(layout)
        privilege.install(layout)
        await self._start_slurm(assembly)
        if self._with_hub:
            await self._start_hub(assembly, signing_in.names)
        await ready.until(lambda: ready.nodes(layout))
        self._ready = True
        self._save()
        self._say(f"Ready after {time.monotonic() - began:.1f} s.")
        detached = bool(os.environ.get("SKIVA_DETACHED"))
        self._print(texts.welcome(assembly, signing_in, with_hub=self._with_hub, in_terminal=not detached))
        if detached:
            _leave_terminal()

    async def _start_slurm(self, assembly: Assembly) -> None:
        layout = assembly.layout
        if layout.fenced:
            cgroups.prepare()
        self._say(f"Starting Slurm: munge, the controller and {len(layout.nodes)} nodes.")
        await self._children.start(parts.munge(layout))
        await ready.until(lambda: ready.munge(layout), every=0.01)
        await self._children.start(parts.controller(layout))
        await ready.until(lambda: ready.controller(layout))
        await self._cancel_jobs(layout, seconds=0)  # of a cluster that was killed
        await asyncio.gather(*(self._children.start(parts.node(layout, node)) for node in layout.nodes))

    async def _start_hub(self, assembly: Assembly, names: tuple[str, ...]) -> None:
        self._say("Starting the hub and its proxy.")
        hub_fence.make(assembly.layout)
        ports.close_to_others(assembly.held, assembly.layout.owners.hub)
        await self._children.start(parts.proxy(assembly.layout, assembly.ports))
        await self._children.start(parts.hub(assembly.layout, assembly.ports, names))
        await ready.until(lambda: ready.hub(assembly.ports["public"]), every=0.1)

    async def _end(self) -> None:
        """End what runs, the last started first, so that no part misses one that it needs."""
        children, assembly = self._children, self._assembly
        if assembly is None:
            return
        layout = assembly.layout
        await children.stop("hub", seconds=10.0)
        await children.stop("proxy", seconds=5.0)
        kill(children.orphans(layout.owners.hub))
        if "slurmctld" in children.all:
            await self._cancel_jobs(layout, seconds=_JOBS_END_SECONDS)
        # slurmctld saves its state at once, then may wait long for nodes that are gone.
        await children.stop("slurmctld", *(node.label for node in layout.nodes), seconds=4.0)
        kill(children.strangers())
        if layout.fenced:
            await asyncio.to_thread(cgroups.clear, layout.id)
        await children.stop("munge", seconds=5.0)
        sweep(self._directory)

    async def _cancel_jobs(self, layout: Layout, *, seconds: float) -> None:
        """Cancel every job, and give those that run some time to end."""
        _, text = await ready.slurm(layout, "squeue", "--noheader", "--format=%A")
        if not text.split():
            return
        await ready.slurm(layout, "scancel", *sorted(set(text.split())))

        async def none_left() -> bool:
            return not (await ready.slurm(layout, "squeue", "--noheader", "--format=%A"))[1].split()

        with suppress(TimeoutError):
            await asyncio.wait_for(ready.until(none_left, every=0.1), seconds)

    async def _collect(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_ROUND_SECONDS)
            self._children.look_round()
            if self._assembly:
                hub_fence.end_lingering(self._assembly.layout)

    def _save(self) -> None:
        """Write down what runs."""
        me, guard = Process.of(os.getpid()), Process.of(os.getppid())
        if me is None or guard is None or self._assembly is None:
            return
        known = {
            name: child.identity.record() | {"restarts": child.restarts, "since": child.since}
            for name, child in self._children.all.items()
            if child.identity
        }
        url = f"http://127.0.0.1:{self._assembly.ports['public']}/"
        others = tuple(self._children.others)
        names = self._signing_in.names if self._signing_in else ()
        running = state.Running(guard, me, known, others, url, names, self._ready)
        state.save(self._directory, running)

    def _say(self, text: str) -> None:
        self._print(f"skiva: {text}")
        with (self._directory / "log" / "skiva.log").open("a") as log:
            log.write(f"{time.strftime('%Y-%m-%dT%H:%M:%S%z')} {text}\n")

    @staticmethod
    def _print(text: str) -> None:
        with suppress(OSError):  # whoever read this may be gone
            print(text, flush=True)


def _why(child: Child) -> str:
    lines = child.last_lines()
    return f"{child.part.name} ended while it was starting; the end of {child.log}:\n{lines}"


def _leave_terminal() -> None:
    """Let go of the terminal, so that the command that started this can return."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def main() -> None:
    """Run a supervisor; its standard input closes when the guard is gone."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--dir", type=Path, required=True)
    parser.add_argument("--port", type=int)
    parser.add_argument("--no-hub", action="store_true")
    given = parser.parse_args()
    os.umask(0o022)
    adopt_orphans()
    (given.dir / "log").mkdir(exist_ok=True)
    supervisor = Supervisor(given.dir, given.port, with_hub=not given.no_hub)
    raise SystemExit(asyncio.run(supervisor.run()))


if __name__ == "__main__":
    main()
