"""Work of many short tasks on a cluster, and what is told of it meanwhile and in the end."""

import json
import subprocess
from dataclasses import dataclass
from typing import Any

from tests.support.cluster_owner import clusters_of, program_of
from tests.support.run_owner import RunOwner

__all__ = ["Work", "begin"]

_SECONDS = 240
_PROGRAM = """
from distributed import Client
def work(number):
    with open("ran-{name}", "a") as file:
        file.write(f"{{number}}\\n")
    time.sleep(1)
    return number
least, began = 99, 0
with skiva.cluster({name!r}, {options}) as c, Client(c) as client:
    done = client.map(work, range({tasks}), pure=False)
    while not all(one.done() for one in done):
        time.sleep(0.5)
        ready = c.info.workers.ready
        began = began or (ready >= c.info.workers.wanted > 0)
        least = min(least, ready) if began else least
        with open("done-{name}.new", "w") as file:
            file.write(str(sum(one.status == "finished" for one in done)))
        os.replace("done-{name}.new", "done-{name}")
    errors = [str(one.exception()) for one in done if one.status != "finished"]
    results = [] if errors else client.gather(done)
    batches = len(os.listdir(c.place.batch(1).parent))
    told = dict(results=results, errors=errors, least=least, events=[one.text for one in c.info.events])
print(json.dumps(told | {{"batches": batches // 2}}))
"""


@dataclass
class Work:
    """Tasks of a second each, on a cluster called `name`, in a program of its owner's."""

    owner: RunOwner
    name: str
    program: "subprocess.Popen[str]"

    @property
    def done(self) -> int:
        """How many tasks have ended well."""
        path = self.owner.place / f"done-{self.name}"
        return int(path.read_text()) if path.exists() else 0

    @property
    def status(self) -> dict[str, Any]:
        """What the cluster tells of itself."""
        for path in clusters_of(self.owner).glob("*/status.json"):
            told: dict[str, Any] = json.loads(path.read_text())
            if told["name"] == self.name:
                return told
        return {"jobs": [], "events": []}

    @property
    def ready(self) -> list[dict[str, Any]]:
        """Its jobs whose workers are there."""
        return [job for job in self.status["jobs"] if job["state"] == "ready"]

    def end(self) -> dict[str, Any]:
        """What the program told when all was done, and how often a task was begun.

        That is `results`, `begun`, the `least` number of workers once all had been there, `batches` of jobs
        that were asked for, and the `events` that people saw.
        """
        try:
            out, problem = self.program.communicate(timeout=_SECONDS)
        except subprocess.TimeoutExpired:
            self.program.kill()
            raise
        assert self.program.returncode == 0, problem
        told: dict[str, Any] = json.loads(out.splitlines()[-1])
        told["begun"] = len((self.owner.place / f"ran-{self.name}").read_text().split())
        assert not told["errors"], told
        return told


def begin(owner: RunOwner, name: str, options: str, tasks: int = 200) -> Work:
    """Let the owner start a cluster with these options of `skiva.cluster`, and give it the tasks."""
    code = _PROGRAM.format(name=name, options=options, tasks=tasks)
    return Work(owner, name, program_of(owner, code))
