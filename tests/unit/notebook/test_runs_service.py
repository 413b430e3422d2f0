"""What stands between the runs' handlers and what may hang: nobody waits for ever, and nothing piles up."""

import asyncio
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from skiva.server import turns
from skiva.server.problems import Problem
from skiva.server.runs import service as runs_service
from skiva.server.runs.queue import QueueFacts
from skiva.server.runs.service import RunsService


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunsService:
    """Of an impatient server without a site."""
    monkeypatch.setattr(turns, "_DISK", 0.2)
    monkeypatch.setattr(turns, "_PATIENCE", 0.2)
    monkeypatch.setattr(runs_service, "_ASK_EVERY", 1e9)
    found = RunsService(QueueFacts({}), root=tmp_path)
    found._asked = time.monotonic()
    return found


async def test_a_disk_that_hangs_is_told_and_does_not_hold_up_the_server(
    service: RunsService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks meanwhile is answered too, the threads end, and afterwards all is as before."""
    free = threading.Event()
    before = threading.active_count()
    with pytest.raises(Problem, match="does not answer"):
        await service.look(lambda _, __: free.wait(30))
    asked = [service.look(lambda index, _: index.root) for _ in range(5)]
    told = await asyncio.gather(*asked, return_exceptions=True)
    assert {type(one) for one in told} == {Problem}
    free.set()
    monkeypatch.setattr(turns, "_DISK", 30.0)
    async with asyncio.timeout(30):
        while threading.active_count() > before:  # noqa: ASYNC110 - threads have no event
            await asyncio.sleep(0.01)
    assert await service.look(lambda index, _: index.root.is_dir())


async def test_a_submission_that_takes_long_goes_on_when_nobody_waits(service: RunsService) -> None:
    """The page is told so; what it began comes to its end."""
    go, done = threading.Event(), threading.Event()

    def submit(_: Path) -> None:
        go.wait(30)
        done.set()

    with pytest.raises(Problem, match="has not answered yet"):
        await service.apart(submit)
    assert not done.is_set()
    go.set()
    assert await asyncio.to_thread(done.wait, 10)


def test_a_server_that_ends_does_not_wait_for_slurm() -> None:
    """A thread that hangs in a command must not outlive the loop that it works for."""
    program = (
        "import asyncio, time\n"
        "from skiva.server.threads import in_thread\n"
        "async def main():\n"
        "    in_thread(lambda: time.sleep(600))\n"
        "asyncio.run(main())\n"
    )
    assert subprocess.run([sys.executable, "-c", program], timeout=60, check=False).returncode == 0


def test_runs_cost_the_start_of_a_server_nothing() -> None:
    """What only runs need is loaded when somebody asks for them first."""
    slow = {"pydantic", "nbformat.v4", "skiva.runs.queue"}
    program = f"import sys, skiva.server.app as _\nprint(sorted({slow!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
