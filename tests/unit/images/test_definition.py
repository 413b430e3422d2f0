"""Definitions say what is wrong with them, and the ones that Skiva comes with fit together."""

import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.tiny_images import LABEL, definition

from skiva_images.definition import DefinitionError, defined, find, load, locked, shown_versions
from skiva_images.describe import debian_packages
from skiva_images.digest import canonical
from skiva_images.locks import blocks, only, pinned, with_hashes, without

IMAGES = Path(__file__).parents[3] / "images"
SHIPPED = ["base", "pytorch", "rapids"]


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_definition_is_whole(name: str) -> None:
    """It has a title, says what it is good for, and shows versions that its lock has."""
    found = load(IMAGES / name)
    assert found.label.title
    assert found.label.good_for
    pins = locked(found.lock.read_text())
    assert set(map(canonical, found.label.shown)) <= pins.keys()


@pytest.mark.parametrize("name", SHIPPED)
def test_lock_has_hashes_and_no_address(name: str) -> None:
    """What is installed is what was locked, from whichever index a site uses."""
    lock = (IMAGES / name / "requirements.txt").read_text()
    assert len(list(blocks(lock))) > 100
    for package, text in blocks(lock):
        assert "--hash=sha256:" in text, package
    assert not re.search(r"https?://|file:|--index|--find-links", lock)


@pytest.mark.parametrize("name", ["pytorch", "rapids"])
def test_extended_definition_has_bases_versions(name: str) -> None:
    """Whoever changes the environment finds the same JupyterLab there."""
    own, base = (locked((IMAGES / each / "requirements.txt").read_text()) for each in (name, "base"))
    assert load(IMAGES / name).label.extends == "base"
    assert base.items() <= own.items()


def test_lock_for_gpus_has_cuda_and_the_one_for_cpus_has_not() -> None:
    """Several gigabytes stay away from machines that could not use them, and nothing else does."""
    found = load(IMAGES / "pytorch")
    assert found.label.cpu
    lock = found.lock.read_text()
    left = without(lock, [*found.label.cpu.omit, *found.label.cpu.replace])
    gone = {name for name, _ in blocks(lock)} - {name for name, _ in blocks(left)}
    assert {"torch", "triton", "nvidia-cublas", "nvidia-nccl-cu13"} <= gone
    assert all(re.match(r"torch$|triton$|cuda-toolkit$|nvidia-", name) for name in gone)
    assert {"nvidia-ml-py", "captum", "dask-cuda", "cuda-bindings", "cuda-core"} <= {
        name for name, _ in blocks(left)
    }


def test_rapids_pins_are_those_that_work_together() -> None:
    """RAPIDS' own pins decide the version of Dask, and the CUDA bindings are there."""
    pins = locked((IMAGES / "rapids/requirements.txt").read_text())
    assert pins["dask-cuda"].startswith("26.10.")
    assert pins["dask"] == pins["distributed"]
    assert {"cuda-bindings", "rapids-dask-dependency", "dask-jobqueue"} <= pins.keys()


def test_wheel_carries_every_definition() -> None:
    """An installed site builds the same environments as a checkout."""
    data = tomllib.loads((IMAGES.parent / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]
    shared = data["wheel"]["shared-data"]
    assert {f"images/{name}": f"share/skiva/images/{name}" for name in SHIPPED}.items() <= shared.items()
    assert {file.parent.name for file in IMAGES.glob("*/image.toml")} == set(SHIPPED)


@pytest.mark.parametrize(
    ("label", "says"),
    [
        ('titel = "x"', "titel"),
        ('title = ""', "title"),
        ("title = ", "is not TOML"),
        ('title = "x"\ngpu = "often"', "gpu"),
        ('title = "a\\nb"', "title"),
        ('title = "x"\nshown = ["../x"]', "shown"),
        ('title = "x"\ngpu = "required"\n[cpu]\nreplace = ["torch"]', "no build for CPUs"),
    ],
)
def test_mistake_in_a_label_names_file_and_field(tmp_path: Path, label: str, says: str) -> None:
    """Whoever writes a definition learns where the mistake is."""
    folder = definition(tmp_path / "mine", "", label=label)
    with pytest.raises(DefinitionError, match=says) as told:
        load(folder)
    assert "image.toml" in str(told.value)


def test_missing_part_is_named(tmp_path: Path) -> None:
    """A definition without its smoke test is not one."""
    definition(tmp_path / "mine", "").joinpath("smoke.py").unlink()
    with pytest.raises(DefinitionError, match=r"lacks the file smoke\.py"):
        load(tmp_path / "mine")


def test_own_definitions_come_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An operator's `base` takes the place of Skiva's."""
    definition(tmp_path / "base", "", label=LABEL)
    monkeypatch.delenv("SKIVA_DEFINITIONS", raising=False)
    assert find("base", [tmp_path]).label.title == "Tiny"
    assert find("base").label.title == "JupyterLab"
    assert set(SHIPPED) <= set(defined([tmp_path]))


@given(st.text(max_size=60))
def test_no_text_is_a_path_out_of_the_definitions(text: str) -> None:
    """A name is looked up, never walked."""
    if text in SHIPPED:
        return
    with pytest.raises(DefinitionError, match="There is no environment called"):
        find(text)


@given(st.lists(st.from_regex(r"[a-z]{1,5}-?[a-z]{1,3}", fullmatch=True), unique=True, max_size=6))
def test_locks_are_taken_apart_and_put_together(names: list[str]) -> None:
    """Nothing of a lock is lost between what is left out and what is kept."""
    lock = "# made by hand\n" + "".join(with_hashes(f"{name}==1", {"file": "0" * 64}) for name in names)
    assert pinned(lock) == [f"{name}==1" for name in names]
    for name in names:
        assert pinned(only(lock, [name])) == [f"{name}==1"]
        assert set(pinned(without(lock, [name]))) == set(pinned(lock)) - {f"{name}==1"}
    assert locked(lock) == dict.fromkeys(names, "1")


def test_shown_versions_keep_the_labels_order() -> None:
    """Pages list them as the definition does, and leave out what is not there."""
    packages = {"a": "1", "b-c": "2"}
    assert list(shown_versions(["b_c", "zz", "a"], packages).items()) == [("b_c", "2"), ("a", "1")]


def test_debian_packages_are_read_from_dpkg(tmp_path: Path) -> None:
    """Only what is installed counts; a directory without dpkg has none."""
    (tmp_path / "var/lib/dpkg").mkdir(parents=True)
    (tmp_path / "var/lib/dpkg/status").write_text(
        "Package: git\nStatus: install ok installed\nVersion: 1:2.39\nDescription: x\n Version: 9\n\n"
        "Package: gone\nStatus: deinstall ok config-files\nVersion: 1\n\n"
    )
    assert debian_packages(tmp_path) == {"git": "1:2.39"}
    assert debian_packages(tmp_path / "var") == {}
