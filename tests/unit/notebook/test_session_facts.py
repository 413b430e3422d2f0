"""session.json: what the launcher writes is what the server reads, and nothing in it breaks the server."""

import json
from pathlib import Path

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
