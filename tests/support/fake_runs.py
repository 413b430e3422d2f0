"""A person who hands runs to a Slurm that is not one: a home, an offer, and the commands of `FakeSlurm`."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.fakes.slurm import FakeSlurm

from skiva.runs.offer import find_offer
from skiva.runs.queue import Reading, from_jobs
from skiva.runs.slurm import Slurm, wait_for

__all__ = ["FakePerson", "offer_of", "reading"]

_KILLED_AT = """
import os, re, signal, sys
def _kill(event, arguments):
    if event == {event!r} and re.search({pattern!r}, "|".join(map(str, arguments))):
        os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(_kill)
"""


def offer_of(slurm_bin: Path, partition: str = "gpu") -> dict[str, Any]:
    """What a site with one slice of cores offers."""
    piece = {"id": "cpu", "title": "One core", "partition": partition, "cores": 1, "memory_mb": 100}
    environment = {"id": "base", "title": "Base", "launch": {"python": sys.executable}}
    return {"hub": "h", "bin": str(slurm_bin), "slices": [piece], "environment": environment}


@dataclass
class FakePerson:
    """Their home, and the Slurm that they see."""

    home: Path
    slurm: FakeSlurm

    @classmethod
    def at(cls, directory: Path) -> "FakePerson":
        """Make a home with an offer in it, as a session leaves it."""
        home = directory / "home"
        kept = home / ".local" / "state" / "skiva"
        kept.mkdir(parents=True)
        slurm = FakeSlurm(directory / "slurm")
        (kept / "offer.json").write_text(json.dumps(offer_of(slurm.bin)))
        return cls(home, slurm)

    def change_offer(self, **fields: Any) -> None:
        """Let the site offer something else from now on."""
        kept = self.home / ".local/state/skiva/offer.json"
        kept.write_text(json.dumps(json.loads(kept.read_text()) | fields))

    @property
    def env(self) -> dict[str, str]:
        """What a terminal of theirs has."""
        path = [place for place in sys.path if place]
        return {
            "HOME": str(self.home),
            "USER": "ann",
            "PATH": "/usr/bin:/bin",
            "PYTHONPATH": os.pathsep.join(path),
        }

    @property
    def runs(self) -> list[Path]:
        """The directories of their runs."""
        return sorted(self.home.glob("skiva-runs/[0-9]*"))

    @property
    def rubbish(self) -> list[str]:
        """What lies beside the runs although nothing is being submitted."""
        return [path.name for path in self.home.glob("skiva-runs/.[!k]*")]

    def start(self, code: str, at: tuple[str, str] | None = None) -> subprocess.Popen[str]:
        """Run Python code as they would; it dies of SIGKILL at an audit event `at` whose arguments fit."""
        deadly = _KILLED_AT.format(event=at[0], pattern=at[1]) if at else ""
        return subprocess.Popen(
            [sys.executable, "-c", deadly + code],
            env=self.env,
            cwd=self.home,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def run(self, code: str, at: tuple[str, str] | None = None) -> str:
        """What it printed; without `at` it must end well, with it be killed."""
        process = self.start(code, at)
        out, err = process.communicate(timeout=60)
        assert process.returncode == (-signal.SIGKILL if at else 0), err
        return out


def reading(person: FakePerson, taken: float | None = None) -> Reading:
    """What Slurm says of this person's jobs, as if it had been asked at `taken`."""
    jobs = wait_for(Slurm(find_offer(person.env, person.home)).jobs())
    return from_jobs(jobs.values(), "ann", time.time() if taken is None else taken)
