"""What the hub tells of the queue, kept where kernels and terminals of the session find it."""

import asyncio
import contextlib
import json
import logging
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.notebook.test_hub_stream import HEAD, chunk, hub
from tests.unit.pages.waiting import until

from skiva.runs.queue import Queue
from skiva.server import sse
from skiva.server.hub import Hub
from skiva.server.runs.queue import QueueFacts
from skiva.server.state import SessionState
from skiva.server.stream import follow

JOB = {"job_id": 7, "slurm_state": "PENDING", "run": "261122-k3f9ta2x", "reason": "Others go first."}
EVENT: dict[str, Any] = {"taken": 1000.0, "trouble": "", "jobs": [JOB], "slices": [{"id": "cpu", "free": 1}]}


class Clock:
    """A time that only the test moves on."""

    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        """Now."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """One for the test's facts."""
    return Clock()


@pytest.fixture
def facts(tmp_path: Path, clock: Clock) -> QueueFacts:
    """Of a session whose directory is the test's."""
    return QueueFacts({"SKIVA_RUN_DIR": str(tmp_path)}, clock)


def content(path: Path) -> dict[str, Any]:
    """What a file holds; nothing where there is none."""
    with contextlib.suppress(FileNotFoundError):
        return dict(json.loads(path.read_text()))
    return {}


async def kept(path: Path, **wanted: float) -> dict[str, Any]:
    """What the file holds, once it holds this."""
    await until(lambda: content(path).items() >= wanted.items())
    return content(path)


def entries(directory: Path) -> dict[str, int]:
    """The files in a directory, and who may read them."""
    return {one.name: one.stat().st_mode & 0o777 for one in directory.iterdir()}


async def test_an_event_is_kept_for_kernels(tmp_path: Path, facts: QueueFacts) -> None:
    """A kernel of the session reads the same jobs without asking anybody, and only its owner can."""
    facts.told(json.dumps(EVENT))
    await kept(tmp_path / "queue.json", taken=1000)
    told = Queue({"SKIVA_RUN_DIR": str(tmp_path)}).told()
    assert told == facts.reading()
    assert told is not None
    assert [(job.job_id, job.run, job.reason) for job in told.jobs] == [(7, JOB["run"], JOB["reason"])]
    assert entries(tmp_path) == {"queue.json": 0o600}


async def test_a_quiet_stream_keeps_the_file_fresh(tmp_path: Path, facts: QueueFacts, clock: Clock) -> None:
    """Comments are life; one that tells of a newer reading makes this the newest."""
    facts.told(json.dumps(EVENT))
    await kept(tmp_path / "queue.json", taken=1000)
    clock.now += 15
    facts.alive("taken 1014.5")
    found = await kept(tmp_path / "queue.json", at=clock.now)
    assert (found["taken"], found["jobs"]) == (1014.5, [JOB])
    clock.now += 15
    for comment in ("alive", "taken x", "taken nan", "taken inf", "taken 3", "taken"):
        facts.alive(comment)
    found = await kept(tmp_path / "queue.json", at=clock.now)
    assert found["taken"] == 1014.5


async def test_a_silent_scheduler_is_not_made_younger(facts: QueueFacts) -> None:
    """While the hub says that nobody answers, life of the stream says nothing about the queue."""
    facts.told(json.dumps({**EVENT, "trouble": "The scheduler has not answered."}))
    facts.alive("taken 2000")
    told = facts.reading()
    assert told is not None
    assert (told.taken, told.trouble) == (1000, "The scheduler has not answered.")


async def test_the_word_of_a_hub_that_is_gone_is_not_the_present(
    tmp_path: Path, facts: QueueFacts, clock: Clock
) -> None:
    """After forty seconds of silence nothing is told as known, neither here nor to kernels."""
    facts.told(json.dumps(EVENT))
    await kept(tmp_path / "queue.json", taken=1000)
    assert (facts.followed, facts.slices) == (True, EVENT["slices"])
    clock.now += 41
    assert (facts.followed, facts.slices, facts.reading()) == (False, [], None)
    (tmp_path / "queue.json").write_text(json.dumps({**EVENT, "at": time.time() - 41}))
    assert Queue({"SKIVA_RUN_DIR": str(tmp_path)}).told() is None


@given(st.text(max_size=30) | st.sampled_from(["[]", "{}", "null", '{"jobs": 5}', "[" * 100_000]))
def test_what_is_no_event_changes_nothing(data: str) -> None:
    """Garbage in the stream leaves what was known, and makes nothing up."""
    facts = QueueFacts({})
    facts.told(data)
    facts.alive(data)
    assert (facts.followed, facts.slices, facts.reading()) == (False, [], None)


@given(st.binary(max_size=40), st.integers(1, 5))
def test_comments_are_passed_on_however_the_bytes_arrive(noise: bytes, size: int) -> None:
    """A comment is told once and is never data; whatever precedes it only cannot be a line of it."""
    raw = noise.replace(b"\n", b"") + b"\n: taken 5\r\ndata: x\n\n"
    comments: list[str] = []
    text = sse.EventText(comments.append)
    events = [event for at in range(0, len(raw), size) for event in text.feed(raw[at : at + size])]
    assert comments[-1] == "taken 5"
    assert events[-1].endswith("x")


async def test_the_stream_that_is_followed_anyway_tells_of_the_queue(tmp_path: Path) -> None:
    """One connection serves the session's clock and the list of runs; a comment after the event counts."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD + chunk(f"event: queue\ndata: {json.dumps(EVENT)}\n\n") + chunk(": taken 1009\n\n"))
        await writer.drain()
        await reader.read()

    facts = QueueFacts({"SKIVA_RUN_DIR": str(tmp_path)})
    async with hub(talk) as url:
        state = SessionState(None)
        task = asyncio.create_task(
            follow(Hub("http://hub", "t", url), state, logging.getLogger("test"), facts)
        )
        await until(lambda: (told := facts.reading()) is not None and told.taken == 1009)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    told = facts.reading()
    assert told is not None
    assert [job.job_id for job in told.jobs] == [7]
