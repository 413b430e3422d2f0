"""The Python of the front page and of the manual on Dask clusters, and its example, on a real Slurm."""

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
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.slurm, pytest.mark.skipif(os.geteuid() != 0, reason="acts as another account")]

_ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def owner(cluster: Any) -> Iterator[RunOwner]:
    """Somebody with the site's slices."""
    with cluster_owner(cluster, "researcher2") as found:
        yield found


def _python_of(page: str) -> str:
    blocks = re.findall(r"^ *```python\n(.*?)^ *```", (_ROOT / page).read_text(), re.MULTILINE | re.DOTALL)
    return "\n\n".join(map(dedent, blocks))


def test_the_page_on_clusters_does_what_it_says(owner: RunOwner) -> None:
    """Its lines run from the first to the last, a detached cluster is found again, and nothing is left."""
    lines = _python_of("docs/researchers/dask.md")
    program = f"before = len(skiva.clusters())\n{lines}\ntold = [total, result, len(found) - before]"
    assert owner.do(program, timeout=400) == [6, 1024, 2]
    wait_until(lambda: not jobs_of(owner), 30, "the end of the last job")


def test_the_front_page_can_be_typed_as_it_stands(owner: RunOwner) -> None:
    """Its first run and its first cluster have their results."""
    program = (
        f"{_python_of('README.md')}\ntold = [run.result(), run.name, client.submit(sum, range(10)).result()]"
    )
    assert owner.do(program, timeout=400) == [45, "first", 45]


@pytest.mark.parametrize("piece", ["cpu", "1g.10gb"])
def test_the_example_runs_on_slices_with_and_without_a_gpu(owner: RunOwner, piece: str) -> None:
    """The same notebook computes the same on ordinary workers and on dask-cuda's (without a real device)."""
    example = nbformat.read(_ROOT / "docs/examples/scale_out.ipynb", as_version=4)
    cells = [cell.source for cell in example.cells if cell.cell_type == "code"]
    assert 'SLICE = "cpu"' in cells[0]
    cells[0] = cells[0].replace('SLICE = "cpu"', f"SLICE = {piece!r}")
    numbers = "map(float, (correlation[0, 1], correlation[-2, -1], least))"
    seen = f"told = [*{numbers}, best, sheet.shape, str(sheet.dtype)]"
    first, last, least, *rest = owner.do("\n\n".join([*cells, seen]), timeout=400)
    assert (round(first, 2), abs(last) < 0.01, least < 0.06) == (0.99, True, True)
    assert rest == [[5, 0.01], [256, 512], "uint8"]
