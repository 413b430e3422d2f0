"""Two sites on one machine that do not know of each other."""

import os
import pwd
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest
from tests.support.cluster_owner import cluster_owner
from tests.support.hub import HubClient

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif(os.geteuid() != 0, reason="only root has accounts for several sites"),
]

_WORK = """
run = skiva.submit(sum, range(10), slice="cpu", hours=0.5)
with skiva.cluster(slice="cpu", workers=1) as cluster, cluster.get_client() as client:
    told = [run.result(timeout=60), client.submit(sum, range(11)).result(timeout=60)]
"""


@pytest.fixture
def sites(new_cluster: Callable[..., Any]) -> tuple[Any, Any]:
    """Both started at the same time."""
    with ThreadPoolExecutor(2) as pool:
        one, other = pool.map(lambda _: new_cluster(), range(2))
    return one, other


@pytest.fixture
def hubs(sites: tuple[Any, Any]) -> Iterator[tuple[HubClient, HubClient]]:
    """Their hubs, for administrators."""
    one, other = sites
    with HubClient(one.url, one.admin_token) as first, HubClient(other.url, other.admin_token) as second:
        yield first, second


def test_each_does_all_that_a_site_does_and_outlives_the_other(
    sites: tuple[Any, Any], hubs: tuple[HubClient, HubClient]
) -> None:
    """A session, a run and a Dask cluster on each; when one is taken down the other's session stays."""
    for site, hub in zip(sites, hubs, strict=True):
        hub.start_server(site.people[0], {"slice": "1g.10gb"})
    for site, hub in zip(sites, hubs, strict=True):
        hub.wait_ready(site.people[0], 60)
        with cluster_owner(site, site.people[1]) as owner:
            assert owner.do(_WORK) == [45, 55]
    one, other = sites
    told = one.status()
    assert (told["address"], told["directory"]) == (f"{one.url}/", str(one.dir))
    assert (tuple(told["accounts"]), told["slices"]["1g.10gb"]["free"]) == (one.people, 6)
    assert other.skiva("down", "--purge").returncode == 0
    server = hubs[0].server(one.people[0])
    assert server is not None
    assert server["ready"]
    assert "RUNNING" in one.run_as("root", ["/usr/bin/squeue", "-h", "-o", "%T"]).stdout
    assert {name: _exists(name) for name in (*one.people, *other.people)} == {
        **dict.fromkeys(other.people, False),
        **dict.fromkeys(one.people, True),
    }


def _exists(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def test_people_of_one_do_not_exist_on_the_other(
    sites: tuple[Any, Any], hubs: tuple[HubClient, HubClient]
) -> None:
    """Nobody signs in to the other site, submits to its Slurm, or is acted for by its hub."""
    one, other = sites
    assert not set(one.people) & set(other.people)
    for here, there in ((one, other), (other, one)):
        mine, theirs = here.people[0], there.people[0]
        assert _signs_in(here, mine)
        assert not _signs_in(here, theirs)
        assert _submits(here, mine).returncode == 0
        assert "group not permitted" in _submits(here, theirs).stderr
        allowed = here.run_as("root", ["/usr/bin/sudo", "-l", "-U", _hub_account(here)]).stdout
        commands = [line.split()[-1] for line in allowed.splitlines() if "NOPASSWD:" in line]
        assert commands == [str(here.dir / "libexec" / "skiva-act")]
    for site, hub in zip(sites, hubs, strict=True):
        known = {user["name"] for user in hub.get("users")}
        assert known <= set(site.people), known


def _hub_account(site: Any) -> str:
    return str((site.dir / "hub").owner())


def _submits(site: Any, name: str) -> Any:
    return site.run_as(name, ["/usr/bin/sbatch", "--partition=cpu", "--output=/dev/null", "--wrap=true"])


def _signs_in(site: Any, name: str) -> bool:
    """Whether the site's password lets somebody of this name in."""
    with httpx.Client(base_url=site.url, trust_env=False, timeout=30) as client:
        form = client.get("/hub/login")
        assert form.status_code == 200
        sent = {"username": name, "password": site.password, "_xsrf": client.cookies["_xsrf"]}
        answer = client.post("/hub/login", data=sent)
        assert answer.status_code in {302, 403}, answer.text
        return answer.status_code == 302
