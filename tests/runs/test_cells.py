"""Cells as runs: in kernels of a session on a real Slurm."""

import json
import os
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from tests.support.hub import HubClient
from tests.support.own_kernel import Cell, Kernel, kernel_of
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.slurm, pytest.mark.skipif(os.geteuid() != 0, reason="acts as another account")]

WHO = "researcher3"
NOTEBOOK = "cells-of-a-test.ipynb"
HOME = Path("/home", WHO)
NewKernel = Callable[[], AbstractContextManager[Kernel]]


@pytest.fixture(scope="module")
def new_kernel(cluster: Any) -> Iterator[NewKernel]:
    """Kernels of one notebook in somebody's running session, who never sent anything off."""
    shutil.rmtree(HOME / "skiva-runs", ignore_errors=True)
    with HubClient(cluster.url, cluster.admin_token) as hub:
        hub.start_server(WHO, {"slice": "cpu", "hours": 1})
        hub.wait_ready(WHO, 90)
        token = hub.user_token(WHO)
        yield lambda: kernel_of(f"{cluster.url}/user/{WHO}/", token, NOTEBOOK)
        hub.stop_server(WHO)
        hub.wait_stopped(WHO, 60)
    cluster.run_as("root", ["/usr/bin/scancel", f"--user={WHO}"])
    shutil.rmtree(HOME / "skiva-runs", ignore_errors=True)


@pytest.fixture
def kernel(new_kernel: NewKernel) -> Iterator[Kernel]:
    """One of them."""
    with new_kernel() as found:
        yield found


def jobs(cluster: Any) -> list[str]:
    """The comments of all jobs of this person's that Slurm still shows."""
    return str(cluster.run_as(WHO, ["/usr/bin/squeue", "-ht", "all", "-u", WHO, "-o", "%k"]).stdout).split()


def bound(kernel: Kernel, cell: Cell) -> str:
    """Wait until a cell's run has ended, in the kernel; what was said then."""
    kernel.hear(lambda: re.search(r"^(Bound here|Changed here|Run \S+:)", cell.printed, re.MULTILINE), 90)
    return cell.printed


def test_a_cell_is_sent_off_and_its_variables_come_back(kernel: Kernel) -> None:
    """It reads the notebook's variables and functions; what it assigns and changes is there when it ended."""
    setup = kernel.cell("x = [1, 2, 3]\nscale = 2.5\ndef f(v): return [scale * one for one in v]")
    assert not setup.error
    cell = kernel.cell(
        "%%batch hours=0.1 name=fit\ny = f(x)\nx.append(4)\nprint('in the job')\n!hostname\nsum(y)", "a"
    )
    assert not cell.error
    assert f"Submitted as run {cell.run} on cpu, with f, x." in cell.printed
    assert set(cell.shown[0]) == {"application/vnd.skiva.run+json", "text/plain", "text/html"}
    assert kernel.value("1 + 1") == 2  # the kernel is free meanwhile
    assert "Bound here: x, y." in bound(kernel, cell)
    assert kernel.value("[x, y]") == [[1, 2, 3, 4], [2.5, 5.0, 7.5]]
    assert "Completed." in cell.shown[0]["text/plain"]  # the text that stands for the card is kept up
    assert cell.shown[-1]["text/plain"] == "15.0"
    log = (HOME / "skiva-runs" / cell.run / "log").read_text()
    assert log.startswith("in the job\n")
    assert log.endswith("15.0\n")
    spec = json.loads((HOME / "skiva-runs" / cell.run / "spec.json").read_text())
    assert (spec["name"], spec["source"]["cell_id"]) == ("fit", "a")
    assert spec["source"]["notebook"].endswith(NOTEBOOK)


_SETUP = "names = {'b', 'a', 'c'}\nclass P: pass\np = P()\np.names = names"


def test_the_same_cell_finds_its_run_in_another_kernel(cluster: Any, new_kernel: NewKernel) -> None:
    """While it runs and when it has ended, also where the variables that it reads are missing."""
    setup, code = _SETUP, "%%batch hours=0.1\nimport time\ntime.sleep(8)\nfound = sorted(p.names)"
    with new_kernel() as first:
        first.cell(setup)
        run = first.cell(code, "b").run
    with new_kernel() as second:
        bare = second.cell(code, "b")
        assert bare.run == run
        assert "cannot be told, since p is not here" in bare.printed
        second.cell(setup)
        live = second.cell(code, "b")
        assert live.run == run
        assert "unchanged since it was sent off" in live.printed
        assert "which is not over yet, so nothing was submitted; %%batch again" in live.printed
        assert "Bound here: time, found." in bound(second, live)
        assert second.value("found") == ["a", "b", "c"]
    with new_kernel() as third:
        third.cell(setup)
        ended = third.cell(code, "b")
        assert ended.run == run
        assert "which has completed" in ended.printed
        assert third.value("found") == ["a", "b", "c"]
    assert jobs(cluster).count(f"skiva-run:{run}") == 1


def test_another_word_or_another_value_is_another_run(kernel: Kernel) -> None:
    """`again` sends the unchanged cell off anew; so does a variable that has another value."""
    code = "hours=0.1\nfound = sorted(p.names)"
    kernel.cell(_SETUP)
    first = kernel.cell(f"%%batch {code}", "b2")
    bound(kernel, first)
    again = kernel.cell(f"%%batch again {code}", "b2")
    assert "Bound here: found." in bound(kernel, again)
    assert kernel.cell(f"%%batch {code}", "b2").run == again.run  # the newest one counts
    kernel.cell("p.names = {'z'}")
    other = kernel.cell(f"%%batch {code}", "b2")
    assert len({first.run, again.run, other.run}) == 3
    bound(kernel, other)
    assert kernel.value("found") == ["z"]


def test_a_failed_cell_is_sent_off_anew(kernel: Kernel) -> None:
    """What it raised is said below it, and running it again is another try; the newest one counts."""
    code = "%%batch hours=0.1\nimport pathlib\npathlib.Path('cells-flag').rename('cells-flag-2')\ndone = True"
    first = kernel.cell(code, "c")
    assert "FileNotFoundError" in bound(kernel, first)
    (HOME / "cells-flag").touch()
    shutil.chown(HOME / "cells-flag", WHO)
    second = kernel.cell(code, "c")
    assert second.run != first.run
    assert "Bound here" in bound(kernel, second)
    (HOME / "cells-flag-2").unlink()
    kernel.cell("del done, pathlib")
    assert kernel.cell(code, "c").run == second.run
    assert kernel.value("done") is True


def test_what_was_changed_meanwhile_is_left_alone(kernel: Kernel) -> None:
    """A variable that got another value after the cell was sent off keeps it; bind() puts in the run's."""
    cell = kernel.cell("%%batch hours=0.1\nimport time\ntime.sleep(2)\nw = 1\nu = 2", "d")
    assert not kernel.cell("w = 'mine'").error
    told = bound(kernel, cell)
    kernel.hear(lambda: "Changed here" in cell.printed, 10)
    assert "left alone: w." in cell.printed
    assert "Bound here: time, u." in told
    assert kernel.value("[w, u]") == ["mine", 2]
    kernel.cell(f"import skiva; skiva.run({cell.run!r}).bind()")
    assert kernel.value("w") == 1


def test_nothing_is_submitted_where_something_cannot_travel(cluster: Any, kernel: Kernel) -> None:
    """Everything that hinders is named at once, and neither a run nor a job is there."""
    before = set((HOME / "skiva-runs").glob("*")), len(jobs(cluster))
    kernel.cell("import threading\nlock = threading.Lock()\nfile = open('/etc/hostname')\nx = 1")
    cell = kernel.cell("%%batch\nwith lock: y = x + nowhere + len(file.read())", "e")
    assert cell.printed.startswith("UsageError: nowhere: there is no such variable here")
    assert "lock cannot travel to the job: a lock belongs to this process" in cell.printed
    assert "file cannot travel to the job: an open file belongs to this process" in cell.printed
    assert cell.printed.endswith("Nothing was submitted.\n")
    assert not cell.good  # so that the cells after it are not run
    assert (set((HOME / "skiva-runs").glob("*")), len(jobs(cluster))) == before


def test_pressing_twice_is_one_job(cluster: Any, kernel: Kernel) -> None:
    """The same cell run again at once shows the same run, of which there is one job."""
    code = "%%batch hours=0.1\nimport time\ntime.sleep(3)"
    runs = {kernel.cell(code, "f").run for _ in range(3)}
    assert len(runs) == 1
    assert jobs(cluster).count(f"skiva-run:{runs.pop()}") == 1


def test_a_secret_of_the_session_stays_here(kernel: Kernel) -> None:
    """What the cell sees of the environment is what always goes along and what was named."""
    kernel.cell("import os\nos.environ['MY_API_TOKEN'] = 'secret'\nos.environ['FIT_MODE'] = 'quick'")
    code = "import os as o, re\nseen = sorted(n for n in o.environ if re.search('TOKEN|^JUPYTER|^FIT_', n))"
    plain = kernel.cell(f"%%batch hours=0.1\n{code}", "g")
    bound(kernel, plain)
    assert kernel.value("seen") == []
    named = kernel.cell(f"%%batch hours=0.1 env=FIT_MODE,MY_API_TOKEN\n{code}", "g")
    bound(kernel, named)
    assert kernel.value("seen") == ["FIT_MODE", "MY_API_TOKEN"]
    missing = kernel.cell(f"%%batch env=NOT_SET_HERE\n{code}", "g")
    assert "env: 'NOT_SET_HERE' is not set here" in missing.printed


def test_a_cell_that_is_cancelled_says_so(kernel: Kernel) -> None:
    """The kernel says below the cell how its run ended."""
    cell = kernel.cell("%%batch hours=0.1\nimport time\ntime.sleep(300)", "h")
    place = HOME / "skiva-runs" / cell.run / "state.jsonl"
    wait_until(place.exists, 60, "it runs")
    kernel.cell(f"import skiva; skiva.run({cell.run!r}).cancel()")
    assert f"Run {cell.run}: Cancelled." in bound(kernel, cell)
