"""While a program of the site is down its port is still nobody else's."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.hub import HubClient
from tests.support.waiting import wait_until

_TAKE = """
import itertools, json, socket, sys

def takes(port, family, host, options):
    with socket.socket(family) as thief:
        try:
            for option in options:
                thief.setsockopt(socket.SOL_SOCKET, getattr(socket, option), 1)
            thief.bind((host, port))
            thief.listen()
        except OSError:
            return False
        return True

places = ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::"))
options = ((), ("SO_REUSEADDR",), ("SO_REUSEPORT",), ("SO_REUSEADDR", "SO_REUSEPORT"))
asked = itertools.product(json.load(sys.stdin), places, options)
print(json.dumps([[port, host, how] for port, (kind, host), how in asked if takes(port, kind, host, how)]))
"""
"""Listens on each port in each way that an account has; those that it was let."""


def _taken(cluster: Any, *ports: int) -> list[Any]:
    argv = ["/usr/bin/python3", "-I", "-c", _TAKE]
    done = cluster.run_as("researcher2", argv, stdin=json.dumps(ports))
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout))


@pytest.fixture
def ports(cluster: Any) -> dict[str, int]:
    """The numbers of the site's ports, by what listens there."""
    return dict(json.loads((cluster.dir / "ports.json").read_text()))


@pytest.fixture
def up_again(hub: HubClient) -> Iterator[None]:
    """Leave a hub that answers through its proxy."""
    yield
    wait_until(hub.is_up, 60, "the hub answers")


@pytest.mark.usefixtures("up_again")
@pytest.mark.parametrize(("part", "names"), [("hub", ("hub", "stream")), ("proxy", ("public", "proxy_api"))])
def test_nobody_listens_in_the_place_of_hub_or_proxy(
    cluster: Any, ports: dict[str, int], free_port: int, part: str, names: tuple[str, ...]
) -> None:
    """Passwords, cookies and tokens go there, also in the moment in which the program is started again."""
    with cluster.without(part):
        assert _taken(cluster, *(ports[name] for name in names)) == []
    # One that is held as Slurm's are, for any server that may reuse addresses, is anybody's.
    assert _taken(cluster, free_port)
