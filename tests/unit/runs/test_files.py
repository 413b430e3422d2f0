"""A crash at any byte leaves what is right, or what was right before."""

import errno
import json
import os
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

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
    """A description with any value in any place is a `ValueError` at worst, which names the place."""
    for name in _SPEC.to_json():
        try:
            spec = Spec.from_json({**_SPEC.to_json(), name: value})
        except ValueError as refusal:
            assert str(refusal).startswith(f"{name}: ")  # noqa: PT017 - one or the other
        else:
            assert status(spec, Traces(), None, 2.0).state == "preparing"


def test_a_description_is_read_as_it_was_written(tmp_path: Path) -> None:
    """Every field; what a newer version adds is left alone, and what cannot be left out is named."""
    whole = replace(
        _SPEC, slice_title="A", simulated=True, hours=0.5, warn_seconds=9, sys_path=("/a",), restarts=2,
        resume=True, tasks=3, at_once=2, parameters={"x": [1]}, start_at=4, argv=("a", "b"),
        source={"notebook": "n"}, key="k", again_of="o", environment={"id": "e"}, proof={"must": True},
        hub="h",
    )  # fmt: skip
    assert [f.name for f in fields(Spec) if getattr(whole, f.name) == f.default] == []
    write_json(tmp_path / "spec.json", {**whole.to_json(), "newer": 1})
    assert Spec.from_json(read_json(tmp_path / "spec.json") or {}) == whole
    with pytest.raises(ValueError, match=r"spec\.json: .*'hours'"):
        Spec.from_json({name: value for name, value in whole.to_json().items() if name != "hours"})


_ODD: dict[str, tuple[Any, ...]] = {
    "hours": (float("nan"), float("inf"), True, "1", None),
    "restarts": (1.0, True, "1", None),
    "kind": ("other", "", None, 1),
    "argv": ("ab", [1], None),
    "resume": (1, None),
    "tasks": ("1", True, 1.5),
    "parameters": ([], None, "x"),
}


@pytest.mark.parametrize(("field", "value"), [(name, odd) for name, all_ in _ODD.items() for odd in all_])
def test_a_field_of_another_type_is_refused(field: str, value: object) -> None:
    """By its name; the job would fail in its middle otherwise."""
    with pytest.raises(ValueError, match=f"^{field}: cannot be "):
        Spec.from_json({**_SPEC.to_json(), field: value})


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
    with pytest.raises(OSError, match=r"no plain file|Too many levels of symbolic links"):
        read_plain(path)
    path.rmdir() if path.is_dir() else path.unlink()
    path.write_text('{"a": 1}\n')
    assert read_tail(path, 1000, 6) == ("1}\n", 9, 9)
    assert (read_json(path), read_lines(path), read_plain(path, 3)) == ({"a": 1}, [{"a": 1}], b'{"a')


def test_a_line_is_never_appended_through_a_link(tmp_path: Path) -> None:
    """Nobody's file is written to because somebody put a link there."""
    other = tmp_path / "other"
    other.write_text("mine\n")
    (tmp_path / "state.jsonl").symlink_to(other)
    with pytest.raises(OSError, match="Too many levels of symbolic links"):
        append_line(tmp_path / "state.jsonl", {"event": "ended"})
    write_json(tmp_path / "state.jsonl", {})
    assert other.read_text() == "mine\n"
    append_line(tmp_path / "state.jsonl", {"event": "ended"})
    assert read_lines(tmp_path / "state.jsonl") == [{}, {"event": "ended"}]


def test_what_is_written_is_on_the_disk_and_for_nobody_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A lost node loses nothing that somebody was told; what can be made again need not wait for the disk."""
    synced = list[str]()
    monkeypatch.setattr(
        os, "fsync", lambda file: synced.append(Path(f"/proc/self/fd/{file}").readlink().name)
    )
    write_whole(tmp_path / "a", b"x")
    append_line(tmp_path / "b", {})
    assert [name.split(".")[:2] for name in synced] == [["", "a"], ["b"]]
    write_whole(tmp_path / "c", b"x", sync=False)
    write_json(tmp_path / "d", {}, sync=False)
    assert len(synced) == 2
    write_json(tmp_path / "d", {})
    assert len(synced) == 3
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


def test_a_file_is_replaced_and_never_written_over(tmp_path: Path) -> None:
    """Whoever reads the old one goes on reading it whole."""
    path = tmp_path / "result.pkl"
    write_whole(path, b"old")
    with path.open("rb") as reader:
        write_whole(path, b"newer")
        assert (reader.read(), path.read_bytes()) == (b"old", b"newer")


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
    begin = max(0, size - most) if offset is None else min(max(0, offset), size)
    assert text == content[begin:after].decode("utf-8", "replace")
    assert after - begin > min(most, size - begin) - 4  # what is left out is less than a letter


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
