"""Another release of Debian to run the tests on: where it comes from."""

import os
from pathlib import Path

import pytest
from tests.support.release import archive, main, recipe


def _row(codename: str, release: str, *, origin: str = "Debian", key: str = "$(SIGNED_BY)") -> str:
    return f"{origin}\t{codename}\thttp://mirror.example/debian/\t{release}\tmain\tPackages\t{key}"


HERE = _row("bookworm", "bookworm", key="/usr/share/keyrings/debian.gpg")
OTHERS = [
    _row("bookworm", "bookworm-updates"),
    _row("bookworm-security", "bookworm-security"),
    _row("nodistro", "nodistro", origin=". nodistro"),
]


def test_a_release_comes_from_where_this_machines_own_does() -> None:
    """The same mirror and keyring; updates and other vendors' archives are left out."""
    found = archive("\n".join([HERE, *OTHERS]), "bookworm", "trixie")
    assert found == [
        "deb [signed-by=/usr/share/keyrings/debian.gpg] http://mirror.example/debian/ trixie main"
    ]


def test_a_release_that_apt_knows_comes_from_where_apt_says() -> None:
    """With all that apt has of it."""
    targets = "\n".join([HERE, _row("trixie", "trixie"), _row("trixie-security", "trixie-security")])
    assert archive(targets, "bookworm", "trixie") == [
        "deb http://mirror.example/debian/ trixie main",
        "deb http://mirror.example/debian/ trixie-security main",
    ]


def test_without_an_archive_of_debian_there_is_nothing_to_install() -> None:
    """Whatever else apt is configured for."""
    assert archive(OTHERS[-1], "bookworm", "trixie") == []


def test_a_release_is_installed_from_these_lines_alone() -> None:
    """After its name and its directory come apt's lines and nothing else."""
    argv = recipe("trixie", Path("/root"), ["deb http://mirror.example trixie main"], Path("/settings"))
    assert argv[-3:] == ["trixie", "/root", "deb http://mirror.example trixie main"]
    assert "--aptopt=/settings" in argv


@pytest.mark.parametrize("suite", ["", "../etc", "trixie/x", "-x", "Trixie"])
def test_a_name_that_is_no_releases_is_refused(suite: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It becomes part of a path; a right one is refused to everybody but root."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(SystemExit):
        main([suite, "true"])
    assert main(["trixie", "true"]) == 1
