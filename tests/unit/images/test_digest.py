"""The digest tells environments apart by what is in them, and by nothing else."""

import shutil
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from skiva_images.digest import (
    Installed,
    canonical,
    digest,
    entries,
    installed,
    pyvenv_version,
    site_packages,
)

WORD = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
# Few and alike, so that equal ones are met, and those that would be equal when written one after the other.
_ALIKE = st.sampled_from(["a", "b", "ab", "ba", "1"])
PACKAGES = st.lists(
    st.builds(Installed, _ALIKE, _ALIKE, _ALIKE), unique_by=lambda package: package.name, max_size=3
)


@given(PACKAGES, st.randoms(use_true_random=False))
def test_digest_does_not_depend_on_order(packages: list[Installed], random: object) -> None:
    """Directories are listed in any order."""
    shuffled = list(packages)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert digest("3.11.2", shuffled) == digest("3.11.2", packages)


@example([Installed("a", "ba", "1")], [Installed("ab", "a", "1")], "3.11.2", "3.11.2")
@example([Installed("a", "b", "1"), Installed("b", "1", "a")], [Installed("a", "b", "1b 1 a")], "1", "1")
@given(PACKAGES, PACKAGES, st.sampled_from(["3.11.2", "3.12.1"]), st.sampled_from(["3.11.2", "3.12.1"]))
def test_digests_are_equal_only_for_equal_environments(
    one: list[Installed], other: list[Installed], old: str, new: str
) -> None:
    """Another Python, package, version or content is another digest."""
    same = set(one) == set(other) and old == new
    assert (digest(old, one) == digest(new, other)) == same


def row(path: str, value: str = "sha256=x") -> str:
    """A line of a RECORD."""
    return f"{path},{value},1"


@pytest.mark.parametrize(
    "path",
    [
        "../../../bin/tiny",
        "/opt/elsewhere/tiny.py",
        "tiny/__pycache__/__init__.cpython-311.pyc",
        "tiny/old.pyc",
        "tiny-1.dist-info/INSTALLER",
        "tiny-1.dist-info/REQUESTED",
        "tiny-1.dist-info/direct_url.json",
        "tiny-1.dist-info/RECORD",
    ],
)
def test_what_depends_on_the_place_does_not_count(path: str) -> None:
    """Scripts, byte code and an installer's notes are not the environment's content."""
    assert list(entries(row(path))) == []


def test_what_counts_is_content_inside_and_data_outside() -> None:
    """Modules count, and so do JupyterLab's extensions, which lie beside `lib`."""
    text = "\n".join(
        [row("tiny/a.py"), row("../../../share/jupyter/x.json"), row("tiny-1.dist-info/METADATA")]
    )
    assert [path for path, _ in entries(text)] == [
        "tiny/a.py",
        "prefix:share/jupyter/x.json",
        "tiny-1.dist-info/METADATA",
    ]


@given(st.text(max_size=200) | st.text(st.sampled_from('ab/.,=\n\0"'), max_size=40))
@example("a.py,sha256=x,1")
@example(",0")
@example("\0,0")
def test_no_text_of_a_record_is_an_error(text: str) -> None:
    """A damaged RECORD changes the digest and stops nothing."""
    for path, value in entries(text):
        assert path
        assert value


@given(WORD, st.sampled_from(["-", "_", ".", "--", "_."]), WORD)
def test_names_are_compared_as_indexes_do(one: str, between: str, other: str) -> None:
    """`Foo_Bar`, `foo.bar` and `foo-bar` are one distribution, however often it is told."""
    name = canonical(f"{one}x{between}y{other}".upper())
    assert name == canonical(name) == canonical(f"{one}x-y{other}")


def environment(prefix: Path, *, script: str = "#!/a/bin/python", content: str = "sha256=aa") -> Path:
    """Something that looks like a virtual environment with one package."""
    packages = prefix / "lib/python3.11/site-packages"
    info = packages / "Tiny_Pack-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: Tiny_Pack\nVersion: 1.0\n")
    (info / "RECORD").write_text(f"tiny.py,{content},3\n../../../bin/tiny,sha256={script[-5:]},9\n")
    (prefix / "pyvenv.cfg").write_text("home = /usr/bin\nversion_info = 3.11.2\n")
    return prefix


def test_same_packages_elsewhere_have_the_same_digest(tmp_path: Path) -> None:
    """A copy, with scripts of its own, is the same environment; changed content is not."""
    one = environment(tmp_path / "one")
    other = environment(tmp_path / "other", script="#!/b/bin/another")
    changed = environment(tmp_path / "changed", content="sha256=bb")
    shutil.copytree(one, tmp_path / "copy")
    digests = [
        digest(pyvenv_version(prefix), installed(site_packages(prefix)))
        for prefix in (one, other, tmp_path / "copy", changed)
    ]
    assert digests[0] == digests[1] == digests[2] != digests[3]
    assert installed(site_packages(one))[0][:2] == ("tiny-pack", "1.0")


def test_what_is_no_environment_is_told(tmp_path: Path) -> None:
    """A mistaken path has a sentence, not an empty digest."""
    with pytest.raises(FileNotFoundError, match="is not a Python environment"):
        site_packages(tmp_path)
