"""What worker jobs spill on their node: of one that was killed nothing is left once another one starts."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.waiting import wait_until

from skiva.dask.scratch import scratch_dir

_HOLD = """
import time
from skiva.dask.scratch import scratch_dir
with scratch_dir() as path:
    open(path + "/spilled", "w").close()
    print(path, flush=True)
    time.sleep(600)
"""


@pytest.fixture(autouse=True)
def _tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A node's temporary directory."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


@pytest.fixture
def other(tmp_path: Path) -> "Iterator[tuple[subprocess.Popen[str], Path]]":
    """Another job on the node, and its directory, made an hour ago."""
    env = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen([sys.executable, "-c", _HOLD], env=env, stdout=subprocess.PIPE, text=True) as job:
        assert job.stdout
        place = Path(job.stdout.readline().strip())
        os.utime(place, (0, 0))
        yield job, place
        job.kill()


def test_a_job_removes_its_own(tmp_path: Path) -> None:
    """It is private, and gone with the job."""
    with scratch_dir() as path:
        assert Path(path).stat().st_mode & 0o077 == 0
    assert not list(tmp_path.iterdir())


def test_a_killed_one_is_cleared_by_the_next(other: "tuple[subprocess.Popen[str], Path]") -> None:
    """Nobody holds its lock any more."""
    job, place = other
    job.send_signal(signal.SIGKILL)
    job.wait()
    with scratch_dir():
        wait_until(lambda: not place.exists(), 20, "it is gone")


def test_what_lives_is_begun_or_is_not_ours_stays(
    other: "tuple[subprocess.Popen[str], Path]", tmp_path: Path
) -> None:
    """A job that runs, a directory whose lock is still to come, a link to elsewhere, a file."""
    _, place = other
    gone, young, file = (tmp_path / f"skiva-dask-{name}" for name in ("gone", "young", "file"))
    for directory in (gone, young, tmp_path / "elsewhere"):
        directory.mkdir()
        (directory / "lock").touch()
    file.touch()
    link = tmp_path / "skiva-dask-link"
    link.symlink_to(tmp_path / "elsewhere")
    for path in (gone, file):
        os.utime(path, (0, 0))
    os.utime(link, (0, 0), follow_symlinks=False)
    with scratch_dir():
        wait_until(lambda: not gone.exists(), 20, "what was left is cleared")
    assert (place / "spilled").exists()
    assert young.exists()
    assert file.exists()
    assert (link / "lock").exists()
