"""The small parts that starting and ending a cluster rest on."""

import fcntl
import json
import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from skiva_hub import cli
from skiva_hub.embedded import accounts, commands, files, people, ports, state
from skiva_hub.embedded.errors import CannotStart
from skiva_hub.embedded.proc import Process, descendants, kill


def test_a_process_is_told_from_one_that_has_its_number() -> None:
    """A recorded process with another start time is never signalled."""
    with subprocess.Popen(["/usr/bin/sleep", "100"]) as sleep:
        process = Process.of(sleep.pid)
        assert process is not None
        other = Process(sleep.pid, process.started + 1)
        assert (process.alive(), other.alive()) == (True, False)
        assert not other.signal(signal.SIGKILL)
        kill([process])
        assert not process.alive()


def test_descendants_are_found_at_any_depth() -> None:
    """Children of children count too."""
    script = "sleep 100 & sleep 100 & wait"
    with subprocess.Popen(
        ["/bin/sh", "-c", f"sh -c '{script}' & echo; wait"], stdout=subprocess.PIPE
    ) as shell:
        assert shell.stdout is not None
        shell.stdout.readline()
        found: list[Process] = []
        while len(found) < 3:
            found = descendants(shell.pid)
        kill([*found, Process.recorded({"pid": shell.pid, "started": 0})])
        assert not any(process.alive() for process in found)


def test_ports_are_kept_until_somebody_takes_them(tmp_path: Path) -> None:
    """The second start has the same ports; one that is taken by then is replaced."""
    names = ("hub", "controller")
    with _chosen(tmp_path, names, _free()) as first:
        pass
    with _chosen(tmp_path, names, None) as second:
        assert second == first
    with socket.socket() as thief:
        thief.bind(("127.0.0.1", first["hub"]))
        thief.listen()
        with _chosen(tmp_path, names, None) as again:
            assert again["hub"] != first["hub"]
            assert again["controller"] == first["controller"]


def test_what_one_reserved_no_other_can_and_its_server_listens(tmp_path: Path) -> None:
    """Two sites that start at the same time share no port, though nobody listens on any yet."""
    names = tuple("abcdefgh")
    one, other = tmp_path / "one", tmp_path / "other"
    for place in (one, other):
        place.mkdir()
    with _chosen(one, names, _free()) as first:
        (other / "ports.json").write_text((one / "ports.json").read_text())
        with _chosen(other, names, _free()) as second:
            assert not set(first.values()) & set(second.values())
        with socket.create_server(("127.0.0.1", first["a"])) as server:
            assert server.getsockname()[1] == first["a"]
    kept = ports.reserve(first["a"])
    assert kept is not None, "free again"
    kept.close()


def test_a_port_can_be_opened_again_at_once(tmp_path: Path) -> None:
    """The public port stays what people know, though connections of a moment ago are still in the kernel."""
    port = _free()
    with (
        socket.create_server(("127.0.0.1", port)) as server,
        socket.create_connection(("127.0.0.1", port)) as client,
    ):
        server.accept()[0].close()  # the server's end closes first, and lingers
        assert client.recv(1) == b""
    assert ports.reserve(port) is None, "something lingers"
    with _chosen(tmp_path, (), port) as chosen:
        assert chosen["public"] == port


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has accounts for a site")
def test_accounts_that_nobody_can_tell_are_not_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where the list of accounts cannot be read, a purge says so in a sentence and removes nothing."""
    directory, record = tmp_path / "site", tmp_path / "accounts.json"
    directory.mkdir()
    (directory / "password").write_text("kept")
    record.write_text("{")
    monkeypatch.setattr(accounts, "_RECORD", record)
    monkeypatch.setattr(accounts, "_LOCK", tmp_path / "accounts.lock")
    assert commands.down(directory, purge=True) == 1
    assert f"{record} cannot be read" in capsys.readouterr().err
    assert (directory / "password").read_text() == "kept"


@contextmanager
def _chosen(directory: Path, names: tuple[str, ...], public: int | None) -> Iterator[Mapping[str, int]]:
    chosen = ports.choose(directory, names, public)
    try:
        yield chosen.numbers
    finally:
        for holder in chosen.held.values():
            holder.close()


def test_a_taken_public_port_is_refused(tmp_path: Path) -> None:
    """People type it, so it is never changed behind their back."""
    with socket.socket() as thief:
        thief.bind(("127.0.0.1", 0))
        thief.listen()
        port = thief.getsockname()[1]
        with pytest.raises(CannotStart, match=f"Port {port} .* --port"):
            ports.choose(tmp_path, (), port)


def test_a_secret_is_never_open_to_others(tmp_path: Path) -> None:
    """The file has its mode from the start, and replaces what was there whole."""
    path = tmp_path / "secret"
    path.write_text("old, and open")
    path.chmod(0o666)
    files.write(path, "new", mode=0o600)
    assert (path.read_text(), path.stat().st_mode & 0o777) == ("new", 0o600)
    assert list(tmp_path.iterdir()) == [path]


def test_the_password_can_be_read_aloud() -> None:
    """Four groups of five letters, never the same twice."""
    made = {people.readable_password() for _ in range(50)}
    assert len(made) == 50
    assert all(re.fullmatch(r"([a-z]{5}-){3}[a-z]{5}", word) for word in made)


def test_one_cluster_holds_a_directory(tmp_path: Path) -> None:
    """Whoever comes second gets nothing until the first has let go."""
    held = state.lock(tmp_path)
    assert held is not None
    assert state.lock(tmp_path) is None
    fcntl.flock(held, fcntl.LOCK_UN)
    os.close(held)
    again = state.lock(tmp_path, seconds=1)
    assert again is not None
    os.close(again)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"guard": 1}', json.dumps({"guard": {"pid": "x"}})])
def test_a_garbled_record_is_no_record(tmp_path: Path, text: str) -> None:
    """A half-written or foreign file never leads to a signal."""
    (tmp_path / "run.json").write_text(text)
    assert state.load(tmp_path) is None


@pytest.mark.parametrize("port", ["80", "65536", "x", "-1", "٨٠٨٠"])
def test_a_port_is_a_number_that_anybody_may_listen_on(
    port: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The command line says what is wrong before anything starts."""
    with pytest.raises(SystemExit) as ended:
        cli.main(["up", f"--port={port}", f"--dir={tmp_path}"])
    assert ended.value.code == 2
    assert "from 1024 to 65535" in capsys.readouterr().err


def test_nothing_runs_in_a_directory_that_is_not_there(tmp_path: Path) -> None:
    """`status` has exit status 3, `down` is content."""
    for command, status in (("status", 3), ("down", 0)):
        with pytest.raises(SystemExit) as ended:
            cli.main([command, "--dir", str(tmp_path / "none")])
        assert ended.value.code == status


def _free() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
