"""Ports for what tests start."""

import socket

from skiva_hub.embedded.ports import reserve

__all__ = ["free_port"]

_reserved: list[socket.socket] = []


def free_port() -> int:
    """A port of 127.0.0.1 for one server, which no other process of the tests is given meanwhile."""
    for port in range(22_100, 32_000):  # below those that the kernel gives out
        if (holder := reserve(port)) is not None:
            _reserved.append(holder)
            return port
    raise AssertionError("every port is taken")
