"""The server's port: bound before anybody hears of it, so that nobody can take it in between."""

import errno
import random
import socket

_NEXT_PORT = {errno.EADDRINUSE, errno.EACCES}


def listen(address: str, ports: tuple[int, int]) -> socket.socket:
    """A listening socket on `address`, on a port of the range that is free now.

    Raises:
        OSError: every port of the range is taken, or the address is not this machine's.
    """
    candidates = list(range(ports[0], ports[1] + 1))
    random.shuffle(candidates)
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for port in candidates:
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            listener.bind((address, port))
            listener.listen(128)
        except OSError as problem:
            listener.close()
            if problem.errno not in _NEXT_PORT:
                raise
        else:
            listener.setblocking(False)
            return listener
    raise OSError(errno.EADDRINUSE, f"every port from {ports[0]} to {ports[1]} is taken on {address}")
