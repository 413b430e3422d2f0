"""Somebody who hands runs to a real Slurm: Python of the site's environment under an account of their own."""

import json
import os
import pwd
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.waiting import wait_until

__all__ = ["Ended", "RunOwner", "run_owner"]

_WRAPPER = """#!{python} -I
import os, re, runpy, signal, sys
main, opened = os.getpid(), 0
def watch(event, arguments):
    global opened
    here = "main" if os.getpid() == main else "child"
    if (here, event) == {point!r} and re.search({pattern!r}, "|".join(map(str, arguments))):
        opened += 1
        if opened == {time}:
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(watch)
sys.argv = sys.argv[3:]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""


@dataclass
class RunOwner:
    """An account with an offer and a directory of runs of its own, outside its home.

    Attributes:
        place: where `offer.json` and `runs` are.
        env: further variables of everything that it runs.
    """

    cluster: Any
    name: str
    place: Path
    env: dict[str, str] = field(default_factory=dict)

    @property
    def runs(self) -> Path:
        """The directory of its runs."""
        return self.place / "runs"

    @property
    def python(self) -> Path:
        """The Python of its kernels."""
        path: Path = self.cluster.dir / "venv" / "base" / "bin" / "python"
        return path

    def give(self, path: Path) -> Path:
        """Make a file or directory theirs."""
        account = pwd.getpwnam(self.name)
        os.chown(path, account.pw_uid, account.pw_gid)
        return path

    def do(self, code: str, *, env: Mapping[str, str] | None = None, timeout: float = 200) -> Any:
        """What a piece of Python leaves in `told`, by way of JSON."""
        program = f"import json, os, sys, time, skiva\n{code}\nprint(json.dumps(told))"
        known = {"SKIVA_RUN_DIR": str(self.place), "SKIVA_RUNS": str(self.runs)} | self.env
        wanted = {name: value for name, value in (known | dict(env or {})).items() if value}
        done = self.cluster.run_as(
            self.name, [str(self.python), "-c", program], env={"LANG": "C.UTF-8", **wanted}, timeout=timeout
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    def end(self, run: str, seconds: float = 120) -> dict[str, Any]:
        """How a run has ended, seen by a process that knows nothing but its id."""
        code = f"r = skiva.run({run!r}); s = r.wait({seconds})\n"
        told: dict[str, Any] = self.do(
            f"{code}told = dict(state=s.state, sentence=s.sentence, action=s.action)\n"
            "told |= dict(restarts=s.restarts, log=r.logs())",
            timeout=seconds + 60,
        )
        return told

    def state(self, run: str) -> str:
        """How a run is now."""
        return str(self.do(f"told = skiva.run({run!r}).status.state"))

    def wait_for_file(self, run: str, name: str, seconds: float = 60) -> str:
        """What a file in a run's directory holds, once it is there."""
        path = self.runs / run / name
        wait_until(path.exists, seconds, f"{path} is there")
        return path.read_text()

    def job_of(self, run: str) -> int:
        """The number of a run's job."""
        return int(json.loads((self.runs / run / "submission.json").read_text())["job_id"])

    def jobs_with_tag(self, run: str) -> list[str]:
        """The jobs in Slurm that carry a run's mark, ended ones too."""
        rows = self.cluster.queue("--states=all", "--format=%A %k")
        return [row[0] for row in rows if row[1:] == [f"skiva-run:{run}"]]

    def deadly_python(self, place: str, event: str, pattern: str, time: int = 1) -> Path:
        """A Python whose job dies of SIGKILL at an audit event in its `main` or `child` process."""
        path = self.place / f"python-{len(list(self.place.iterdir()))}"
        path.write_text(_WRAPPER.format(python=self.python, point=(place, event), pattern=pattern, time=time))
        path.chmod(0o755)
        return self.give(path)

    def slurm(self, *argv: str) -> None:
        """A command of an administrator's, which must succeed."""
        done = self.cluster.run_as("root", [f"/usr/bin/{argv[0]}", *argv[1:]])
        assert done.returncode == 0, done.stderr


@dataclass(frozen=True)
class Ended:
    """A run whose end is waited for while other tests run."""

    owner: RunOwner
    run: str
    _end: "Future[tuple[dict[str, Any], list[str]]]"

    @classmethod
    def waited_for(cls, owner: RunOwner, run: str, by: Executor) -> "Ended":
        """Begin to wait."""
        return cls(owner, run, by.submit(lambda: (owner.end(run, 350), owner.jobs_with_tag(run))))

    def seen(self) -> tuple[RunOwner, str, dict[str, Any], list[str]]:
        """Its owner, its id, how it ended and which jobs had its mark then."""
        return self.owner, self.run, *self._end.result()


@contextmanager
def run_owner(cluster: Any, name: str) -> Iterator[RunOwner]:
    """An account with an offer of small slices; its jobs and files are gone afterwards."""
    place = Path(tempfile.mkdtemp(prefix="skiva-runs-", dir="/var/tmp"))
    owner = RunOwner(cluster, name, place)
    owner.give(place)
    pieces = [
        {"id": name, "title": name, "partition": name, "cores": 1, "memory_mb": 200}
        for name in ("cpu", "shared")
    ]
    offer = {
        "hub": "test",
        "bin": "/usr/bin",
        "conf": cluster.env["SLURM_CONF"],
        "slices": pieces,
        "environment": {"id": "base", "title": "Base", "launch": {"python": str(owner.python)}},
    }
    (place / "offer.json").write_text(json.dumps(offer))
    owner.give(place / "offer.json")
    try:
        yield owner
    finally:
        cluster.run_as("root", ["/usr/bin/scancel", f"--user={name}"])
        wait_until(lambda: not cluster.queue(f"--user={name}"), 40, f"no job of {name}'s is left")
        shutil.rmtree(place, ignore_errors=True)
