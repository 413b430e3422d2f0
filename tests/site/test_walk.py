"""The short way through all that a site does, on whatever release of Debian the tests run on."""

import json
from typing import Any

import pytest
from tests.support.hub import HubClient
from tests.support.kernel import run_code
from tests.support.waiting import wait_until

pytestmark = pytest.mark.slurm

_WORK = """
import skiva
run = skiva.submit(sum, range(10), slice="cpu", hours=0.5)
with skiva.cluster(slice="cpu", workers=2) as cluster, cluster.get_client() as client:
    client.wait_for_workers(2, timeout=120)
    work = client.map(lambda number: number * number, range(100))
    print([run.result(timeout=120), sum(client.gather(work))])
"""


def test_a_session_a_run_a_cluster_and_the_doctor(cluster: Any) -> None:
    """In one cell: a result from the queue, and work on two workers; the doctor finds nothing amiss."""
    person = cluster.people[0]
    with HubClient(cluster.url, cluster.admin_token) as hub:
        hub.start_server(person, {"slice": "1g.10gb"})
        try:
            hub.wait_ready(person, 120)
            url = f"{cluster.url}/user/{person}/"
            assert run_code(url, hub.user_token(person), _WORK, seconds=240).strip() == "[45, 328350]"
        finally:
            hub.stop_server(person)
            hub.wait_stopped(person, 60)
    done = cluster.skiva("doctor", "--json")
    told = json.loads(done.stdout)
    assert (done.returncode, told["errors"]) == (0, 0), done.stdout


def test_a_session_that_is_told_to_end_leaves_no_dead_address(cluster: Any) -> None:
    """It tells the hub on its way out, which looks at once instead of when its next turn comes."""
    person = cluster.people[1]
    with HubClient(cluster.url, cluster.admin_token) as hub:
        hub.start_server(person, {"slice": "cpu"})
        hub.wait_ready(person, 120)
        queued = ["/usr/bin/squeue", "--noheader", "--format=%i", f"--user={person}", "--name=skiva"]
        job = cluster.run_as(person, queued).stdout.split()
        assert len(job) == 1
        cluster.run_as(person, ["/usr/bin/scancel", *job])
        wait_until(lambda: not cluster.run_as(person, queued).stdout.split(), 40, "the job is gone")
        wait_until(lambda: f"/user/{person}/" not in hub.get("proxy"), 4, "the route is gone")
        hub.wait_stopped(person, 4)
