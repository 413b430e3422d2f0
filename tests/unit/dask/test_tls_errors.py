"""A TLS connection that fails takes no other one of its thread with it."""

import _ssl
import asyncio
import ctypes
import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.clusters_on_disk import lay_cluster
from tornado.iostream import IOStream, SSLIOStream, StreamClosedError

from skiva.dask import tls_errors
from skiva.dask.ask import tls_context
from skiva.dask.security import server_context

ROOT = Path(__file__).parents[3]
_LIBRARY = 2
"""OpenSSL's number for what the system says."""


class Queue:
    """OpenSSL's error queue of this thread."""

    def __init__(self) -> None:
        # Python's `ssl` brings the library along.
        self._openssl = ctypes.CDLL(_ssl.__file__)
        self._openssl.ERR_peek_error.restype = ctypes.c_ulong

    def leave(self, number: int = 32) -> None:
        """Leave an error behind, as `ssl` does when OpenSSL tells that a peer is gone."""
        self._openssl.ERR_new()
        self._openssl.ERR_set_error(_LIBRARY, number, None)
        assert self.first != 0

    @property
    def first(self) -> int:
        """The oldest error; 0 where there is none."""
        return int(self._openssl.ERR_peek_error())


@pytest.fixture
def queue() -> Iterator[Queue]:
    """Empty before and after the test."""
    try:
        found = Queue()
        assert found.first == 0
    except (AttributeError, OSError):
        pytest.skip("this Python's OpenSSL cannot be looked into")
    yield found
    tls_errors.clear()


@pytest.fixture
def mended(monkeypatch: pytest.MonkeyPatch) -> None:
    """Connections of this process as they are where `install` finds that it is needed."""
    for name in ("read_from_fd", "write_to_fd", "close_fd"):
        monkeypatch.setattr(SSLIOStream, name, getattr(SSLIOStream, name))  # it is put back afterwards
    tls_errors.clear_after_errors(SSLIOStream)


def test_clearing_empties_the_queue(queue: Queue) -> None:
    """However many errors were left behind."""
    queue.leave(32)
    queue.leave(104)
    tls_errors.clear()
    assert queue.first == 0


def _leaving(queue: Queue, problem: Exception | None) -> Callable[..., Any]:
    def method(*_: Any) -> Any:
        queue.leave()
        if problem is not None:
            raise problem
        return 7

    return method


def test_nothing_is_left_behind_by_a_failure_or_an_end(queue: Queue) -> None:
    """Reading, writing and closing leave no error to the next connection; what works costs nothing."""
    lost = BrokenPipeError("the peer is gone")

    class Stream(SSLIOStream):
        read_from_fd = _leaving(queue, lost)
        write_to_fd = _leaving(queue, lost)
        close_fd = _leaving(queue, None)

    tls_errors.clear_after_errors(Stream)
    for method in (Stream.read_from_fd, Stream.write_to_fd):
        with pytest.raises(BrokenPipeError, match="the peer is gone"):
            method(None, b"")
        assert queue.first == 0
    assert Stream.close_fd(None) == 7
    assert queue.first == 0

    class Fine(SSLIOStream):
        read_from_fd = _leaving(queue, None)

    tls_errors.clear_after_errors(Fine)
    assert Fine.read_from_fd(None, bytearray()) == 7
    assert queue.first != 0


async def _connection(directory: Path) -> tuple[SSLIOStream, SSLIOStream]:
    """Both ends of one, with a cluster's own keys."""
    place = lay_cluster(directory)
    near, far = (IOStream(end) for end in socket.socketpair())
    return await asyncio.gather(
        near.start_tls(True, server_context(place)), far.start_tls(False, tls_context(place))
    )


@pytest.mark.usefixtures("mended")
async def test_a_peer_that_goes_takes_no_other_connection_along(tmp_path: Path) -> None:
    """Somebody is written to who is gone; the thread's next connection waits for its next word, and gets it.

    Without the mending it fails where OpenSSL and `ssl` have the fault, as on Debian 13.
    """
    lost, gone = await _connection(tmp_path / "lost")
    healthy, other = await _connection(tmp_path / "healthy")
    gone.socket.close()
    gone.close()
    with pytest.raises(StreamClosedError):
        await lost.write(b"are you there?")
    waiting = asyncio.ensure_future(healthy.read_bytes(5))
    await asyncio.sleep(0)
    await other.write(b"hello")
    assert await asyncio.wait_for(waiting, 10) == b"hello"
    healthy.close()
    other.close()


_STARTS = {
    "Dask's own processes": "import skiva.dask.guard",
    "a kernel or a job with a cluster": """
from pathlib import Path
from skiva.dask.place import ClusterDir
from skiva.dask.security import load
load(ClusterDir(Path("/nowhere")))
""",
    "a Jupyter server": """
import asyncio
from pathlib import Path
from tests.support.runs_lab import served
async def serve():
    async with served(Path.home()):
        pass
asyncio.run(serve())
""",
}
_WHETHER = """
import ssl
ssl.OPENSSL_VERSION_INFO = (3, 2, 0, 0, 0)
{start}
from tornado.iostream import SSLIOStream
methods = (SSLIOStream.read_from_fd, SSLIOStream.write_to_fd, SSLIOStream.close_fd)
print([hasattr(method, "__wrapped__") for method in methods])
"""


@pytest.mark.parametrize("start", _STARTS.values(), ids=_STARTS.keys())
def test_every_kind_of_process_is_mended_where_openssl_has_the_fault(start: str, tmp_path: Path) -> None:
    """Whoever talks to a cluster over TLS, by whatever this process began with."""
    env = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "JUPYTER_PREFER_ENV_PATH": "0"}
    done = subprocess.run(
        [sys.executable, "-c", _WHETHER.format(start=start)],
        capture_output=True,
        text=True,
        env=env,
        cwd=ROOT,
        check=False,
    )
    assert done.stdout.splitlines()[-1:] == [str([True] * 3)], done.stderr


@pytest.mark.parametrize(("version", "times"), [((3, 1, 9), 0), ((3, 2, 0), 1), ((4, 0, 0), 1)])
def test_it_is_done_once_and_only_where_openssl_has_the_fault(
    version: tuple[int, ...], times: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenSSL's version decides; who asks again changes nothing."""

    class Stream(SSLIOStream):
        pass

    monkeypatch.setattr(tls_errors, "SSLIOStream", Stream)
    monkeypatch.setattr(ssl, "OPENSSL_VERSION_INFO", version)
    for _ in range(3):
        tls_errors.install()
    assert _depth(Stream.read_from_fd) - _depth(SSLIOStream.read_from_fd) == times


def _depth(method: Any) -> int:
    return 1 + _depth(method.__wrapped__) if hasattr(method, "__wrapped__") else 0
