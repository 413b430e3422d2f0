"""session.json: what the launcher writes is what the server reads, and nothing in it breaks the server."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from skiva.server import SessionFacts, read_facts, write_facts
from skiva.server.session_facts import facts_file

FACTS = SessionFacts(
    slice="1g.10gb",
    title="MIG 1g.10gb",
    isolation="exclusive",
    job_id=7,
    ends=2000.5,
    warn=120,
    extend_hours=0.5,
)


def test_a_written_session_is_read_as_it_was(tmp_path: Path) -> None:
    """What the launcher writes reaches the server unchanged, and no draft is left behind."""
    path = tmp_path / "session.json"
    write_facts(path, FACTS)
    assert read_facts(path) == FACTS
    assert [entry.name for entry in tmp_path.iterdir()] == ["session.json"]


@pytest.mark.parametrize(
    "text", ["", "[]", "null", "7", "{", '{"title": "x"}', '{"slice": 4}', "\x00", '{"slice": ""}']
)
def test_what_is_no_session_is_read_as_none(tmp_path: Path, text: str) -> None:
    """A missing, broken or foreign file hides the status item and breaks nothing."""
    path = tmp_path / "session.json"
    path.write_text(text)
    assert read_facts(path) is None
    assert read_facts(tmp_path / "missing") is None


def test_fields_of_another_version_are_left_out(tmp_path: Path) -> None:
    """A launcher that is newer or older than the server does not stop it."""
    path = tmp_path / "session.json"
    values = {"slice": "cpu", "ends": "soon", "job_id": True, "simulated": 1, "later": {}, "warn": 60}
    path.write_text(json.dumps(values))
    assert read_facts(path) == SessionFacts(slice="cpu", title="cpu", warn=60)


def test_the_file_is_in_the_run_directory() -> None:
    """Outside a session there is no file to look for."""
    assert facts_file({"SKIVA_RUN_DIR": "/run/x"}) == Path("/run/x/session.json")
    assert facts_file({}) is None


def test_every_field_has_its_type_and_its_default(tmp_path: Path) -> None:
    """What was written is read field by field; what is of another type is as if it were not there."""
    whole: dict[str, Any] = {
        "slice": "s",
        "title": "t",
        "environment": "e",
        "environment_id": "i",
        "digest": "d",
        "isolation": "shared",
        "simulated": True,
        "job_id": 1,
        "node": "n",
        "gres": "g",
        "started": 2.5,
        "ends": 3.5,
        "warn": 4,
        "memory_mb": 5,
        "extend_hours": 6.5,
        "extend_until": 7.5,
    }
    path = tmp_path / "session.json"
    write_facts(path, SessionFacts(**whole))
    assert asdict(read_facts(path) or FACTS) == whole
    defaults = {
        "slice": "s",
        "title": "s",
        "environment": "",
        "environment_id": "",
        "digest": "",
        "isolation": "none",
        "simulated": False,
        "job_id": 0,
        "node": "",
        "gres": "",
        "started": None,
        "ends": None,
        "warn": 0,
        "memory_mb": None,
        "extend_hours": 0,
        "extend_until": None,
    }
    wrong = {name: True if isinstance(value, int | float) else 8 for name, value in whole.items()}
    for values in ({}, {**wrong, "simulated": "yes"}):
        path.write_text(json.dumps({**values, "slice": "s"}))
        assert asdict(read_facts(path) or FACTS) == defaults
    for name in ("job_id", "warn", "memory_mb"):
        path.write_text(json.dumps({"slice": "s", name: 1.5}))
        assert asdict(read_facts(path) or FACTS) == defaults, "whole numbers are whole"
