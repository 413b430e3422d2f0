"""The manual's Python on runs, as it stands there, on a real Slurm."""

import json
import os
import pwd
import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import nbformat
import pytest
from tests.support.notebook_runs import notebook_of

pytestmark = [pytest.mark.slurm, pytest.mark.skipif(os.geteuid() != 0, reason="acts as another account")]

_ROOT = Path(__file__).parents[2]
_USER = "researcher1"
_TORCH = """
import pickle


class _Number(float):
    def __pow__(self, other): return _Number(float(self) ** other)
    def __sub__(self, other): return _Number(float(self) - other)
    def mean(self): return self
    def sum(self, **_): return self
    def backward(self): pass


class _Kept:
    def __init__(self, *_, **__): self.kept = {}
    def __call__(self, value): return _Number(value)
    def parameters(self): return []
    def state_dict(self): return self.kept
    def load_state_dict(self, kept): self.kept = kept
    def zero_grad(self): pass
    def step(self): pass


class nn: Linear = _Kept
class optim: SGD = _Kept


def manual_seed(seed): pass
def rand(*_): return _Number(0.5)
def load(path): return pickle.loads(path.read_bytes())
def save(values, path): path.write_bytes(pickle.dumps(values))
"""
"""Stands for PyTorch where that is not installed: as much of it as the recipe calls."""


def _python_of(page: str) -> str:
    """All Python of a page, in its order."""
    blocks = re.findall(r"^ *```python\n(.*?)^ *```", (_ROOT / page).read_text(), re.MULTILINE | re.DOTALL)
    return "\n\n".join(map(dedent, blocks))


@pytest.fixture
def place(cluster: Any) -> Iterator[Path]:
    """A researcher's directory with what the page speaks of, and with what a session is told of the site."""
    found = Path(tempfile.mkdtemp(prefix="skiva-manual-", dir="/var/tmp"))
    python = f"{cluster.dir}/venv/base/bin/python"
    cpu = {"id": "cpu", "title": "CPU", "partition": "cpu", "cores": 1, "memory_mb": 700}
    offer = {
        "hub": "test",
        "bin": "/usr/bin",
        "conf": cluster.env["SLURM_CONF"],
        # Whatever this machine has, the pages speak of this one too.
        "slices": [cpu, {**cpu, "id": "1g.10gb"}],
        "environment": {"id": "base", "title": "", "launch": {"python": python}},
    }
    (found / "offer.json").write_text(json.dumps(offer))
    (found / "torch.py").write_text(_TORCH)
    notebook = notebook_of("sigma = 1.0", "print(2 * sigma)", tags={0: ["parameters"]})
    nbformat.write(notebook, found / "analysis.ipynb")
    account = pwd.getpwnam(_USER)
    for path in (found, *found.iterdir()):
        os.chown(path, account.pw_uid, account.pw_gid)
    try:
        yield found
    finally:
        cluster.run_as("root", ["/usr/bin/scancel", f"--user={_USER}"])
        shutil.rmtree(found)


def _run(cluster: Any, place: Path, code: str) -> Any:
    (place / "page.py").write_text(code)
    env = {"SKIVA_RUN_DIR": str(place), "SKIVA_RUNS": str(place / "runs"), "PYTHONPATH": str(place)}
    argv = ["/bin/sh", "-c", 'cd "$1" && exec "$2" page.py', "sh", str(place)]
    done = cluster.run_as(_USER, [*argv, f"{cluster.dir}/venv/base/bin/python"], env=env, timeout=300)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_the_page_on_runs_does_what_it_says(cluster: Any, place: Path) -> None:
    """Functions, a sweep, progress, a notebook, a checkpoint and the recipe for PyTorch end as told there."""
    told = (
        "print(json.dumps([value, same == run, values, report.status.state, "
        "(report.directory / 'out.ipynb').read_text(), [one.status.state for one in skiva.jobs()]]))"
    )
    value, same, values, state, output, states = _run(
        cluster, place, f"import json\n{_python_of('docs/researchers/runs.md')}\n{told}"
    )
    assert 3 < value < 3.3
    assert same
    assert len(values) == 3
    assert state == "completed"
    assert "0.6" in output
    assert set(states) == {"completed"}
    assert len(states) == 6
