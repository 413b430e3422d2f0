"""Which environment a session says it runs in."""

from pathlib import Path

import pytest

from skiva.session.own_environment import digest

DIGEST = "sha256:" + "0a" * 32


def test_a_session_tells_the_digest_of_its_own_environment(tmp_path: Path) -> None:
    """What the record beside the packages says is what the hub gets to know."""
    (tmp_path / "image.json").write_text(f'{{"name": "base", "digest": "{DIGEST}"}}')
    assert digest(tmp_path) == DIGEST


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"digest": 1}', '{"digest": "sha256:x"}', "\xff"])
def test_an_environment_without_a_record_has_no_digest(tmp_path: Path, text: str) -> None:
    """A missing or garbled record never keeps a session from starting."""
    assert not digest(tmp_path)
    (tmp_path / "image.json").write_text(text)
    assert not digest(tmp_path)
