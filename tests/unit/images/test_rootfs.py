"""How an image's base is asked for, and what of the machine's settings goes where."""

import os
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from skiva_images.errors import BuildError
from skiva_images.fuse import open_fuse
from skiva_images.oci_form import _settings
from skiva_images.rootfs import PACKAGES, command, missing_tools, network_settings, run, sources


def _row(origin: str, codename: str, release: str, made_by: str = "Packages", signed: str = "") -> str:
    return f"{origin}\t{codename}\thttp://mirror/debian/\t{release}\tmain\t{made_by}\t{signed}"


def test_debians_own_sources_alone_are_used() -> None:
    """Other repositories, other releases and indexes that are not packages stay away."""
    rows = [
        _row("Debian", "bookworm", "bookworm"),
        _row("Debian", "bookworm", "bookworm"),
        _row("Debian", "bookworm-security", "bookworm-security", signed="/k.gpg"),
        _row("Debian", "bookworm", "bookworm", made_by="Translations"),
        _row("Debian", "trixie", "trixie"),
        _row("Somebody", "bookworm", "bookworm"),
        "garbage",
    ]
    assert sources("\n".join(rows)) == [
        "deb http://mirror/debian/ bookworm main",
        "deb [signed-by=/k.gpg] http://mirror/debian/ bookworm-security main",
    ]


_FIELDS = ("Debian", "bookworm", "bookworm-updates", "http://m/", "main", "Packages", "/k.gpg", "")
_ROWS = st.lists(st.sampled_from(_FIELDS) | st.text(max_size=9), min_size=6, max_size=8).map("\t".join)


@given(st.lists(_ROWS | st.text(), max_size=4).map("\n".join))
@example(_row("Debian", "bookworm", "bookworm"))
def test_any_answer_of_apt_is_read(text: str) -> None:
    """Whatever is printed, there is at most a line for each of it, never an error."""
    found = sources(text)
    assert all(line.startswith("deb ") and len(line.split(" ")) >= 4 for line in found)
    assert len(found) <= len(text.splitlines())


def test_settings_of_the_network_are_taken_over() -> None:
    """Proxies and time-outs, but no empty values and nothing else."""
    dump = 'APT "";\nAcquire::http "";\nAcquire::http::Proxy "http://p:1";\nAcquire::Retries "3";\nDir "/";\n'
    assert network_settings(dump) == ['Acquire::http::Proxy "http://p:1";', 'Acquire::Retries "3";']


def test_what_was_needed_for_the_network_is_taken_out_of_the_base() -> None:
    """Settings, sources and passwords go in by options and out by the last hook."""
    argv = command(Path("/t.tar"), ["deb http://m bookworm main"], Path("/c"), [Path("/etc/apt/auth.conf")])
    assert f"--include={','.join(PACKAGES)}" in argv
    assert "--aptopt=/c" in argv
    assert "--setup-hook=copy-in /etc/apt/auth.conf /etc/apt/" in argv
    last = [part for part in argv if part.startswith("--customize-hook")][-1]
    for left in ("sources.list", "auth.conf", "apt.conf.d/99", "machine-id"):
        assert left in last
    assert argv[-2:] == ["/t.tar", "deb http://m bookworm main"]


def test_settings_are_quoted_and_chosen() -> None:
    """The build's script has indexes and proxies, in quotes, and nothing of paths that are not in there."""
    env = {
        "UV_INDEX_URL": "https://a/'x y'",
        "UV_CACHE_DIR": "/c",
        "HOME": "/h",
        "https_proxy": "p",
        "SECRET": "s",
    }
    text = _settings(env)
    assert """export UV_INDEX_URL='https://a/'"'"'x y'"'"''\n""" in text
    assert "export https_proxy=p\n" in text
    assert "UV_CACHE_DIR=/run/build/cache" in text
    assert "SECRET" not in text
    assert "/h" not in text


def test_failures_are_told_with_the_programs_words(tmp_path: Path) -> None:
    """A missing program names its package; a failing one its last lines."""
    with pytest.raises(BuildError, match="apt-get install strange"):
        missing_tools({"no-such-program": "strange", "sh": "dash"})
    with pytest.raises(BuildError, match=r"Trying failed.*ended with 3.*\n  not today"):
        run(["sh", "-c", "echo not today >&2; exit 3"], log=tmp_path / "log", what="Trying")


def test_fuse_is_opened_once(tmp_path: Path) -> None:
    """A closed device gets udev's mode where this is root; an open or missing one is left alone."""
    said: list[str] = []
    device = tmp_path / "fuse"
    open_fuse(said.append, device)
    assert said == []
    device.touch(mode=0o600)
    open_fuse(said.append, device)
    open_fuse(said.append, device)
    if os.geteuid() == 0:
        assert len(said) == 1
        assert device.stat().st_mode & 0o777 == 0o666
