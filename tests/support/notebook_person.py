"""Somebody who hands notebooks to a real Slurm from a kernel of theirs, without a server around it."""

import json
import os
import pwd
import shutil
import tempfile
import tomllib
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import nbformat
from nbformat import NotebookNode

__all__ = ["TICKS", "USER", "Limited", "Person", "notebook_person"]

USER = "researcher2"
"""Nobody else in this folder may use this account: they end all its jobs while time limits are waited for."""


TICKS = """
import time
with open('ticks {0}', 'a') as file:
    for second in range(600):
        print('tick', second)
        file.write(f'tick {{second}}\\n')
        file.flush()
        time.sleep(1)
"""
"""A cell that prints its seconds, and writes them into a file `ticks N`."""


@dataclass(frozen=True)
class Person:
    """Somebody in a kernel of theirs, without a server around it."""

    cluster: Any
    place: Path

    def run(self, code: str) -> Any:
        """What a piece of Python, which may use `skiva`, prints as JSON."""
        python = str(self.cluster.dir / "venv/base/bin/python")
        program = f"import json, os, skiva\nos.chdir({str(self.place)!r})\n{code}"
        env = {"SKIVA_RUN_DIR": str(self.place), "SKIVA_RUNS": str(self.place / "runs")}
        done = self.cluster.run_as(USER, [python, "-c", program], env=env, timeout=400)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    def submit(self, notebook: NotebookNode, options: str, name: str = "a.ipynb") -> Path:
        """Submit it; the run's directory."""
        path = self.place / name
        nbformat.write(notebook, path)
        _give(path)
        made = self.run(f"print(json.dumps(skiva.submit_notebook({str(path)!r}, {options}).id))")
        return self.place / "runs" / str(made)

    def end_of(self, run: Path, seconds: float = 200) -> dict[str, Any]:
        """The state in which it ended, and the sentence."""
        ended = f"s = skiva.run({run.name!r}).wait({seconds})\n"
        code = f"{ended}print(json.dumps([s.state, s.sentence, s.restarts]))"
        state, sentence, restarts = self.run(code)
        return {"state": state, "sentence": sentence, "restarts": restarts}

    def end_all(self) -> None:
        """Cancel whatever they have in Slurm."""
        self.cluster.run_as("root", ["/usr/bin/scancel", f"--user={USER}"])


def _give(path: Path) -> None:
    account = pwd.getpwnam(USER)
    os.chown(path, account.pw_uid, account.pw_gid)


@contextmanager
def notebook_person(cluster: Any) -> Iterator[Person]:
    """A researcher whom the site has offered its first slice without a GPU."""
    place = Path(tempfile.mkdtemp(prefix="skiva-notebooks-", dir="/var/tmp"))
    person = Person(cluster, place)
    _give(place)
    site = tomllib.loads((cluster.dir / "site.toml").read_text())
    cpu = next(one for one in site["slice"] if not one.get("gres"))
    offer = {
        "hub": "test",
        "bin": "/usr/bin",
        "conf": cluster.env["SLURM_CONF"],
        "slices": [
            {"id": "cpu", "title": "CPU", "partition": cpu["partition"], "cores": 1, "memory_mb": 700}
        ],
        "environment": {
            "id": "base",
            "title": "",
            "launch": {"python": f"{cluster.dir}/venv/base/bin/python"},
        },
    }
    (place / "offer.json").write_text(json.dumps(offer))
    _give(place / "offer.json")
    try:
        yield person
    finally:
        person.end_all()
        shutil.rmtree(place)


@dataclass(frozen=True)
class Limited:
    """A run that ends by its time limit, or goes on after it.

    Attributes:
        end: how it ended, seen as it happened; see `Person.end_of`.
    """

    run: Path
    end: "Future[dict[str, Any]]"
