"""Workers whose time ends, that are taken or lost: the work comes to its end, whole."""

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.cluster_owner import cluster_owner, clusters_of, jobs_of, program_of
from tests.support.run_owner import RunOwner
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.slurm, pytest.mark.skipif(os.geteuid() != 0, reason="acts as another account")]

_SECONDS = 240
_PROGRAM = """
from distributed import Client
def work(number):
    with open("ran-{name}", "a") as file:
        file.write(f"{{number}}\\n")
    time.sleep(1)
    return number
least, began = 99, 0
with skiva.cluster({name!r}, {options}) as c, Client(c) as client:
    done = client.map(work, range({tasks}), pure=False)
    while not all(one.done() for one in done):
        time.sleep(0.5)
        ready = c.info.workers.ready
        began = began or (ready >= c.info.workers.wanted > 0)
        least = min(least, ready) if began else least
        with open("done-{name}.new", "w") as file:
            file.write(str(sum(one.status == "finished" for one in done)))
        os.replace("done-{name}.new", "done-{name}")
    errors = [str(one.exception()) for one in done if one.status != "finished"]
    results = [] if errors else client.gather(done)
    batches = len(os.listdir(c.place.batch(1).parent))
    told = dict(results=results, errors=errors, least=least, events=[one.text for one in c.info.events])
print(json.dumps(told | {{"batches": batches // 2}}))
"""


@pytest.fixture(scope="module")
def owner(cluster: Any) -> Iterator[RunOwner]:
    """A researcher with slices for workers."""
    with cluster_owner(cluster, "researcher1") as made:
        yield made
        left = list(clusters_of(made).glob("*/tls/*"))
    assert not left, "a cluster that was closed leaves no key"


def _begin(owner: RunOwner, name: str, options: str, tasks: int = 200) -> "subprocess.Popen[str]":
    return program_of(owner, _PROGRAM.format(name=name, options=options, tasks=tasks))


def _done(owner: RunOwner, name: str) -> int:
    path = owner.place / f"done-{name}"
    return int(path.read_text()) if path.exists() else 0


def _end(owner: RunOwner, name: str, program: "subprocess.Popen[str]") -> dict[str, Any]:
    """What a program told at its end, and how often a task of its was begun."""
    try:
        out, problem = program.communicate(timeout=_SECONDS)
    except subprocess.TimeoutExpired:
        program.kill()
        raise
    assert program.returncode == 0, problem
    told: dict[str, Any] = json.loads(out.splitlines()[-1])
    told["begun"] = len((owner.place / f"ran-{name}").read_text().split())
    assert not told["errors"], told
    return told


def _status(owner: RunOwner, name: str) -> dict[str, Any]:
    for path in clusters_of(owner).glob("*/status.json"):
        told: dict[str, Any] = json.loads(path.read_text())
        if told["name"] == name:
            return told
    return {"jobs": []}


def _ready(owner: RunOwner, name: str) -> list[dict[str, Any]]:
    return [job for job in _status(owner, name)["jobs"] if job["state"] == "ready"]


def test_work_outlives_its_workers_and_nothing_is_computed_twice(owner: RunOwner) -> None:
    """Workers of 24 s: on cores, adapting ones on GPUs, and jobs of two GPUs where there is no room for more.

    200 of 200 each, and no task is begun a second time; where successors have room there are always enough
    workers, and where they have none one makes room at a time.
    """
    programs = {
        "cpu": _begin(owner, "cpu", "slice='cpu', workers=4, lifetime=24, hours=0.2"),
        "adapts": _begin(owner, "adapts", "slice='1g.10gb', minimum=1, maximum=4, lifetime=24, hours=0.2"),
        "pairs": _begin(owner, "pairs", "slice='2xh100', workers=4, lifetime=24, hours=0.2"),
    }
    told = {name: _end(owner, name, program) for name, program in programs.items()}
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
    begun = [program := _begin(owner, "hard", "slice='low', workers=4, lifetime=24, hours=0.2")]
    try:
        wait_until(lambda: _done(owner, "hard") >= 10, 90, "work is done")
        _preempt(owner, _ready(owner, "hard")[0]["node"])
        wait_until(lambda: _done(owner, "hard") >= 50 and _ready(owner, "hard"), 120, "work goes on")
        _lose(owner, _ready(owner, "hard")[-1]["node"])
        # Any node may be the one that is lost, so what is to lose nothing begins after that.
        begun.append(minute := _begin(owner, "minute", "slice='shared', workers=2, hours=1/60", tasks=130))
        wait_until(lambda: _done(owner, "hard") >= 80 and len(_ready(owner, "hard")) > 2, 120, "it goes on")
        first, second, *_ = _ready(owner, "hard")
        owner.slurm("scancel", first["job_id"])
        os.kill(_supervisor(second["name"]), signal.SIGKILL)
        told, short = _end(owner, "hard", program), _end(owner, "minute", minute)
    finally:
        for one in begun:
            one.kill()
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
