"""Which accounts' programs listen on a port of the node."""

import os
import socket
import subprocess

import pytest
from tornado.web import HTTPError

from skiva.session.own_ports import check, owners

_V4 = """\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:2253 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 1 1 0 100 0 0 10 0
   1: 0100007F:2253 0100007F:9C40 01 00000000:00000000 00:00000000 00000000  1002        0 2 1 0 20 0 0 10 -1
   2: 00000000:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 3 1 0 100 0 0 10 0
   3: 0100007F:2254 00000000:0000 0A 00000000:00000000
"""
_V6 = """\
  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000001000000:2253 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000  1001        0 4 1 0 100 0 0 10 0
"""  # noqa: E501


def test_every_listener_on_a_port_counts() -> None:
    """One on each address family, whichever account it is; connections and torn rows do not count."""
    assert owners(8787, [_V4]) == {1000}
    assert owners(8787, [_V4, _V6]) == {1000, 1001}
    assert owners(80, [_V4, _V6]) == {0}
    assert owners(8788, [_V4, _V6, ""]) == set()


def test_ones_own_port_is_reached_and_a_free_one_is_told() -> None:
    """The kernel's own tables know the listener of this process at once, and its end."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        check(port)
    with pytest.raises(HTTPError, match="No program listens on port") as told:
        check(port)
    assert told.value.status_code == 503


_LISTENER = """\
import signal, socket
server = socket.create_server(("127.0.0.1", 0))
print(server.getsockname()[1], flush=True)
signal.pause()
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs a listener of another account")
def test_somebody_elses_port_is_refused() -> None:
    """A listener of another account is refused, whatever it would answer."""
    argv = ["/usr/bin/python3", "-I", "-c", _LISTENER]
    with subprocess.Popen(argv, user=65534, stdout=subprocess.PIPE, text=True, cwd="/") as other:
        try:
            assert other.stdout is not None
            with pytest.raises(HTTPError, match="somebody else's") as told:
                check(int(other.stdout.readline()))
        finally:
            other.kill()
    assert told.value.status_code == 403
