"""Workers whose time ends, that are taken or lost: the work comes to its end, whole."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.cluster_owner import cluster_owner, clusters_of, jobs_of
from tests.support.cluster_work import Work, begin
from tests.support.run_owner import RunOwner
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.slurm, pytest.mark.skipif(os.geteuid() != 0, reason="acts as another account")]


@pytest.fixture(scope="module")
def owner(cluster: Any) -> Iterator[RunOwner]:
    """A researcher with slices for workers."""
    with cluster_owner(cluster, "researcher1") as made:
        yield made
        left = list(clusters_of(made).glob("*/tls/*"))
    assert not left, "a cluster that was closed leaves no key"


def test_work_outlives_its_workers_and_nothing_is_computed_twice(owner: RunOwner) -> None:
    """Workers of 24 s: on cores; adapting ones, and jobs of two GPUs, where there is no room for more.

    200 of 200 each, and no task is begun a second time; where successors have room there are always enough
    workers, and where they wait in the queue one makes room at a time.
    """
    somebody = owner.cluster.submit(
        "researcher2", "-pslices", "--gres=gpu:1g.10gb:4", "--mem=100", script="sleep 600"
    )
    owner.cluster.wait_state(somebody, "RUNNING")
    works = {
        "cpu": begin(owner, "cpu", "slice='cpu', workers=4, lifetime=24, hours=0.2"),
        "adapts": begin(owner, "adapts", "slice='1g.10gb', minimum=1, maximum=4, lifetime=24, hours=0.2"),
        "pairs": begin(owner, "pairs", "slice='2xh100', workers=4, lifetime=24, hours=0.2"),
    }
    try:
        told = {name: work.end() for name, work in works.items()}
    finally:
        owner.slurm("scancel", str(somebody))
    for name, end in told.items():
        assert end["results"] == list(range(200)), name
        assert end["begun"] == 200, name
        assert not end["events"], (name, end["events"])
        assert end["batches"] > 2, "they were replaced"
    assert told["cpu"]["least"] == 4
    assert told["pairs"]["least"] >= 2


def test_work_outlives_preemption_a_lost_node_a_cancel_and_a_kill(owner: RunOwner) -> None:
    """One after the other, while workers of 24 s are replaced: 200 of 200, and each loss is told in words.

    Elsewhere jobs of a minute are replaced meanwhile before Slurm's own limit, and nothing is lost.
    """
    begun = [work := begin(owner, "hard", "slice='low', workers=4, lifetime=24, hours=0.2")]
    try:
        ready = wait_until(lambda: _ready(work, after=10), 90, "work is done")
        _preempt(owner, ready[0]["node"])
        ready = wait_until(lambda: _ready(work, after=50), 120, "work goes on")
        _lose(owner, ready[-1]["node"])
        # Any node may be the one that is lost, so what is to lose nothing begins after that.
        begun.append(minute := begin(owner, "minute", "slice='shared', workers=2, hours=1/60", tasks=130))
        ready = wait_until(lambda: _ready(work, after=80, least=2), 120, "it goes on")
        # Those that came last have the most time left.
        *_, first, second = sorted(ready, key=lambda job: float(job["since"]))
        owner.slurm("scancel", first["job_id"])
        os.kill(_supervisor(second["name"]), signal.SIGKILL)
        told, short = work.end(), minute.end()
    finally:
        for one in begun:
            one.program.kill()
    assert told["results"] == list(range(200))
    gone = [event for event in told["events"] if "is gone" in event]
    # Who was about to be replaced anyway is not missed.
    assert gone, told["events"]
    assert not [event for event in told["events"] if "stumbled" in event]
    assert short["results"] == list(range(130))
    assert not short["events"], f"none met its limit: {short['events']}"
    # Where joining takes half a minute nobody is there yet to take over from jobs that last one.
    assert short["begun"] == 130 or short["least"] == 0
    assert short["batches"] > 2
    wait_until(lambda: not jobs_of(owner), 20, lambda: jobs_of(owner))


def _ready(work: Work, *, after: int, least: int = 1) -> list[dict[str, Any]] | None:
    """The jobs whose workers are there, if there are so many and so many tasks are done."""
    ready = work.ready
    return ready if work.done >= after and len(ready) >= least else None


def _preempt(owner: RunOwner, node: str) -> None:
    """Somebody's job of a better partition takes so much of a node that workers must go."""
    argv = ["/usr/bin/sinfo", "-h", "-N", "-n", node, "-o", "%P %c"]
    rows = [line.split() for line in owner.cluster.run_as("root", argv).stdout.splitlines()]
    [(partition, cores)] = [row for row in rows if row[0] != "lowprio"]
    job = owner.cluster.submit(
        "researcher2", f"-p{partition}", f"-w{node}", f"-c{int(cores) - 1}", "--mem=100", script="sleep 5"
    )
    owner.cluster.wait_state(job, "COMPLETED", seconds=60)


def _lose(owner: RunOwner, node: str) -> None:
    owner.slurm("scontrol", "update", f"nodename={node}", "state=down", "reason=test")
    # A node that answers may have come back by itself.
    owner.cluster.run_as("root", ["/usr/bin/scontrol", "update", f"nodename={node}", "state=resume"])


def _supervisor(name: str) -> int:
    """The process of a worker job that looks after its workers."""
    cluster, batch, task = name.rsplit("-", 2)
    for place in Path("/proc").iterdir():
        if not place.name.isdecimal():
            continue
        try:
            argv = (place / "cmdline").read_bytes().split(b"\0")
            own = f"SLURM_ARRAY_TASK_ID={task}".encode() in (place / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        ours = (
            b"skiva.dask.work" in argv and argv[-2] == batch.encode() and argv[-3].endswith(cluster.encode())
        )
        if ours and own:
            return int(place.name)
    raise AssertionError(f"{name} does not run")
