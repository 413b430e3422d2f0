"""What dies around a cluster: its kernel, the reaper, Slurm. Nothing is left, and nobody works for no one."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.cluster_owner import cluster_owner, clusters_of, jobs_of, program_of
from tests.support.run_owner import RunOwner
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.slurm, pytest.mark.skipif(os.geteuid() != 0, reason="acts as another account")]

_HOLDS = """
c = skiva.cluster({name!r}, slice={slice!r}, workers={workers}, hours=0.2)
print(c.place.id, os.getpid(), c.reaper._process.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture(scope="module")
def owner(cluster: Any) -> Iterator[RunOwner]:
    """A researcher with slices for workers."""
    with cluster_owner(cluster, "researcher1") as made:
        yield made


def _holds(
    owner: RunOwner, name: str, piece: str, workers: int
) -> tuple["subprocess.Popen[str]", str, int, int]:
    """A program with a cluster; that, the cluster's id, and the numbers of its process and its reaper."""
    program = program_of(owner, _HOLDS.format(name=name, slice=piece, workers=workers))
    assert program.stdout
    told = program.stdout.readline().split()
    assert len(told) == 3, program.stderr and program.stderr.read()
    return program, told[0], int(told[1]), int(told[2])


def _status(owner: RunOwner, cluster: str) -> dict[str, Any]:
    path = clusters_of(owner) / cluster / "status.json"
    told: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {"workers": {}, "jobs": []}
    return told


def _keys(owner: RunOwner, cluster: str) -> list[Path]:
    return list((clusters_of(owner) / cluster / "tls").iterdir())


def _end_of(program: "subprocess.Popen[str]") -> None:
    program.kill()
    program.communicate(timeout=30)


def test_a_killed_kernel_leaves_nothing_within_seconds(owner: RunOwner) -> None:
    """Four workers run and two jobs wait: after SIGKILL all are gone within 10 s, and the keys."""
    owner.slurm("scontrol", "update", "nodename=" + _node(owner, "shared"), "state=drain", "reason=test")
    try:
        program, cluster, pid, _ = _holds(owner, "four", "2xh100", 8)
        waits, second, other, _ = _holds(owner, "two", "shared", 2)
        wait_until(lambda: _status(owner, cluster)["workers"].get("ready") == 4, 90, "four are ready")
        wait_until(lambda: len(_running(owner)) == 2, 30, lambda: jobs_of(owner))
        assert len(jobs_of(owner)) == 6
        began = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        os.kill(other, signal.SIGKILL)
        wait_until(lambda: not jobs_of(owner), 10, lambda: jobs_of(owner), every=0.2)
        assert time.monotonic() - began < 10
        wait_until(lambda: not _keys(owner, cluster) and not _keys(owner, second), 5, "no key is left")
        _end_of(program)
        _end_of(waits)
    finally:
        owner.cluster.run_as(
            "root", ["/usr/bin/scontrol", "update", "nodename=" + _node(owner, "shared"), "state=resume"]
        )
    closed = json.loads((clusters_of(owner) / cluster / "closed.json").read_text())
    assert "was killed" in closed["why"]
    # Nobody's seconds: those that waited never began, those that ran ended with their scheduler.
    assert _seconds_after(owner, cluster, closed["at"]) < 5
    assert len(_started(owner, cluster)) == 2
    assert not _started(owner, second)


def _node(owner: RunOwner, partition: str) -> str:
    return str(
        owner.cluster.run_as("root", ["/usr/bin/sinfo", "-h", "-o", "%N", "-p", partition]).stdout.strip()
    )


def _running(owner: RunOwner) -> list[str]:
    return [job for job in jobs_of(owner) if job.endswith("RUNNING")]


def _seconds_after(owner: RunOwner, cluster: str, moment: float) -> float:
    """For how long the last of a cluster's workers went on after a moment."""
    paths = list((clusters_of(owner) / cluster / "log").glob("*/*.end.json"))
    assert paths, "none has told its end"
    ends: list[float] = [json.loads(path.read_text())["at"] for path in paths]
    return max(ends) - moment


def _started(owner: RunOwner, cluster: str) -> set[str]:
    """Batch and task of each of a cluster's jobs that has begun."""
    paths = (clusters_of(owner) / cluster / "log").glob("*/*.start.json")
    return {f"{path.parent.name}/{path.name.partition('.')[0]}" for path in paths}


def test_workers_end_the_rest_where_the_reaper_was_killed_too(owner: RunOwner) -> None:
    """SIGKILL for both: the workers that run see it and cancel those that wait; later ones leave at once."""
    program, cluster, pid, reaper = _holds(owner, "both", "2xh100", 6)
    wait_until(lambda: _status(owner, cluster)["workers"].get("ready") == 4, 90, "four are ready")
    assert len(jobs_of(owner)) == 3
    os.kill(reaper, signal.SIGKILL)
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not jobs_of(owner), 30, lambda: jobs_of(owner), every=0.2)
    _end_of(program)
    assert _started(owner, cluster) == {"1/0", "1/1"}, "what waited never began"


def test_a_job_that_starts_for_nobody_leaves_at_once(owner: RunOwner) -> None:
    """Its scheduler and the reaper died while all of its jobs waited: it looks, and ends in seconds."""
    node = _node(owner, "shared")
    owner.slurm("scontrol", "update", f"nodename={node}", "state=drain", "reason=test")
    try:
        program, cluster, pid, reaper = _holds(owner, "late", "shared", 2)
        wait_until(lambda: len(jobs_of(owner)) == 2, 30, lambda: jobs_of(owner))
        os.kill(reaper, signal.SIGKILL)
        os.kill(pid, signal.SIGKILL)
        _end_of(program)
    finally:
        owner.slurm("scontrol", "update", f"nodename={node}", "state=resume")
    wait_until(lambda: not jobs_of(owner), 60, lambda: jobs_of(owner), every=0.2)
    starts = [
        json.loads(path.read_text()) for path in (clusters_of(owner) / cluster / "log").glob("*/*.start.json")
    ]
    ends = [
        json.loads(path.read_text()) for path in (clusters_of(owner) / cluster / "log").glob("*/*.end.json")
    ]
    assert {end["how"] for end in ends} == {"left"}
    assert max(end["at"] for end in ends) - min(start["at"] for start in starts) < 15


def test_what_could_not_be_ended_is_ended_when_slurm_is_back(owner: RunOwner) -> None:
    """slurmctld is away while a cluster is closed: close() says so, and nothing is left afterwards."""
    go = owner.place / "go"
    program = program_of(
        owner,
        f"""
c = skiva.cluster("owes", slice="2xh100", workers=2, hours=0.2)
c.wait_for_workers(2, 90)
c.scale(8)
print(c.place.id, flush=True)
while not os.path.exists({str(go)!r}): time.sleep(0.1)
c.close()
print("closed", flush=True)
""",
    )
    assert program.stdout
    cluster = program.stdout.readline().strip()
    assert cluster, program.stderr and program.stderr.read()
    wait_until(lambda: len(jobs_of(owner)) == 4, 30, lambda: jobs_of(owner))
    with owner.cluster.without("slurmctld", by=signal.SIGTERM):
        go.touch()
        out, problem = program.communicate(timeout=90)
        assert out.split() == ["closed"], problem
        assert program.returncode == 0, problem
        assert "could not be ended yet" in problem
        assert not _keys(owner, cluster)
    # Of a Slurm that does not answer yet no jobs are told either.
    ping = ["/usr/bin/squeue", "--noheader"]
    wait_until(lambda: owner.cluster.run_as("root", ping).returncode == 0, 30, "Slurm answers", every=0.5)
    wait_until(lambda: not jobs_of(owner), 60, lambda: jobs_of(owner), every=0.5)
