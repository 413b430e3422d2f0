"""The script that everything starts with: what it says when it cannot do what was asked."""

import os
import re
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[2] / "skiva"
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="needs root")


def skiva(*arguments: str | Path, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run the script to its end."""
    return subprocess.run(
        [SCRIPT, *arguments], capture_output=True, text=True, timeout=60, check=False, cwd=cwd
    )


def test_help_is_on_standard_output() -> None:
    """Who asks for help gets it, with success."""
    done = skiva("--help")
    assert done.returncode == 0
    assert "./skiva COMMAND" in done.stdout


def test_unknown_command_is_wrong_usage() -> None:
    """A command that is not there shows those that are, with the status of wrong usage."""
    done = skiva("upp")
    assert done.returncode == 2
    assert "./skiva COMMAND" in done.stderr


@pytest.mark.parametrize("command", ["status", "down", "env", "doctor"])
def test_nothing_there_is_said_in_one_sentence(command: str, tmp_path: Path) -> None:
    """Commands on a directory in which nothing was started say how to start it, and make nothing."""
    done = skiva(command, "--dir", tmp_path / "none")
    assert done.returncode == 1
    assert done.stderr == f"skiva: There is nothing in {tmp_path / 'none'} yet; './skiva up' starts it.\n"
    assert not (tmp_path / "none").exists()


def test_directory_may_be_relative(tmp_path: Path) -> None:
    """A relative --dir is one below the caller's directory, wherever the script lies."""
    done = skiva("status", "--dir=state", cwd=tmp_path)
    assert f"nothing in {tmp_path}/state yet" in done.stderr


def test_directory_without_a_name_is_refused() -> None:
    """A --dir with nothing after it is named, not taken for the default."""
    done = skiva("status", "--dir")
    assert done.returncode == 1
    assert done.stderr.startswith("skiva: --dir: needs the path")


def test_directory_with_a_space_is_refused(tmp_path: Path) -> None:
    """Slurm's configuration cannot hold a path with a space, so it is refused at once."""
    done = skiva("up", "--dir", tmp_path / "a b")
    assert done.returncode == 1
    assert "must not have spaces" in done.stderr
    assert not (tmp_path / "a b").exists()


@needs_root
def test_directory_that_others_cannot_enter_is_refused(tmp_path: Path) -> None:
    """What jobs run must be where their accounts can go; root hears so before anything is installed."""
    tmp_path.chmod(0o700)
    done = skiva("up", "--dir", tmp_path / "state")
    assert done.returncode == 1
    assert re.fullmatch(r"skiva: Other accounts cannot enter .*; choose another --dir\.\n", done.stderr)


def test_links_to_the_script_work(tmp_path: Path) -> None:
    """The script finds its checkout through a link, so that it may be linked into a PATH."""
    link = tmp_path / "skiva"
    link.symlink_to(SCRIPT)
    done = subprocess.run([link, "help"], capture_output=True, text=True, timeout=60, check=True)
    assert "./skiva COMMAND" in done.stdout
