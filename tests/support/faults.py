"""A cluster that tests may break: its commands, its parts, its hub."""

import os
import pwd
import re
import shutil
import signal
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
from tests.support.hub import HubClient, HubRefused
from tests.support.invariants import LiveJob, Owner, live_jobs, owners
from tests.support.own_hub import OwnHub
from tests.support.requeued import hasten
from tests.support.waiting import wait_until

__all__ = ["ENVIRONMENTS", "LIGHT", "MINI", "PEOPLE", "Faults"]

LIGHT: Mapping[str, Any] = {"slice": "light", "environment": "light", "hours": 1}
"""A session of one core whose server is a stand-in for JupyterLab."""
MINI: Mapping[str, Any] = {"slice": "mini", "environment": "light", "hours": 1}
"""The same on a fenced device."""
ENVIRONMENTS = ("light", "impostor", "plain", "mute", "silent", "crash")
"""Kinds of stand-ins: see `stand_ins/light_server.py`."""
PEOPLE = ("researcher1", "researcher2", "researcher3")

_STAND_INS = Path(__file__).with_name("stand_ins")
_COMMANDS = ("squeue", "scontrol", "sbatch", "scancel")


class Faults:
    """What tests break, and how they put it right again."""

    def __init__(self, cluster: Any, client: HubClient, hub: OwnHub) -> None:
        self.cluster = cluster
        self.client = client
        self.hub = hub
        self.dir: Path = cluster.dir / "faults"
        self.bin = self.dir / "bin"
        self.openable = self.dir / "dev"
        """Files here are devices that are not fenced."""
        self.run_dirs = f".local/state/{cluster.dir.name}"
        self._knobs = self.dir / "knobs"
        self._stopped: set[int] = set()

    def install(self) -> None:
        """Write the stand-ins where every account can run them."""
        for directory in (self.dir, self.bin, self._knobs, self.openable):
            directory.mkdir(mode=0o755)
        for command in _COMMANDS:
            shutil.copy(_STAND_INS / "slurm_command", self.bin / command)
            (self.bin / command).chmod(0o755)
        server = self.dir / "light_server.py"
        shutil.copyfile(_STAND_INS / "light_server.py", server)
        base = self.cluster.dir / "venv" / "base" / "bin" / "python"
        for kind in ENVIRONMENTS:
            self.python(kind).parent.mkdir()
            self.python(kind).write_text(f"#!/bin/sh\nexec {base} -I {server} {kind}\n")
            self.python(kind).chmod(0o755)

    def python(self, kind: str) -> Path:
        """The Python of an environment whose server is a stand-in of some kind."""
        return self.dir / kind / "python"

    def remove(self) -> None:
        """Remove what `install` and the sessions wrote."""
        shutil.rmtree(self.dir)
        for user in PEOPLE:
            shutil.rmtree(Path(pwd.getpwnam(user).pw_dir) / self.run_dirs, ignore_errors=True)

    # -- breaking --------------------------------------------------------------------------

    @contextmanager
    def spoiled(self, *commands: str, how: str, user: str = "") -> Iterator[None]:
        """Let Slurm's commands `hang`, `fail`, answer `empty`, `garble`, `truncate`, `flood` or `lose`.

        Args:
            user: for whom alone; only for commands that the hub runs as a user.
        """
        knobs = [self._knobs / (f"{command}.{user}" if user else command) for command in commands]
        for knob in knobs:
            knob.write_text(f"{how}\n")
        try:
            yield
        finally:
            for knob in knobs:
                knob.unlink(missing_ok=True)

    @contextmanager
    def frozen(self, part: str) -> Iterator[None]:
        """Stop a part (`slurmctld`, `munge`, a node) as it is: connections to it hang."""
        pid = self.cluster.status()["processes"][part]["pid"]
        os.kill(pid, signal.SIGSTOP)
        self._stopped.add(pid)
        try:
            yield
        finally:
            self._thaw(pid)

    def _thaw(self, pid: int) -> None:
        self._stopped.discard(pid)
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)

    def mend(self) -> None:
        """Put right whatever a test that failed has left broken."""
        for knob in self._knobs.iterdir():
            knob.unlink()
        for file in self.openable.iterdir():
            file.unlink()
        for pid in tuple(self._stopped):
            self._thaw(pid)
        self.hub.disarm()
        if not self.hub.alive:
            self.hub.start()

    # -- sessions --------------------------------------------------------------------------

    def start_all(self, servers: Mapping[tuple[str, str], Mapping[str, Any]], seconds: float = 60.0) -> None:
        """Start servers, by (user, name), all at once and wait until they are ready."""
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(lambda s: self.client.start_server(s[0], servers[s], s[1]), servers))
            list(pool.map(lambda s: self.client.wait_ready(s[0], seconds, s[1]), servers))

    def says_hello(self, user: str, name: str = "") -> bool:
        """Whether a light server answers through the proxy."""
        path = f"/user/{user}/{name}/x" if name else f"/user/{user}/x"
        try:
            return httpx.get(f"{self.cluster.url}{path}", timeout=10, trust_env=False).text.startswith(
                "hello"
            )
        except httpx.HTTPError:
            return False

    def wait_hello(self, user: str, name: str = "") -> None:
        """See a light server answer; the proxy takes a moment to learn of it."""
        wait_until(lambda: self.says_hello(user, name), 10, f"{user}/{name} says hello")

    def owner(self, user: str, name: str = "") -> Owner | None:
        """The hub's row of a server."""
        return next((row for row in owners(self.cluster) if (row.user, row.server) == (user, name)), None)

    def job_of(self, user: str, name: str = "") -> int:
        """The number of a server's job."""
        row = self.owner(user, name)
        assert row is not None
        return int(row.session["job_id"])

    def start_and_see(self, user: str, options: Mapping[str, Any], seconds: float = 60.0) -> str:
        """Start a server and wait for its `outcome`; a quick machine refuses in the first answer already."""
        with suppress(HubRefused):
            self.client.start_server(user, options)
        return self.outcome(user, seconds)

    def outcome(self, user: str, seconds: float = 60.0, name: str = "") -> str:
        """Wait until a start is over: empty when the server is ready, else the sentence that says why not."""
        with suppress(HubRefused):  # it is over already
            *_, last = self.client.progress(user, name, seconds)
            if last.get("ready"):
                return ""
        self.client.wait_stopped(user, 30, name)
        row = self.owner(user, name)
        assert row is not None
        return " ".join(str(row.failure.get(part, "")) for part in ("sentence", "action"))

    def count(self, name: str) -> float:
        """One of the watcher's counters: `readings`, `failures` or `restarts`."""
        text = self.client.ask("GET", f"{self.cluster.url}/hub/metrics").text
        found = re.search(rf"^skiva_watcher_{name}_total ([0-9.e+]+)$", text, re.MULTILINE)
        assert found, f"no such counter: {name}"
        return float(found[1])

    def slurm(self, *argv: str, user: str = "root") -> str:
        """Run one of Slurm's own commands; what it printed."""
        done = self.cluster.run_as(user, [f"/usr/bin/{argv[0]}", *argv[1:]])
        assert done.returncode == 0, done.stderr
        return str(done.stdout)

    def nodes(self, partition: str) -> list[str]:
        """The names of a partition's nodes."""
        return self.slurm("sinfo", "-h", "-N", "-o", "%N", "-p", partition).split()

    def requeue(self, job: int) -> None:
        """Let Slurm put a running job back into the queue and start it again soon."""
        self.slurm("scontrol", "requeue", str(job))
        self.hasten(job)

    def hasten(self, job: int) -> None:
        """Let it start soon: see `tests/support/requeued.py`."""
        hasten(self.cluster, job)

    def end_everything(self) -> None:
        """End all servers and wait until no job is left."""
        rows: list[Owner] = []
        jobs: list[LiveJob] = []

        def ended() -> bool:
            rows[:] = [row for row in owners(self.cluster) if row.session]
            with ThreadPoolExecutor(8) as pool:
                list(pool.map(self._stop, rows))
            jobs[:] = live_jobs(self.cluster)
            if jobs:
                self.slurm("scancel", *(str(job.id) for job in jobs))
            return not rows and not jobs

        wait_until(ended, 60, lambda: f"nothing is left, but {rows} and {jobs} are", every=0.3)
        for row in owners(self.cluster):
            if row.server:
                self.client.stop_server(row.user, row.server, remove=True)

    def _stop(self, row: Owner) -> None:
        with suppress(HubRefused, httpx.HTTPError, AssertionError):
            self.client.stop_server(row.user, row.server)
            self.client.wait_stopped(row.user, 30, row.server)
