"""What a session leaves of the site's offer for notebooks and terminals."""

import json
import os
from pathlib import Path

import pytest

from skiva.session.offered import write_offer
from skiva.session.private import Private
from skiva_slurm.offer import Offer

OFFER = {
    "hub": "lab",
    "bin": "/usr/bin",
    "slices": [],
    "environment": {"id": "base", "title": "Base", "launch": {"python": "/p"}, "digest": ""},
    "of_a_newer_hub": 1,
}


def home_file(home: Path) -> Path:
    """Where terminals find it."""
    return home / ".local/state/skiva/offer.json"


def test_both_files_are_private_whole_and_know_the_environments_digest(tmp_path: Path) -> None:
    """The hub does not know what a session runs in; the session fills it in."""
    run_dir, home = tmp_path / "run", tmp_path / "home"
    for _ in range(2):
        write_offer(OFFER, run_dir, home, "sha256:1")
    for path in (run_dir / "offer.json", home_file(home)):
        told = Offer.model_validate_json(path.read_text())
        assert (told.hub, told.environment.digest) == ("lab", "sha256:1")
        assert path.stat().st_mode & 0o777 == 0o600
        assert path.parent.stat().st_mode & 0o777 == 0o700
        assert [one.name for one in path.parent.iterdir()] == ["offer.json"]


def test_a_link_in_its_place_is_replaced_and_not_followed(tmp_path: Path) -> None:
    """A file that somebody planted a link to keeps its content."""
    target = tmp_path / "target"
    target.write_text("mine")
    path = home_file(tmp_path)
    path.parent.mkdir(parents=True)
    path.symlink_to(target)
    (path.parent / f".offer.json.{os.getpid()}").symlink_to(target)
    write_offer(OFFER, tmp_path / "run", tmp_path, "")
    write_offer(OFFER, tmp_path / "run", tmp_path, "")
    assert target.read_text() == "mine"
    assert json.loads(path.read_text())["hub"] == "lab"
    assert not path.is_symlink()


@pytest.mark.parametrize("hindrance", ["file", "open", "none"])
def test_no_session_fails_for_it(tmp_path: Path, capsys: pytest.CaptureFixture[str], hindrance: str) -> None:
    """A home that cannot be written to, or a directory that others may write to: said in the log, no more."""
    place = home_file(tmp_path).parent
    if hindrance == "file":
        place.parent.mkdir(parents=True)
        place.write_text("in the way")
    elif hindrance == "open":
        place.mkdir(parents=True)
        place.chmod(0o777)
    write_offer(OFFER if hindrance != "none" else {}, tmp_path / "run", tmp_path, "")
    assert ("was not written" in capsys.readouterr().err) == (hindrance != "none")
    assert (tmp_path / "run/offer.json").exists() == (hindrance != "none")


def test_a_private_file_of_another_hubs_version_is_read(tmp_path: Path) -> None:
    """An older hub tells no offer, a newer one tells what this environment does not know."""
    known = {
        "env": {},
        "certificate": "c",
        "private_key": "k",
        "nonce": "n",
        "bind": "",
        "ports": [1, 2],
        "devices": [],
        "always_open": [],
        "must_be_exclusive": False,
        "devices_wanted": None,
        "stream_url": "",
        "minutes": 1,
        "session": {},
    }
    path = tmp_path / "server.json"
    path.write_text(json.dumps(known | {"news": 1}))
    path.chmod(0o600)
    private = Private.read(tmp_path)
    assert (private.offer, private.run_dir, private.ports) == ({}, tmp_path, (1, 2))
