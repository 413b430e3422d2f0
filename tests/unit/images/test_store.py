"""The store shows whole versions only, and switches between them in one step."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skiva_images.record import Form, ImageRecord
from skiva_images.store import Built, Store, StoreError, is_version, make_read_only, remove_tree, version_name


def record(digit: str, *, form: Form = "env", hour: int = 1) -> ImageRecord:
    """A record whose digest is made of one digit."""
    return ImageRecord(
        name="tiny",
        form=form,
        digest="sha256:" + digit * 64,
        python="/x/bin/python",
        python_version="3.11.2",
        built=f"2026-11-22T{hour:02}:00:00Z",
    )


def keep(store: Store, what: ImageRecord) -> Built:
    """A version of which only the record is real."""
    with store.locked("tiny"), store.work("tiny", what.form) as place:
        if what.form == "sif":
            (place / "image.sif").write_text("squash")
        else:
            (place / "bin").mkdir()
            make_read_only(place / "bin")
        return store.keep(place, what)


def test_version_is_named_after_its_time_and_digest() -> None:
    """Names sort by time, and say which content they are."""
    assert version_name(record("a")) == "20261122T010000Z-aaaaaaaaaaaa"


@given(st.text(max_size=40))
def test_no_other_text_is_a_version(text: str) -> None:
    """Whatever lies in the store's directory under another name is not started."""
    assert not is_version(text)
    assert not is_version(f"20261122T010000Z-aaaaaaaaaaaa{text}x")


@pytest.mark.parametrize("form", ["env", "oci", "sif"])
def test_finished_work_becomes_a_version(tmp_path: Path, form: Form) -> None:
    """Of every form: it is there with its record, and becomes the current one when told."""
    store = Store(tmp_path)
    built = keep(store, record("a", form=form))
    assert store.current("tiny", form) is None
    store.switch(built)
    (found,) = store.versions()
    assert found == built._replace(current=True) == store.current("tiny", form)
    assert found.record().digest == record("a").digest
    assert (tmp_path / "tiny" / f"current.{form}").resolve() == built.path
    left = {file.name for file in (tmp_path / "tiny").iterdir() if file.name.startswith(".")}
    assert left == {".lock"}


def test_same_content_in_the_same_second_is_one_version(tmp_path: Path) -> None:
    """Whoever is quicker than the clock gets what is there."""
    store = Store(tmp_path)
    assert keep(store, record("a")) == keep(store, record("a"))
    assert len(store.versions()) == 1
    assert not list(tmp_path.glob("tiny/.new-*"))


def test_unfinished_work_is_never_seen(tmp_path: Path) -> None:
    """What dies in the middle is no version, and the next one clears it away."""
    store = Store(tmp_path)

    def fail(place: Path) -> None:
        (place / "file").touch()
        make_read_only(place)
        raise RuntimeError

    with pytest.raises(RuntimeError), store.locked("tiny"), store.work("tiny", "env") as place:
        fail(place)
    assert list(tmp_path.glob("tiny/.new-*")) == []
    dead = tmp_path / "tiny" / ".new-dead.env"
    (dead / "bin").mkdir(parents=True)
    make_read_only(dead)
    assert store.versions() == []
    with store.locked("tiny"):
        assert not dead.exists()


def test_second_builder_waits(tmp_path: Path) -> None:
    """It says so, rather than clearing away the other's work."""
    store, said = Store(tmp_path), list[str]()

    def waiting() -> None:
        said.append("waits")
        raise InterruptedError

    with store.locked("tiny"), pytest.raises(InterruptedError), store.locked("tiny", waiting):
        pass
    assert said == ["waits"]


def test_versions_are_found_by_whatever_names_them(tmp_path: Path) -> None:
    """A name, a version, the beginning of a digest, a path or the current link."""
    store = Store(tmp_path)
    old, new = keep(store, record("a", hour=1)), keep(store, record("b", hour=2))
    store.switch(new)
    new = new._replace(current=True)
    assert store.find("tiny") == new
    assert store.find(old.version) == store.find("aaaa") == store.find(str(old.path)) == old
    assert store.find(str(tmp_path / "tiny/current.env")) == new
    with pytest.raises(StoreError, match="may be any of"):
        store.find("20261122T")
    for text in ("", "aaa", "other", "/etc", "../tiny", "."):
        with pytest.raises(StoreError, match="There is no"):
            store.find(text)


def test_undo_is_a_switch(tmp_path: Path) -> None:
    """The version before is current again, and was whole all the time."""
    store = Store(tmp_path)
    old, new = keep(store, record("a", hour=1)), keep(store, record("b", hour=2))
    for built in (old, new, old):
        store.switch(built)
        assert store.find("tiny").version == built.version
    assert [built.current for built in store.versions()] == [True, False]


def test_current_version_stays(tmp_path: Path) -> None:
    """Only a version that nobody starts goes, and it goes wholly."""
    store = Store(tmp_path)
    old, new = keep(store, record("a", form="sif", hour=1)), keep(store, record("b", form="sif", hour=2))
    store.switch(new)
    with pytest.raises(StoreError, match="is the current tiny"):
        store.remove(new)
    store.remove(old)
    assert [built.version for built in store.versions()] == [new.version]
    assert not old.record_file.exists()


def test_what_lies_about_is_no_version(tmp_path: Path) -> None:
    """Links, other names and other forms in the directory are passed over."""
    store = Store(tmp_path)
    built = keep(store, record("a"))
    folder = tmp_path / "tiny"
    (folder / "20261122T020000Z-bbbbbbbbbbbb.env").symlink_to("/etc")
    (folder / "20261122T020000Z-bbbbbbbbbbbb.zip").mkdir()
    (folder / "notes").touch()
    (tmp_path / "UPPER").mkdir()
    assert store.versions() == [built]
    assert Store(tmp_path / "nowhere").versions() == []


def test_damaged_record_is_told_with_the_cure(tmp_path: Path) -> None:
    """Whoever lists or checks learns what to do about it."""
    built = keep(Store(tmp_path), record("a"))
    built.record_file.write_text("{")
    with pytest.raises(StoreError, match="Build tiny again"):
        built.record()
    built.record_file.unlink()
    with pytest.raises(StoreError, match="build tiny again"):
        built.record()


def test_read_only_means_everybody_reads_and_nobody_writes(tmp_path: Path) -> None:
    """Whatever the modes were; links lead where they led."""
    top = tmp_path / "top"
    (top / "inner").mkdir(parents=True)
    (top / "inner/program").write_text("x")
    (top / "inner/program").chmod(0o700)
    (top / "data").write_text("x")
    (top / "data").chmod(0o662)
    (top / "link").symlink_to("/etc/hostname")
    make_read_only(top)
    modes = {str(path.relative_to(top)): os.lstat(path).st_mode & 0o777 for path in top.rglob("*")}
    assert modes.pop("link") == 0o777
    assert modes == {"inner": 0o555, "inner/program": 0o555, "data": 0o444}
    remove_tree(top)
    assert not top.exists()
