"""What somebody lays where Skiva is about to write."""

import os
import pwd
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

_SKIVA = Path(__file__).resolve().parents[2] / "skiva"
_COMMANDS = (["up", "--detach"], ["status"], ["down", "--purge"], ["env"], ["images", "list"])


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory like `/tmp`, in which all may write."""
    made = Path(tempfile.mkdtemp(prefix="skiva-planted-", dir="/var/tmp"))
    made.chmod(0o1777)
    yield made
    shutil.rmtree(made)


def _plant(path: Path, place: Path) -> None:
    """A state directory of researcher2's whose program tells who ran it, and whose files are links."""
    python = path / "venv" / "hub" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f"#!/bin/sh\nid -u >{place}/ran\n")
    python.chmod(0o755)
    for name in (".lock", "install.log"):
        (path / "venv" / name).symlink_to(place / "target")
    for one in (path, *path.rglob("*")):
        os.chown(one, *_researcher2(), follow_symlinks=False)


def _researcher2() -> tuple[int, int]:
    entry = pwd.getpwnam("researcher2")
    return entry.pw_uid, entry.pw_gid


def _told(command: list[str], directory: Path) -> str:
    done = subprocess.run(
        [_SKIVA, command[0], f"--dir={directory}", *command[1:]],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stderr


@pytest.mark.parametrize("kind", ["directory", "below", "link", "dangling", "fifo", "file", "open"])
def test_a_state_directory_that_others_planted_is_refused(place: Path, cluster: Any, kind: str) -> None:
    """Before anything in it is run or written by root, and before anything is written where a link leads."""
    assert "researcher2" in cluster.people
    target, directory = place / "target", place / "site"
    target.write_text("kept")
    target.chmod(0o644)
    if kind in {"directory", "below"}:
        _plant(directory, place)
    elif kind == "link":
        (place / "roots").mkdir()
        directory.symlink_to(place / "roots")
    elif kind == "dangling":
        directory.symlink_to(place / "absent")
    elif kind == "fifo":
        os.mkfifo(directory)
    elif kind == "file":
        directory.touch()
    if kind == "open":
        directory.mkdir()
        directory.chmod(0o777)
    else:
        os.chown(directory, *_researcher2(), follow_symlinks=False)
    if kind == "below":
        directory = directory / "mine"
    for command in _COMMANDS:
        assert "belongs to somebody else or others may write to it" in _told(command, directory), command
    assert (target.read_text(), stat.S_IMODE(target.stat().st_mode)) == ("kept", 0o644)
    assert not (place / "ran").exists()
    assert not (place / "absent").exists()
    assert not list((place / "roots").glob("*"))
    # One of root's own is as good there as anywhere.
    (place / "own").mkdir()
    assert "There is nothing in" in _told(["status"], place / "own")
