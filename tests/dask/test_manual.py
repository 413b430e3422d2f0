"""The manual's Python on Dask clusters, and its example, as they stand there, on a real Slurm."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent
from typing import Any

import nbformat
import pytest
from tests.support.cluster_owner import cluster_owner, jobs_of
from tests.support.run_owner import RunOwner

pytestmark = [pytest.mark.slurm, pytest.mark.skipif(os.geteuid() != 0, reason="acts as another account")]

_DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def owner(cluster: Any) -> Iterator[RunOwner]:
    """Somebody with the site's slices."""
    with cluster_owner(cluster, "researcher2") as found:
        yield found


def _run(owner: RunOwner, program: str) -> str:
    python = str(owner.cluster.dir / "venv/base/bin/python")
    done = owner.cluster.run_as(owner.name, [python, "-c", program], env=owner.env, timeout=400)
    assert done.returncode == 0, done.stdout + done.stderr
    return str(done.stdout)


def test_the_page_on_clusters_does_what_it_says(owner: RunOwner) -> None:
    """Its lines run from the first to the last, a detached cluster is found again, and nothing is left."""
    page = (_DOCS / "researchers/dask.md").read_text()
    blocks = [dedent(block) for block in re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)]
    program = "\n\n".join([*blocks, "import json\nprint(json.dumps([total, result, len(found)]))"])
    assert json.loads(_run(owner, program).splitlines()[-1]) == [6, 1024, 2]
    assert jobs_of(owner) == []


@pytest.mark.parametrize("piece", ["cpu", "1g.10gb"])
def test_the_example_runs_on_slices_with_and_without_a_gpu(owner: RunOwner, piece: str) -> None:
    """The same notebook computes the same on ordinary workers and on dask-cuda's (without a real device)."""
    example = nbformat.read(_DOCS / "examples/scale_out.ipynb", as_version=4)
    cells = [cell.source for cell in example.cells if cell.cell_type == "code"]
    assert 'SLICE = "cpu"' in cells[0]
    cells[0] = cells[0].replace('SLICE = "cpu"', f"SLICE = {piece!r}")
    told = _run(owner, "\n\n".join([*cells, "print(sheet.shape, sheet.dtype)"]))
    assert "first two columns: 0.99, last two: 0.0" in told
    assert "degree 5, penalty 0.01" in told
    assert "(256, 512) uint8" in told
