"""What the site sets in an environment, where people meet it: a real hub, a real Slurm."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.hub import HubClient
from tests.support.kernel import run_code
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.slurm, pytest.mark.skipif(os.geteuid() != 0, reason="acts as another account")]

USER = "researcher1"
_SET = """[environment.variables]
MLM_LICENSE_FILE = "27000@licences.example.org"
LD_LIBRARY_PATH = "/apps/matlab/runtime"
PATH = "/apps/matlab/bin:/usr/bin:/bin"

[hours]
"""
_LOOK = """
import os, sys
import skiva

def look():
    path = os.environ["PATH"].split(":")
    return os.environ.get("MLM_LICENSE_FILE"), os.environ.get("LD_LIBRARY_PATH"), "/apps/matlab/bin" in path

print(look(), os.environ["PATH"].startswith(sys.prefix))
del os.environ["MLM_LICENSE_FILE"]
run = skiva.submit(look, slice="cpu", hours=0.1)
print(run.result(timeout=60))
"""


@pytest.fixture
def hub(breakable_cluster: Any) -> Iterator[HubClient]:
    """A hub whose site sets variables in its environment."""
    site = breakable_cluster.dir / "site.toml"
    before = site.read_text()
    with HubClient(breakable_cluster.url, breakable_cluster.admin_token) as client:
        _restart(breakable_cluster, client, site, before.replace("[hours]\n", _SET, 1))
        try:
            yield client
        finally:
            client.stop_server(USER)
            client.wait_stopped(USER)
            _restart(breakable_cluster, client, site, before)


def _restart(cluster: Any, client: HubClient, site: Any, text: str) -> None:
    """Let the supervisor start the hub anew, with another site file."""
    site.write_text(text)
    old = cluster.status()["processes"]["hub"]["pid"]
    os.kill(old, 15)

    def is_new() -> bool:
        return bool(cluster.status()["processes"]["hub"]["pid"] != old and client.is_up())

    wait_until(is_new, 60, "the hub is there again")


def test_what_the_site_sets_is_in_kernels_and_in_runs(hub: HubClient, breakable_cluster: Any) -> None:
    """As the site has it in a kernel, below the environment's own programs; in a run too, if it was unset."""
    hub.add_user(USER)
    hub.start_server(USER, {"slice": "cpu"})
    hub.wait_ready(USER, 60)
    printed = run_code(f"{breakable_cluster.url}/user/{USER}/", hub.user_token(USER), _LOOK, seconds=120)
    told = ("27000@licences.example.org", "/apps/matlab/runtime", True)
    assert printed.split("\n")[:2] == [f"{told} True", f"{told}"]
