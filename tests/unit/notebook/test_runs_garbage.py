"""What lies where runs should be, and is none: told as such, or not at all, and never in the others' way."""

import json
import os
import shutil
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.runs_on_disk import lay, reading, run_id, write

from skiva.server.runs.index import Index


def _device(place: Path) -> None:
    os.mkfifo(place / "spec.json")


def _listening(place: Path) -> None:
    here = Path.cwd()
    os.chdir(place)
    try:
        with socket.socket(socket.AF_UNIX) as one:
            one.bind("spec.json")
    finally:
        os.chdir(here)


def _text(content: bytes) -> Callable[[Path], None]:
    def put(place: Path) -> None:
        (place / "spec.json").write_bytes(content)

    return put


def _spec(**values: Any) -> Callable[[Path], None]:
    def lay_over(place: Path) -> None:
        shutil.rmtree(place)
        lay(place.parent, place.name, **values)

    return lay_over


_GARBAGE: dict[str, Callable[[Path], None]] = {
    "empty": _text(b""),
    "cut off": _text(b'{"id": "2611'),
    "no object": _text(b"[]"),
    "nested without end": _text(b"[" * 100_000),
    "bytes": _text(bytes(range(256)) * 100),
    "pipe": _device,
    "socket": _listening,
    "nothing": lambda _: None,
    "directory": lambda place: (place / "spec.json").mkdir(),
    "link": lambda place: (place / "spec.json").symlink_to("/etc/passwd"),
    "endless link": lambda place: (place / "spec.json").symlink_to("/dev/zero"),
    "another's": lambda place: write(place / "spec.json", {"id": "261122-aaaaaaaa", "kind": "map"}),
    "no kind": _spec(kind="nonsense"),
    "a million tasks": _spec(kind="map", tasks=10**9),
    "tasks of text": _spec(kind="map", tasks="3"),
    "hours of text": _spec(end=None, hours="soon", job_id=None),
    "a source of text": _spec(source="here"),
}


@pytest.mark.parametrize("what", _GARBAGE)
def test_a_run_that_cannot_be_understood_is_told_as_such(tmp_path: Path, what: str) -> None:
    """It has a row with a sentence, whatever lies there, and the others are as they are."""
    good, bad = run_id(1), run_id(2)
    lay(tmp_path, good)
    (tmp_path / bad).mkdir()
    _GARBAGE[what](tmp_path / bad)
    rows = {row["id"]: row for row in Index(tmp_path).answer(None)["runs"]}
    assert rows[good]["state"] == "completed"
    assert rows[bad].keys() == rows[good].keys()
    assert (rows[bad]["state"], rows[bad]["life"]) in {("unknown", "ended"), ("preparing", "waiting")}
    assert rows[bad]["sentence"]


_ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "submission.json": st.fixed_dictionaries({}, optional={"job_id": _ODD, "at": _ODD}),
            "refused.json": st.fixed_dictionaries({}, optional={"sentence": _ODD, "at": _ODD}),
            "progress.json": st.fixed_dictionaries({}, optional={"done": _ODD, "total": _ODD, "text": _ODD}),
            "seen.json": st.fixed_dictionaries({}, optional={"state": _ODD, "missing_since": _ODD}),
            "cancel.json": _ODD,
        },
    ),
    st.lists(
        st.fixed_dictionaries({}, optional={"event": _ODD | st.just("started"), "at": _ODD, "how": _ODD})
    ),
)
@settings(max_examples=60, deadline=None)
def test_rows_have_their_types_whatever_the_files_say(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, Any], events: list[dict[str, Any]]
) -> None:
    """Nothing in a run's files breaks the list, or what a browser reads of it."""
    root = tmp_path_factory.mktemp("odd")
    place = lay(root, run_id(1), end=None, job_id=None)
    for name, values in files.items():
        write(place / name, values)
    (place / "state.jsonl").write_text("".join(json.dumps(event) + "\n" for event in events))
    answer = Index(root).answer(reading(taken=time.time()))
    json.dumps(answer, allow_nan=False)
    (row,) = answer["runs"]
    for name in ("started", "ended", "submitted", "expected", "seconds_left"):
        assert row[name] is None or isinstance(row[name], float)
    for name in ("id", "name", "state", "life", "sentence", "action", "node", "trouble"):
        assert isinstance(row[name], str)


def test_what_is_not_ones_own_is_no_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Links, plain files, other names and other people's directories are not in the list."""
    root, elsewhere = tmp_path / "runs", tmp_path / "elsewhere"
    lay(root, run_id(1))
    lay(elsewhere, run_id(2))
    (root / run_id(2)).symlink_to(elsewhere / run_id(2))
    (root / run_id(3)).write_text("no directory")
    lay(root, ".trash")
    index = Index(root)
    assert [row["id"] for row in index.answer(None)["runs"]] == [run_id(1)]
    for number in (2, 3, 4):
        with pytest.raises(LookupError):
            index.one(run_id(number), None)
    for name in ("..", ".trash", "", "a/b", run_id(1) + "\n"):
        with pytest.raises(LookupError):
            index.one(name, None)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert Index(root).answer(None)["runs"] == []
