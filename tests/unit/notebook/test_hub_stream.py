"""Following the hub's stream: whole events from broken pieces, new connections, and never a made-up end."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skiva.server import SessionFacts, sse, write_facts
from skiva.server.hub import Hub
from skiva.server.state import SessionState
from skiva.server.stream import follow, note_event, pause

Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunk(text: str) -> bytes:
    """One piece of a chunked body."""
    return f"{len(text.encode()):x}\r\n{text}\r\n".encode()


@contextlib.asynccontextmanager
async def hub(talk: Talk) -> AsyncIterator[str]:
    """A hub on loopback that says what `talk` writes; gives its stream's address."""
    open_ones: list[asyncio.StreamWriter] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_ones.append(writer)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await talk(reader, writer)
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/services/skiva/stream"
    finally:
        server.close()
        for writer in open_ones:
            writer.close()


class Watched(SessionState):
    """A session's state that lets a test wait until the stream has told an end."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, lambda: 500.0)
        self.moved = asyncio.Event()

    def saw_end(self, ends: float) -> None:
        """Take the end and tell who waits."""
        super().saw_end(ends)
        self.moved.set()


@pytest.fixture
def state(tmp_path: Path) -> Watched:
    """A session with the job id 7 that ends at 1000."""
    write_facts(tmp_path / "session.json", SessionFacts(slice="cpu", title="CPU", job_id=7, ends=1000.0))
    return Watched(tmp_path / "session.json")


@given(st.lists(st.text(st.characters(exclude_categories=["Cc", "Cs"])), max_size=5), st.integers(1, 7))
def test_events_are_whole_however_the_bytes_arrive(lines: list[str], size: int) -> None:
    """Pieces of any size give the same events, in which comments and event names are no data."""
    text = ": hello\nevent: queue\n" + "".join(f"data: {line}\n" for line in lines) + "\nid: 4\n\n"
    raw, found = text.encode(), sse.EventText()
    pieces = [raw[at : at + size] for at in range(0, len(raw), size)]
    events = [event for piece in pieces for event in found.feed(piece)]
    assert events == (["\n".join(lines)] if lines else [])


@pytest.mark.parametrize(
    "data",
    [
        "",
        "{",
        "[]",
        "null",
        '{"jobs": 5}',
        '{"jobs": [5, {"job_id": 7}]}',
        '{"jobs": [{"job_id": 7, "ends": true}]}',
        '{"jobs": [{"job_id": 7, "ends": null}]}',
        '{"jobs": [{"job_id": 8, "ends": 9}]}',
        '{"trouble": 7}',
    ],
)
def test_what_does_not_name_this_job_moves_nothing(state: Watched, data: str) -> None:
    """Garbage, other jobs and missing ends leave the last known end."""
    assert state.ends == 1000
    note_event(state, data)
    assert state.ends == 1000


def test_an_event_moves_the_end_and_tells_the_trouble(state: Watched) -> None:
    """An extension that was made elsewhere is seen, and a silent scheduler is named."""
    note_event(state, '{"trouble": "No answer.", "jobs": [{"job_id": 7, "ends": 2000}]}')
    assert (state.ends, state.trouble) == (2000, "No answer.")
    for calm in ('{"trouble": "", "jobs": []}', "{}", '{"trouble": null}', '{"trouble": ["x"]}'):
        state.trouble = "No answer."
        note_event(state, calm)
        assert (state.ends, state.trouble) == (2000, "")


def test_pauses_grow_and_are_never_the_same_for_everybody() -> None:
    """A thousand servers do not come back in the same second after the hub was away."""
    assert [pause(n, lambda: 1.0) for n in (1, 2, 3, 7, 500)] == [1, 2, 4, 60, 60]
    assert pause(3, lambda: 0.0) == 2


async def test_the_stream_is_asked_for_with_the_token(state: Watched) -> None:
    """The hub learns who listens, and its event moves the end."""
    heard: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(HEAD + chunk("event: queue\ndata: {}\n\n"))
        await writer.drain()
        writer.write(chunk('data: {"jobs": [{"job_id": 7, "ends": 1500}]}\n') + chunk("\n"))
        await writer.drain()
        await reader.read()

    async with hub(talk) as url:
        task = asyncio.create_task(follow(Hub("http://hub", "secret", url), state, logging.getLogger("test")))
        async with asyncio.timeout(10):
            await state.moved.wait()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    assert state.ends == 1500
    assert heard[0].startswith(b"GET /services/skiva/stream HTTP/1.1\r\n")
    assert b"Authorization: token secret\r\n" in heard[0]


async def test_every_kind_of_break_is_followed_by_a_new_connection(state: Watched) -> None:
    """Refused, cut off, garbled, silent or gone: it comes back each time, after longer and longer pauses."""
    answers = [
        b"HTTP/1.1 503 Away\r\nContent-Length: 0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi",
        b"no HTTP at all\r\n\r\n",
        HEAD + b"zz\r\n",
        HEAD,  # and then silence
        HEAD + chunk('data: {"jobs": [{"job_id": 7, "ends": 1800}]}\n\n'),
    ]
    pauses: list[float] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        answer = answers.pop(0)
        writer.write(answer)
        await writer.drain()
        if answer == HEAD or not answers:
            await reader.read()

    async def rest(seconds: float) -> None:
        pauses.append(seconds)

    async with hub(talk) as url:
        asked = Hub("http://hub", "t", url)
        task = asyncio.create_task(follow(asked, state, logging.getLogger("test"), silence=0.3, sleep=rest))
        async with asyncio.timeout(20):
            await state.moved.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert state.ends == 1800
    assert len(pauses) == 5
    assert pauses[0] <= 1 < pauses[-1]


async def test_a_connection_that_nobody_reads_any_more_is_closed() -> None:
    """A server that ends, or an unread stream, leaves no open connection at the hub."""
    closed = asyncio.Event()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD + chunk("data: 1\n\n"))
        await writer.drain()
        await reader.read()
        closed.set()

    async with hub(talk) as url:
        stream = sse.events(url, {}, None, silence=30)
        assert await anext(stream) == "1"
        await stream.aclose()
        async with asyncio.timeout(10):
            await closed.wait()


async def test_a_hub_that_is_not_there_is_told_from_one_that_is() -> None:
    """No connection ends in the same kind of error, so that the follower tries again."""
    with pytest.raises(sse.StreamBrokenError, match="no connection"):
        async for _ in sse.events("http://127.0.0.1:1/x", {}, None, silence=1):
            pass
    with pytest.raises(sse.StreamBrokenError, match="names no host"):
        async for _ in sse.events("nowhere", {}, None, silence=1):
            pass


def test_a_line_without_an_end_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has no end would fill the memory; a line of the most is still one."""
    monkeypatch.setattr(sse, "_LONGEST_LINE", 10)
    text = sse.EventText()
    assert list(text.feed(b"data: 1234")) == []
    with pytest.raises(sse.StreamBrokenError, match="a line without an end"):
        list(text.feed(b"5"))
    assert list(sse.EventText().feed(b"data: 12345678\r\n\r\n")) == ["12345678"]


def test_lines_of_data_are_taken_as_they_are() -> None:
    """One blank after the colon belongs to the form, others to the data; an event without data is none."""
    text = sse.EventText()
    assert list(text.feed(b"data:  a \ndata:b\ndatax: c\n\n\nevent: x\n\ndata:\n\n")) == [" a \nb", ""]
    assert list(text.feed(b"data: \xff\n\n")) == ["\ufffd"]


@pytest.mark.parametrize("ends", ["0", "-5", '"9"', "[]"])
def test_an_end_that_cannot_be_is_none(state: Watched, ends: str) -> None:
    """Only a number above nothing is an end."""
    note_event(state, f'{{"jobs": [{{"job_id": 7, "ends": {ends}}}]}}')
    assert state.ends == 1000


def test_the_shortest_pauses_are_half_a_second_to_one() -> None:
    """Whatever is drawn, and before any failure too."""
    assert [pause(n, lambda: 0.0) for n in (0, 1, 2, 6, 7)] == [0.5, 0.5, 1, 16, 30]
    assert pause(1, lambda: 0.5) == 0.75


async def test_a_stream_is_asked_for_as_http_has_it() -> None:
    """With its query and its host, and without what stands before the host."""
    heard: list[bytes] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(HEAD + chunk("data: 1\n\n") + b"0\r\n\r\n")
        await writer.drain()

    async with hub(talk) as url:
        address = url.replace("http://", "http://user:secret@").removesuffix("/services/skiva/stream")
        for path in ("", "/stream?a=1&b=2"):
            stream = sse.events(f"{address}{path}", {"X-Own": "1"}, None, silence=30)
            assert await anext(stream) == "1"
            with pytest.raises(sse.StreamBrokenError, match=r"^it ended$"):
                await anext(stream)
    assert [text.split(b"\r\n")[0] for text in heard] == [b"GET / HTTP/1.1", b"GET /stream?a=1&b=2 HTTP/1.1"]
    host = address.rpartition("@")[2].encode()
    for text in heard:
        assert {b"Host: " + host, b"Accept: text/event-stream", b"X-Own: 1"} <= set(text.split(b"\r\n"))
        assert b"secret" not in text
