"""The reading that the hub leaves for its stream service."""

from dataclasses import replace
from pathlib import Path

import pytest
from tests.unit.pages import samples

from skiva_hub.pages import snapshot_file
from skiva_slurm.jobs import Array


def test_a_reading_comes_back_as_it_was(tmp_path: Path) -> None:
    """Jobs, nodes, states and gres survive the file."""
    path = tmp_path / "snapshot.json"
    seen = samples.full(samples.pending(300))
    forgotten = replace(
        samples.running(9), state="FAILED", array=Array(7, "2"), tag="skiva-run:261122-abcdefgh"
    )
    snapshot_file.write(path, seen, "squeue gave no answer.", (forgotten,))
    back = snapshot_file.read(path)
    assert back.trouble == "squeue gave no answer."
    assert back.snapshot is not None
    assert (back.snapshot.taken, dict(back.snapshot.jobs)) == (seen.taken, dict(seen.jobs))
    assert dict(back.snapshot.nodes) == dict(seen.nodes)
    assert back.ended == (forgotten,)


def test_only_the_hubs_account_can_read_it(tmp_path: Path) -> None:
    """Everybody's jobs are in it, so its mode is 0600, also when it is replaced; no scraps stay."""
    path = tmp_path / "snapshot.json"
    for _ in range(2):
        snapshot_file.write(path, None, "")
        assert path.stat().st_mode & 0o777 == 0o600
    assert [found.name for found in tmp_path.iterdir()] == ["snapshot.json"]
    assert snapshot_file.read(path).snapshot is None


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"written": 1}', b"\xff\xfe"])
def test_another_file_is_refused_in_one_sentence(tmp_path: Path, content: bytes) -> None:
    """Half a file or somebody else's never becomes a reading."""
    path = tmp_path / "snapshot.json"
    path.write_bytes(content)
    with pytest.raises(snapshot_file.NoReading, match=r"is not a reading of the queue"):
        snapshot_file.read(path)


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    """Before the hub wrote the first time."""
    with pytest.raises(snapshot_file.NoReading, match="cannot be read"):
        snapshot_file.read(tmp_path / "none.json")


def test_a_write_that_fails_leaves_the_old_file_and_no_scraps(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk costs the new reading only."""
    path = tmp_path / "snapshot.json"
    snapshot_file.write(path, samples.snapshot(), "")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        snapshot_file.write(path, None, "")
    assert [found.name for found in tmp_path.iterdir()] == ["snapshot.json"]
    assert snapshot_file.read(path).snapshot is not None
