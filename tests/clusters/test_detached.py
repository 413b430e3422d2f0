"""Clusters whose scheduler has a job of its own: they outlive kernels, and end in order and in words."""

import json
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.cluster_owner import cluster_owner, clusters_of, jobs_of
from tests.support.hub import HubClient
from tests.support.own_kernel import kernel_of
from tests.support.run_owner import RunOwner
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.slurm, pytest.mark.skipif(os.geteuid() != 0, reason="acts as another account")]

WHO = "researcher2"
_CLIENT = "from distributed import Client\n"
_NEW = _CLIENT + "c = skiva.cluster({name!r}, detached=True, workers={workers})\n"
_FOUND = _CLIENT + "c = skiva.cluster({name!r})\n"


@pytest.fixture(scope="module")
def owner(cluster: Any) -> Iterator[RunOwner]:
    """A researcher with slices for workers."""
    with cluster_owner(cluster, WHO) as made:
        yield made


@pytest.fixture
def session(cluster: Any) -> Iterator[tuple[str, str]]:
    """The address of their running session, and a token for it."""
    home = Path("/home", WHO)
    with HubClient(cluster.url, cluster.admin_token) as hub:
        hub.start_server(WHO, {"slice": "cpu", "hours": 1})
        hub.wait_ready(WHO, 90)
        yield f"{cluster.url}/user/{WHO}/", hub.user_token(WHO)
        hub.stop_server(WHO)
        hub.wait_stopped(WHO, 60)
    cluster.run_as("root", ["/usr/bin/scancel", f"--user={WHO}"])
    shutil.rmtree(home / ".local" / "state" / "skiva" / "clusters", ignore_errors=True)


def nothing_is_left(owner: RunOwner) -> bool:
    """Whether none of their clusters has a job or a key."""
    return not jobs_of(owner) and not list(clusters_of(owner).glob("*/tls/*"))


def how(owner: RunOwner, name: str) -> str:
    """How a cluster ended."""
    code = f"told = [one.sentence for one in skiva.clusters() if one.name == {name!r}][0]"
    return str(owner.do(code))


def test_a_killed_kernel_leaves_work_and_results(session: tuple[str, str]) -> None:
    """It dies of SIGKILL in the middle of work; the next one finds futures, results and what still ran."""
    with kernel_of(*session) as first:
        made = first.cell(
            "import skiva, time\nfrom distributed import Client\n"
            "c = skiva.cluster('night', detached=True, workers=2, hours=1)\nclient = Client(c)\n"
            "done = client.map(lambda n: n * n, range(50))\n"
            "slow = client.submit(lambda: (time.sleep(20), 'late')[1])\n"
            "client.publish_dataset(done=done, slow=slow)\nsum(client.gather(done))",
            seconds=120,
        )
        assert not made.error, made.error
        jobs = first.value("sorted(job.job_id for job in c.info.jobs)")
        dead = first.value("__import__('os').getpid()")
        os.kill(dead, signal.SIGKILL)
    with kernel_of(*session) as second:
        found = second.cell(
            "import skiva\nfrom distributed import Client\n"
            "[told] = [one for one in skiva.clusters() if one.living]\n"
            "c = skiva.cluster('night')\nclient = Client(c)\n"
            "total = sum(client.gather(client.get_dataset('done')))\n"
            "late = client.get_dataset('slow').result(60)\n"
            "again = client.submit(pow, 2, 5).result(60)\nc",
            seconds=120,
        )
        assert not found.error, found.error
        assert second.value("[told.name, told.detached, total, late, again]") == [
            "night",
            True,
            40425,
            "late",
            32,
        ]
        assert second.value("sorted(job.job_id for job in c.info.jobs)") == jobs
        shown = found.shown[-1]
        assert shown["application/vnd.skiva.cluster+json"]["name"] == "night"
        link = second.value("c.dashboard_link")
        assert re.fullmatch(rf"/user/{WHO}/skiva/clusters/[0-9a-z-]+/dashboard/status", link)
        assert not second.cell("client.close(); c.close()", seconds=60).error


def test_blocks_end_what_they_began_and_nothing_else(owner: RunOwner) -> None:
    """Leaving the block of a cluster that was found by its name lets go of it; close() ends it."""
    asked = _NEW.format(name="kept", workers=1)
    assert owner.do(f"{asked}c.wait_for_workers(1, 60)\ntold = Client(c).submit(pow, 2, 3).result()") == 8
    asked = _FOUND.format(name="kept")
    assert owner.do(f"{asked}with c:\n    told = Client(c).submit(pow, 3, 2).result()") == 9
    assert sorted(jobs_of(owner)) == ["0 RUNNING", "1 RUNNING"]
    asked = _CLIENT + "with skiva.cluster('short', detached=True, workers=0) as c: told = c.name\n"
    assert owner.do(asked) == "short"
    assert how(owner, "short") == "It was closed."
    owner.do(f"{_FOUND.format(name='kept')}c.close()\ntold = None")
    wait_until(lambda: nothing_is_left(owner), 30, lambda: jobs_of(owner), every=0.5)
    assert set(jobs_of(owner, states="all")) >= {"0 COMPLETED"}


def test_it_is_used_with_await(owner: RunOwner) -> None:
    """Made, found, scaled and ended on an event loop, as in an application."""
    code = """
import asyncio
from distributed import Client
async def work():
    async with skiva.cluster("loop", detached=True, workers=1, asynchronous=True) as c:
        other = await skiva.cluster("loop", asynchronous=True)
        async with Client(other, asynchronous=True) as client:
            await c.scale(2)
            await other.wait_for_workers(2, 60)
            found = await client.submit(pow, 2, 4)
        await other.disconnect()
    return found
told = asyncio.run(work())
"""
    assert owner.do(code) == 16
    wait_until(lambda: nothing_is_left(owner), 30, lambda: jobs_of(owner), every=0.5)


def test_the_end_of_the_schedulers_job_is_told(owner: RunOwner) -> None:
    """Its time limit ends every worker in order, and whoever was attached or comes later is told why."""
    code = f"""
import contextlib, io, subprocess
import skiva.dask.starting as starting
made = starting.spec_of
short = {{"scheduler_hours": 2 / 60}}
starting.spec_of = lambda *known, **named: made(*known, **named).model_copy(update=short)
{_NEW.format(name="brief", workers=1)}
heard = io.StringIO()
with contextlib.redirect_stderr(heard):
    ends = c.info.ends - time.time()
    client = Client(c)
    c.wait_for_workers(1, 60)
    # Sooner than that: Slurm looks at its limits twice a minute, and warns a minute before.
    job = json.loads((c.place.path / "batches" / "0.submitted.json").read_text())["job_id"]
    subprocess.run(["/usr/bin/scontrol", "update", f"jobid={{job}}", "endtime=now+55"], check=True)
    try:
        client.submit(time.sleep, 600).result()
    except BaseException as problem:
        found = type(problem).__name__
    end = time.monotonic() + 20
    while "its time" not in heard.getvalue() and time.monotonic() < end:
        time.sleep(0.1)
told = [ends, found, heard.getvalue()]
os.sync()
print(json.dumps(told), flush=True)
os._exit(0)
"""
    ends, found, heard = owner.do(code)
    assert 0 < ends <= 120
    assert "Cancelled" in found
    assert "Cluster 'brief': The job of its scheduler came to the end of its time." in heard
    wait_until(lambda: nothing_is_left(owner), 40, lambda: jobs_of(owner), every=0.5)
    assert how(owner, "brief") == "The job of its scheduler came to the end of its time."
    asked = "try: skiva.cluster('brief')\nexcept LookupError as problem: told = str(problem)"
    assert "has ended. The job of its scheduler came to the end" in owner.do(asked)


@pytest.mark.parametrize("how_it_ends", ["cancelled", "killed"])
def test_a_scheduler_that_is_ended_takes_everything_along(owner: RunOwner, how_it_ends: str) -> None:
    """By scancel or by SIGKILL: no worker, key or waiting job is left, and the list says what happened."""
    code = f"{_NEW.format(name=how_it_ends, workers=2)}c.wait_for_workers(2, 90)\ntold = c.place.id"
    place = clusters_of(owner) / owner.do(code)
    if how_it_ends == "cancelled":
        owner.slurm("scancel", str(json.loads((place / "batches/0.submitted.json").read_text())["job_id"]))
    else:
        os.kill(json.loads((place / "scheduler.json").read_text())["pid"], signal.SIGKILL)
    wait_until(lambda: nothing_is_left(owner), 30, lambda: jobs_of(owner), every=0.25)
    words = {
        "cancelled": ("The job of its scheduler was told to end.",),
        # Whoever is first: the process beside it, or a worker.
        "killed": (
            "The program in which its scheduler lived was killed.",
            "Its scheduler is gone: it was killed, or its node was lost.",
        ),
    }
    assert how(owner, how_it_ends) in words[how_it_ends]


def test_a_scheduler_that_waits_says_why_and_an_interrupt_takes_it_back(owner: RunOwner) -> None:
    """The queue's reason is printed; after Ctrl-C nothing of the new cluster is left in the queue."""
    argv = ["/usr/bin/scontrol", "update", "partitionname=cpu", "state=down"]
    owner.slurm("scontrol", *argv[1:])
    code = _NEW.format(name="waits", workers=1)
    try:
        waiting = _program(owner, f"import skiva\n{code}")
        wait_until(lambda: jobs_of(owner) == ["0 PENDING"], 60, lambda: jobs_of(owner))
        said = ""
        while "Its scheduler waits." not in said:
            line = waiting.stdout.readline() if waiting.stdout else ""
            assert line, said
            said += line
        waiting.send_signal(signal.SIGINT)
        _, problem = waiting.communicate(timeout=60)
        assert "KeyboardInterrupt" in problem
        assert nothing_is_left(owner), jobs_of(owner)
    finally:
        owner.slurm("scontrol", *argv[1:3], "state=up")


def _program(owner: RunOwner, code: str) -> "subprocess.Popen[str]":
    known = {**owner.cluster.env, "HOME": f"/home/{WHO}", "USER": WHO, "LANG": "C.UTF-8", **owner.env}
    return subprocess.Popen(
        [str(owner.python), "-u", "-c", code],
        env=known | {"SKIVA_RUN_DIR": str(owner.place)},
        user=WHO,
        group=WHO,
        extra_groups=[],
        cwd=owner.place,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


_ATTACHES = """
import ssl, urllib.request
from pathlib import Path
from distributed import Client
from distributed.security import Security
from skiva.dask.place import ClusterDir
from skiva.dask.security import load
security, pages, told = Security.temporary(), ssl._create_unverified_context(), []
if {keys!r}:
    security = load(ClusterDir(Path({keys!r})))
    pages.load_cert_chain({keys!r} + "/tls/cert.pem", {keys!r} + "/tls/key.pem")
for place in ("", {clusters!r}):
    os.environ["SKIVA_CLUSTERS"] = place
    for name in ("mine", {identity!r}):
        try: skiva.cluster(name); told.append("in")
        except (LookupError, OSError, ValueError) as problem: told.append(type(problem).__name__)
for one in (None, security):
    for where in ({address!r}, {address!r}.replace("tls", "tcp")):
        try: Client(where, security=one, timeout=3); told.append("in")
        except Exception: told.append("out")
for page in ("/skiva/status", "/status", "/health"):
    try: urllib.request.urlopen({http!r} + page, context=pages, timeout=5); told.append("in")
    except OSError: told.append("out")
"""


def test_a_second_account_cannot_attach(owner: RunOwner) -> None:
    """Not by the name or the id, not with the directory's path, not at the address, not at the pages."""
    asked = f"{_NEW.format(name='mine', workers=0)}told = [c.scheduler_address, c.place.id]"
    address, identity = owner.do(asked)
    place = clusters_of(owner) / identity
    known = {
        "address": address,
        "identity": identity,
        "clusters": str(clusters_of(owner)),
        "http": json.loads((place / "scheduler.json").read_text())["http"],
    }
    other = RunOwner(owner.cluster, "researcher3", owner.place, {"SKIVA_RUN_DIR": "/nonexistent"})
    told = other.do(_ATTACHES.format(**known, keys=""))
    assert len(told) == 11
    assert "in" not in told, told
    # The same tries by the owner, with the cluster's key, show the ways in.
    told = owner.do(_ATTACHES.format(**known, keys=str(place)))
    assert told == ["LookupError"] * 2 + ["in"] * 2 + ["out"] * 2 + ["in", "out"] + ["in"] * 3
    owner.do(f"{_FOUND.format(name='mine')}c.close()\ntold = None")
    wait_until(lambda: nothing_is_left(owner), 30, lambda: jobs_of(owner), every=0.5)
