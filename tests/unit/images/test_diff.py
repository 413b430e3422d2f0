"""What changed between two environments, for people and programs; who uses which version."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skiva_images.diff import difference, record_of, table
from skiva_images.record import ImageRecord
from skiva_images.say import human_size
from skiva_images.store import Built, Store, StoreError
from skiva_images.uses import processes, site_uses, uses_of

OLD = ImageRecord(
    name="a",
    form="oci",
    digest="sha256:" + "a" * 64,
    python="/p",
    python_version="3.11.2",
    packages={"gone": "1", "same": "1", "torch": "2.8"},
    debian={"git": "1:2.39"},
)
NEW = OLD.model_copy(
    update={
        "digest": "sha256:" + "b" * 64,
        "python_version": "3.12.1",
        "packages": {"new": "3", "same": "1", "torch": "2.9"},
        "debian": {"git": "1:2.40"},
    }
)
VERSIONS = st.dictionaries(st.sampled_from("abcdef"), st.sampled_from("123"))


def test_every_change_has_its_line() -> None:
    """Python, what came, what went, what changed, and Debian's packages."""
    assert table(difference(OLD, NEW)) == [
        "~ Python 3.11.2 -> 3.12.1",
        "+ new 3",
        "- gone 1",
        "~ torch 2.8 -> 2.9",
        "~ Debian: git 1:2.39 -> 1:2.40",
    ]


def test_equal_environments_are_told_from_rebuilt_packages() -> None:
    """Equal versions with another digest are not called the same."""
    assert table(difference(OLD, OLD)) == ["The same."]
    other = OLD.model_copy(update={"digest": NEW.digest})
    assert "other contents" in table(difference(OLD, other))[0]


@given(VERSIONS, VERSIONS)
def test_difference_leads_from_one_to_the_other(old: dict[str, str], new: dict[str, str]) -> None:
    """Applied to the old packages it gives the new ones."""
    first, second = (OLD.model_copy(update={"packages": packages}) for packages in (old, new))
    found = difference(first, second).packages
    made = {name: version for name, version in old.items() if name not in found.removed}
    made |= found.added | {name: to for name, (_, to) in found.changed.items()}
    assert made == new


def test_form_without_debian_packages_is_not_compared_by_them() -> None:
    """An env uses its machine's, so none of them came or went."""
    assert not any("Debian" in line for line in table(difference(OLD.model_copy(update={"debian": {}}), NEW)))


def test_environments_are_named_by_path_too(tmp_path: Path) -> None:
    """A directory, a record's file; anything else is told."""
    (tmp_path / "image.json").write_text(OLD.text())
    store = Store(tmp_path / "store")
    assert record_of(str(tmp_path), store) == record_of(str(tmp_path / "image.json"), store) == OLD
    for text in (str(tmp_path / "none"), str(tmp_path / "none.json"), "nothing"):
        with pytest.raises(StoreError):
            record_of(text, store)


@pytest.mark.parametrize(
    ("count", "text"),
    [(0, "0 B"), (999, "999 B"), (999_600, "1 MB"), (356_700_000, "357 MB"), (1_250_000_000, "1.2 GB")],
)
def test_sizes_are_short(count: int, text: str) -> None:
    """A table has room for four digits."""
    assert human_size(count) == text


def test_site_files_environments_are_matched_with_versions(tmp_path: Path) -> None:
    """By the version's own path, by the current link's, and by an image's."""
    version = tmp_path / "tiny/20261122T010000Z-aaaaaaaaaaaa.env"
    (version / "bin").mkdir(parents=True)
    (version / "bin/python").symlink_to("/usr/bin/python3")
    (tmp_path / "tiny/current.env").symlink_to(version.name)
    site = tmp_path / "site.toml"
    site.write_text(
        f'[[environment]]\nid = "now"\npython = "{tmp_path}/tiny/current.env/bin/python"\n'
        f'[[environment]]\nid = "pinned"\npython = "{version}/bin/python"\n'
        f'[[environment]]\nid = "inner"\npython = "/opt/skiva/bin/python"\nimage = "{version}"\n'
        f'[[environment]]\nid = "gone"\npython = "{tmp_path}/none/bin/python"\n'
    )
    uses = site_uses(site)
    built = Built("tiny", "20261122T010000Z-aaaaaaaaaaaa", "env", version, current=True)
    assert uses_of(built, uses) == ["now", "pinned", "inner"]
    told = [use.missing() for use in uses]
    assert told[:3] == [None, None, None]
    assert told[3]
    assert "'gone'" in told[3]
    assert processes(built) == []


@pytest.mark.parametrize("text", ["[[environment]", "\udcff"])
def test_unreadable_site_file_is_told(tmp_path: Path, text: str) -> None:
    """The file is named."""
    site = tmp_path / "site.toml"
    with pytest.raises(StoreError, match=r"site\.toml"):
        site_uses(site)
    site.write_text(text, errors="surrogateescape")
    with pytest.raises(StoreError, match=r"site\.toml"):
        site_uses(site)
