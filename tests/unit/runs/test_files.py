"""A crash at any byte leaves what is right, or what was right before."""

import errno
import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skiva.runs.files import (
    append_line,
    read_json,
    read_lines,
    read_plain,
    read_tail,
    write_json,
    write_whole,
)
from skiva.runs.look import look, read_spec
from skiva.runs.paths import RunDir
from skiva.runs.spec import Spec
from skiva.runs.status import status
from skiva.runs.traces import Traces

_SPEC = Spec(id="261122-aaaaaaaa", name="ü", kind="function", created=1.0, slice="cpu", hours=1, cwd="/")


def _run(tmp_path: Path) -> RunDir:
    run = RunDir(tmp_path / _SPEC.id)
    run.path.mkdir()
    write_json(run.spec, _SPEC.to_json())
    return run


def test_a_journal_cut_at_any_byte_tells_the_truth_or_an_earlier_one(tmp_path: Path) -> None:
    """Of three lines those that are whole are read, in their order, and the state is one that it had."""
    run = _run(tmp_path)
    for event in ("started", "warned", "ended"):
        append_line(run.journal, {"event": event, "at": 1.0, "how": "completed", "sentence": "ü\n"})
    whole, lines = run.journal.read_bytes(), read_lines(run.journal)
    states = set()
    for cut in range(len(whole) + 1):
        run.journal.write_bytes(whole[:cut])
        found = read_lines(run.journal)
        assert found == lines[: len(found)]
        states.add(look(run, _SPEC, None, 2.0).state)
    assert states == {"preparing", "running", "completed"}


def test_a_line_after_a_torn_one_is_read(tmp_path: Path) -> None:
    """Wherever an earlier writer was killed, what is written next stays apart from it."""
    path = tmp_path / "state.jsonl"
    append_line(path, {"event": "started"})
    whole = path.read_bytes()
    for cut in range(len(whole) + 1):
        path.write_bytes(whole[:cut])
        before = read_lines(path)
        append_line(path, {"event": "ended"})
        assert read_lines(path) == [*before, {"event": "ended"}]


@pytest.mark.parametrize("name", ["spec.json", "submission.json"])
def test_a_json_file_cut_at_any_byte_is_no_other_one(tmp_path: Path, name: str) -> None:
    """A part of a description or of a submission is never taken for the whole."""
    run = _run(tmp_path)
    write_json(run.submission, {"job_id": 1234, "at": 1.0})
    path = run.path / name
    whole, values = path.read_bytes(), read_json(path)
    for cut in range(len(whole)):
        path.write_bytes(whole[:cut])
        assert read_json(path) is None
        assert look(run, _SPEC, None, 2.0).state == ("queued" if name == "spec.json" else "preparing")
        if name == "spec.json":
            with pytest.raises(ValueError, match="cannot be understood"):
                read_spec(run)
    path.write_bytes(whole)
    assert read_json(path) == values


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists, max_leaves=3))
def test_any_description_is_understood_or_refused(value: object) -> None:
    """A description with any value in any place is a `ValueError` at worst."""
    for name in _SPEC.to_json():
        with suppress(ValueError):
            spec = Spec.from_json({**_SPEC.to_json(), name: value})
            assert status(spec, Traces(), None, 2.0).state == "preparing"


def test_a_write_that_fails_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk: the old content stays, and no half file beside it."""
    path = tmp_path / "result.pkl"
    write_whole(path, b"old")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_whole(path, b"new")
    assert (path.read_bytes(), list(tmp_path.iterdir())) == (b"old", [path])


def test_a_line_that_the_disk_takes_half_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The writer is told, and readers never see the half."""
    real, calls = os.write, []

    def small(descriptor: int, content: memoryview) -> int:
        calls.append(len(content))
        if len(calls) > 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(descriptor, content[: len(content) // 2])

    monkeypatch.setattr(os, "write", small)
    with pytest.raises(OSError, match="No space"):
        append_line(tmp_path / "state.jsonl", {"event": "ended"})
    assert read_lines(tmp_path / "state.jsonl") == []


def _fifo(path: Path) -> None:
    os.mkfifo(path)


def _link(path: Path) -> None:
    path.symlink_to("/etc/passwd")


def _device(path: Path) -> None:
    path.symlink_to("/dev/zero")


@pytest.mark.parametrize("make", [_fifo, _link, _device, Path.mkdir])
def test_what_is_no_plain_file_is_not_read(tmp_path: Path, make: Callable[[Path], None]) -> None:
    """A pipe nobody writes to, a link to anything and a directory read as nothing, at once."""
    path = tmp_path / "log"
    make(path)
    assert read_tail(path, 1000) == ("", 0, 0)
    assert read_tail(path, 1000, 5) == ("", 5, 0)
    assert read_json(path) is None
    assert read_lines(path) == []
    with pytest.raises(OSError, match=r"."):
        read_plain(path)


def test_a_line_is_never_appended_through_a_link(tmp_path: Path) -> None:
    """Nobody's file is written to because somebody put a link there."""
    other = tmp_path / "other"
    other.write_text("mine\n")
    (tmp_path / "state.jsonl").symlink_to(other)
    with pytest.raises(OSError, match=r"."):
        append_line(tmp_path / "state.jsonl", {"event": "ended"})
    write_json(tmp_path / "state.jsonl", {})
    assert other.read_text() == "mine\n"


@settings(max_examples=50)
@given(st.text(min_size=1, max_size=40), st.integers(4, 9))
def test_a_text_that_is_read_in_pieces_is_the_text(
    tmp_path_factory: pytest.TempPathFactory, text: str, most: int
) -> None:
    """Wherever the pieces end, no letter is torn and none is lost or told twice."""
    path = tmp_path_factory.mktemp("log") / "log"
    content = text.encode("utf-8", "replace")
    path.write_bytes(content)
    found, offset = "", 0
    while offset < len(content):
        piece, offset, size = read_tail(path, most, offset)
        assert size == len(content)
        assert piece
        found += piece
    assert found == content.decode()
    assert read_tail(path, most, offset) == ("", offset, len(content))


@given(st.binary(max_size=30), st.integers(1, 40), st.none() | st.integers(-5, 50))
def test_any_bytes_can_be_read(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, most: int, offset: int | None
) -> None:
    """A log may hold anything, and may be shorter than it was."""
    path = tmp_path_factory.mktemp("log") / "log"
    path.write_bytes(content)
    text, after, size = read_tail(path, most, offset)
    assert size == len(content)
    assert 0 <= after <= size
    assert len(text) <= most


def test_a_huge_log_is_read_at_its_end_alone(tmp_path: Path) -> None:
    """5 GiB of log cost as much as the piece that is asked for."""
    path = tmp_path / "log"
    with path.open("wb") as file:
        file.truncate(5 * 1024**3)
        file.seek(0, os.SEEK_END)
        file.write(b"the end")
    assert read_tail(path, 7) == ("the end", 5 * 1024**3 + 7, 5 * 1024**3 + 7)


def test_times_survive_as_they_were(tmp_path: Path) -> None:
    """What is written is what is read."""
    values = {"at": 1234567890.123456, "text": "\u2028\ud800", "more": [1, None]}
    write_json(tmp_path / "x.json", values)
    assert read_json(tmp_path / "x.json") == json.loads(json.dumps(values))
