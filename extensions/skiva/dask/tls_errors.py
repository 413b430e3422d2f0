"""Keeps healthy TLS connections open where Python's `ssl` leaves OpenSSL's error queue behind.

The queue belongs to the thread. OpenSSL from 3.2 on notes there that a peer was gone when something was
written to it, and `ssl` raises that as an OSError without clearing it. The thread's next connection with
nothing to read is then taken for broken: a scheduler loses a worker, or a kernel its scheduler, whenever
somebody else leaves.

This is https://github.com/python/cpython/issues/148594. Delete this module, and its three calls of `install`,
when every Python that Skiva supports has a release with the fix.
"""

import ssl
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Any

from tornado.iostream import SSLIOStream

__all__ = ["clear", "clear_after_errors", "install"]

_FIRST_OPENSSL = (3, 2)
_CONTEXT = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
_installed: list[type[SSLIOStream]] = []


def install() -> None:
    """Let every TLS connection of this process that fails clear the queue. Call it as often as you like.

    OpenSSL's version alone decides: distributors carry the change of `ssl` to Pythons of various versions,
    and where nothing is left behind, clearing costs some 25 µs for each connection that ends.
    """
    if ssl.OPENSSL_VERSION_INFO >= _FIRST_OPENSSL and SSLIOStream not in _installed:
        _installed.append(SSLIOStream)
        clear_after_errors(SSLIOStream)


def clear_after_errors(stream: type[SSLIOStream]) -> None:
    """Let connections of this class clear the queue after each failure to read or write, and at their end."""
    stream.read_from_fd = _clearing(stream.read_from_fd)  # type: ignore[method-assign]
    stream.write_to_fd = _clearing(stream.write_to_fd)  # type: ignore[method-assign]
    # A handshake that fails ends here too.
    stream.close_fd = _clearing(stream.close_fd, always=True)  # type: ignore[method-assign]


def _clearing(method: Callable[..., Any], *, always: bool = False) -> Callable[..., Any]:
    @wraps(method)
    def call(*arguments: Any) -> Any:
        try:
            answer = method(*arguments)
        except OSError:
            clear()
            raise
        if always:
            clear()
        return answer

    return call


def clear() -> None:
    """Empty this thread's queue.

    `ssl` has no function for it, but each handshake begins by calling OpenSSL's own, ERR_clear_error(). This
    one, of a server to which nobody has said anything yet, does nothing else.
    """
    with suppress(ssl.SSLWantReadError):
        _CONTEXT.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_side=True).do_handshake()
