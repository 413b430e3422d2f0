"""The measurement of starts: what it counts as opened, and that it waits for a first answer."""

import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from bench import start
from bench.ours import CannotMeasure
from bench.start_caches import drop
from bench.start_opens import below, inside, opened
from bench.start_sides import PREFIX, Place, Side

_TRACE = """\
7 openat(AT_FDCWD</home/a>, ""..., O_RDONLY|O_CLOEXEC) = 3</opt/env/lib/a.py>
7 openat(AT_FDCWD</home/a>, ""..., O_RDONLY|O_CLOEXEC) = -1 ENOENT (No such file or directory)
8 openat(4</opt/env/lib>, ""..., O_RDONLY <unfinished ...>
7 open(""..., O_RDONLY)          = 5</opt/environment/b.py>
8 <... openat resumed>)             = 3</opt/env/lib/c d.so>
7 openat(AT_FDCWD</>, ""..., O_RDONLY|O_DIRECTORY) = 6</opt/env>
7 +++ exited with 0 +++
"""

_SERVER = f"""
import http.server, sys
open(sys.argv[2]).close()
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "{PREFIX}api" else 404)
        self.end_headers()
http.server.HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def test_each_successful_open_is_counted_by_what_was_really_opened() -> None:
    """Failed opens do not count, those that another thread interrupts in the trace do."""
    paths = list(opened(_TRACE.splitlines()))
    assert paths == ["/opt/env/lib/a.py", "/opt/environment/b.py", "/opt/env/lib/c d.so", "/opt/env"]
    assert sum(map(below(Path("/opt/env")), paths)) == 3


def test_in_an_image_only_its_own_files_count(tmp_path: Path) -> None:
    """Neither the node's files that are seen inside, nor those made for the session, are the image's."""
    rootfs, entered = tmp_path / "rootfs", tmp_path / "run/root"
    (rootfs / "lib").mkdir(parents=True)
    (rootfs / "lib/a.so").touch()
    (rootfs / "scratch").mkdir()
    is_shared = inside(rootfs, [tmp_path / "elsewhere", entered], ["/scratch", "/home/a"])
    assert is_shared(f"{entered}/lib/a.so")
    assert is_shared(f"{rootfs}/lib/a.so")
    assert not is_shared(f"{entered}/lib/made-here")
    assert not is_shared(f"{entered}/scratch")
    assert not is_shared("/lib/a.so")


# As root the tests install what they need: there, what is missing must not pass for a good end.
_NEEDS_STRACE = pytest.mark.skipif(os.geteuid() != 0 and not shutil.which("strace"), reason="needs strace")


def _side(tmp_path: Path, program: str) -> Side:
    shared = tmp_path / "shared"
    shared.mkdir(exist_ok=True)
    (shared / "file").touch()

    def prepare(place: Place) -> tuple[Sequence[str], Mapping[str, str]]:
        return [sys.executable, "-I", "-c", program, str(place.port), str(shared / "file")], {}

    return Side("stand-in", shared, [], prepare, lambda _: below(shared))


def _as_oneself(monkeypatch: pytest.MonkeyPatch) -> None:
    """The account without rights cannot see a test's directory."""
    monkeypatch.setattr(start, "_run", lambda *given: start.run_as(os.geteuid(), *given))
    monkeypatch.setattr(start, "drop", lambda _: "nothing dropped")


@_NEEDS_STRACE
async def test_a_start_is_measured_up_to_its_first_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Warm, cold and traced starts of a real server: seconds, processor time, memory, one file opened."""
    _as_oneself(monkeypatch)
    side = _side(tmp_path, _SERVER)
    report = await start.measure([side], rounds=1)
    told = report.raw["stand-in"]
    assert isinstance(told, dict)
    assert told["opened"] == 1
    assert 0 < told["warm"][0] < 60
    assert told["memory_mib"][0] > 1
    assert "nothing dropped" in report.text()


@_NEEDS_STRACE
async def test_a_server_that_does_not_start_is_told_with_its_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is measured of what ends before it answers; its last words say why."""
    _as_oneself(monkeypatch)
    with pytest.raises(CannotMeasure, match="no such luck"):
        await start.measure([_side(tmp_path, "raise SystemExit('no such luck')")], rounds=1)


def test_what_was_read_is_forgotten_and_it_is_said_how(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the right to empty the machine's caches, the files of the measured side alone are dropped."""
    monkeypatch.setattr("os.sync", lambda: None)
    monkeypatch.setattr("bench.start_caches._KERNEL", tmp_path / "no such place/drop_caches")
    (tmp_path / "file").write_text("x")
    os.mkfifo(tmp_path / "pipe")
    assert "posix_fadvise" in drop([tmp_path, tmp_path / "file", tmp_path / "missing"])
