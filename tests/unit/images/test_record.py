"""Records are found beside whatever form an environment has, and never stop who only wants to look."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from skiva_images.record import ImageRecord, RecordError, load_record, read_record

RECORD = ImageRecord(
    name="base",
    form="env",
    digest="sha256:" + "0123456789ab" + "0" * 52,
    python="/opt/env/bin/python",
    python_version="3.11.2",
    versions={"jupyterlab": "4.6.6"},
)


def test_record_of_an_env_is_found_by_its_python(tmp_path: Path) -> None:
    """The Python of an environment is a link to the machine's, and still leads to the record."""
    prefix = tmp_path / "env"
    (prefix / "bin").mkdir(parents=True)
    (prefix / "bin/python").symlink_to("/usr/bin/python3")
    (prefix / "image.json").write_text(RECORD.text())
    (tmp_path / "current.env").symlink_to("env")
    for path in ("env/bin/python", "env", "current.env/bin/python", "current.env"):
        assert read_record(tmp_path / path) == RECORD


def test_record_of_a_single_file_is_beside_it(tmp_path: Path) -> None:
    """Also where the file is called by the name of the current one."""
    (tmp_path / "one.sif").touch()
    (tmp_path / "one.sif.json").write_text(RECORD.text())
    (tmp_path / "current.sif").symlink_to("one.sif")
    assert read_record(tmp_path / "one.sif") == read_record(tmp_path / "current.sif") == RECORD


def test_record_of_a_bundle_is_found_by_its_rootfs(tmp_path: Path) -> None:
    """The launcher enters `rootfs`; the record is in the bundle around it."""
    (tmp_path / "rootfs").mkdir()
    (tmp_path / "image.json").write_text(RECORD.text())
    assert read_record(tmp_path / "rootfs") == read_record(tmp_path) == RECORD


@pytest.mark.parametrize("text", ["", "{", "[]", '{"name": 1}', "x" * 100])
def test_damaged_record_is_none_to_readers_and_an_error_to_checkers(tmp_path: Path, text: str) -> None:
    """The hub goes on without; whoever asks for it learns which file is wrong."""
    (tmp_path / "image.json").write_text(text)
    assert read_record(tmp_path) is None
    with pytest.raises(RecordError, match=r"image\.json"):
        load_record(tmp_path / "image.json")


def test_endless_record_is_refused(tmp_path: Path) -> None:
    """A file of any length is given up before it fills the hub's memory."""
    with (tmp_path / "image.json").open("wb") as stream:
        os.truncate(stream.fileno(), 2**33)
    with pytest.raises(RecordError, match="too long"):
        load_record(tmp_path / "image.json")


def test_no_record_is_none(tmp_path: Path) -> None:
    """An environment that Skiva did not build has none."""
    assert read_record(tmp_path / "bin/python") is None
    assert read_record(Path("/dev/null")) is None


def test_older_hub_reads_a_newer_record(tmp_path: Path) -> None:
    """Fields that are not known yet are passed over."""
    (tmp_path / "image.json").write_text(RECORD.text().replace("{", '{"later": [1],', 1))
    assert load_record(tmp_path / "image.json") == RECORD


@given(st.dictionaries(st.text(max_size=9), st.text(max_size=9), max_size=4), st.text(max_size=99))
def test_what_is_written_is_read(packages: dict[str, str], title: str) -> None:
    """Every record survives its file."""
    record = RECORD.model_copy(update={"packages": packages, "title": title})
    assert ImageRecord.model_validate_json(record.text()) == record


@pytest.mark.parametrize(
    "digest", ["", "sha256:", "sha256:" + "g" * 64, "md5:" + "0" * 64, "sha256:" + "0" * 63]
)
def test_digest_has_one_form(digest: str) -> None:
    """What is not a digest is never shown as one."""
    with pytest.raises(ValidationError):
        ImageRecord.model_validate({**RECORD.model_dump(), "digest": digest})
    assert RECORD.short_digest == "0123456789ab"
