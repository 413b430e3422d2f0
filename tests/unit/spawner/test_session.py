"""What runs in the job: the port, the proof, the report."""

import json
import os
import socket
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skiva.session.listen import listen
from skiva.session.private import NotASession, Private
from skiva.session.proof import judge, prove, try_open
from skiva.session.report import Obsolete, Unheard, report


def test_a_port_is_bound_before_it_is_told() -> None:
    """The port that is reported already belongs to the session."""
    listener = listen("127.0.0.1", (24500, 24599))
    address = listener.getsockname()
    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(address)
    listener.close()


def test_a_range_without_a_free_port_is_an_error_that_names_it() -> None:
    """A firewall's narrow range that is used up says so."""
    first = listen("127.0.0.1", (24600, 24600))
    with pytest.raises(OSError, match="every port from 24600 to 24600"):
        listen("127.0.0.1", (24600, 24600))
    first.close()


@given(
    st.dictionaries(st.text(min_size=1, max_size=4), st.sampled_from(["open", "denied", "absent"])),
    st.integers(0, 8),
)
def test_a_slice_is_exclusive_only_if_exactly_its_devices_open(devices: dict[str, str], allowed: int) -> None:
    """Property: one device too many, or one too few, is never called exclusive."""
    proof = judge(devices, allowed, None)
    assert proof.exclusive == (sum(answer == "open" for answer in devices.values()) == allowed)
    assert proof.sentence.endswith(".")


def test_devices_that_open_though_they_are_not_ours_are_told(tmp_path: Path) -> None:
    """A node that does not fence is caught by trying."""
    for name in ("gpu0", "gpu1"):
        (tmp_path / name).touch()
    proof = prove([str(tmp_path / "gpu*")], [], 1)
    assert not proof.exclusive
    assert "does not fence" in proof.sentence
    assert prove([str(tmp_path / "gpu*")], [str(tmp_path / "gpu1")], 1).exclusive


def test_a_device_without_driver_counts_as_open(tmp_path: Path) -> None:
    """A simulated device that the fence lets through answers ENXIO, which is not a refusal."""
    if os.geteuid() != 0:
        pytest.skip("making a device file needs root")
    device = tmp_path / "skiva0"
    os.mknod(device, 0o20666, os.makedev(250, 12345))
    assert try_open(str(device)) == "open"
    assert try_open(str(tmp_path / "nothing")) == "absent"


def private_file(run_dir: Path, mode: int = 0o600) -> None:
    """A minimal private file."""
    values = {
        "env": {}, "certificate": "", "private_key": "", "nonce": "0123456789abcdef", "bind": "",
        "ports": [1, 2], "devices": [], "always_open": [], "must_be_exclusive": False,
        "devices_wanted": None, "stream_url": "", "minutes": 1, "session": {},
    }  # fmt: skip
    path = run_dir / "server.json"
    path.write_text(json.dumps(values))
    path.chmod(mode)


def test_a_private_file_that_others_can_read_is_not_used(tmp_path: Path) -> None:
    """A secret that leaked once must not start a server."""
    private_file(tmp_path)
    assert Private.read(tmp_path).ports == (1, 2)
    private_file(tmp_path, 0o644)
    with pytest.raises(NotASession, match="not a private file"):
        Private.read(tmp_path)
    with pytest.raises(NotASession, match="cannot be read"):
        Private.read(tmp_path / "elsewhere")


class _Hub(BaseHTTPRequestHandler):
    answers: list[int]

    def do_POST(self) -> None:
        """Answer with the next status of the list, the last one for ever."""
        answers = type(self).answers
        status = answers.pop(0) if len(answers) > 1 else answers[0]
        self.send_response(status)
        self.end_headers()
        self.wfile.write(b'{"message": "because"}')

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def hub() -> Iterator[tuple[str, list[int]]]:
    """A hub that answers reports with a list of statuses."""
    answers = [200]
    server = HTTPServer(("127.0.0.1", 0), type("Hub", (_Hub,), {"answers": answers}))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/hub/api", answers
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_report_is_repeated_until_the_hub_hears_it(hub: tuple[str, list[int]]) -> None:
    """A hub that restarts costs a session nothing but time."""
    url, answers = hub
    answers[:] = [503, 502, 200]
    report(url, "token", {}, patience=30)
    assert answers == [200]


@pytest.mark.parametrize("status", [400, 403, 404, 409])
def test_a_report_that_the_hub_refuses_ends_the_job(
    hub: tuple[str, list[int]], status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An obsolete job learns it, with the hub's own words, and frees its slice."""
    monkeypatch.setattr("skiva.session.report._FORBIDDEN_PATIENCE", 0.5)
    url, answers = hub
    answers[:] = [status]
    with pytest.raises(Obsolete, match="because"):
        report(url, "token", {}, patience=30)


def test_a_hub_whose_database_is_away_ends_no_job(hub: tuple[str, list[int]]) -> None:
    """It cannot look up the token and says 403 for some seconds; whoever waited for hours keeps the place."""
    url, answers = hub
    answers[:] = [403, 503, 403, 403, 200]
    report(url, "token", {}, patience=30)
    assert answers == [200]


def test_a_hub_that_never_answers_is_given_up_in_words() -> None:
    """The wait has an end, and the log says what was waited for."""
    with pytest.raises(Unheard, match="did not take the report"):
        report("http://127.0.0.1:9/hub/api", "token", {}, patience=0.5)
