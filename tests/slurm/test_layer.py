"""The Slurm layer against a real Slurm."""

import asyncio
import json
import os
import re
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from skiva_hub.doctor.facts import parse_licenses as licences_of
from skiva_slurm.errors import Refused, SlurmUnanswered
from skiva_slurm.jobs import Job, Node
from skiva_slurm.parse import JOB_QUERY, NODE_QUERY, job_format
from skiva_slurm.reader import SlurmReader
from skiva_slurm.refusal import submitted
from skiva_slurm.reservations import RESERVATION_QUERY
from skiva_slurm.sbatch import JobRequest, sbatch_options, script
from skiva_slurm.states import Life
from skiva_slurm.tags import Tag
from skiva_slurm.watcher import Watcher

pytestmark = [pytest.mark.slurm, pytest.mark.skipif(os.geteuid() != 0, reason="acts as several accounts")]

BIN = Path("/usr/bin")
USER = "researcher1"
_PROGRAM = """#!/usr/bin/python3 -I
import json, signal, sys, time
ignored = signal.getsignal(signal.SIGUSR1) == signal.SIG_IGN
print(json.dumps({"arguments": sys.argv[1:], "ignored": ignored}), flush=True)
time.sleep(600)
"""


@pytest.fixture
def reader(cluster: Any) -> SlurmReader:
    return SlurmReader(BIN, cluster.env, timeout=10.0)


@pytest.fixture
def read(reader: SlurmReader) -> Callable[[], dict[int, Job]]:
    return lambda: asyncio.run(reader.jobs())


@pytest.fixture
def cancel(cluster: Any) -> Iterator[list[int]]:
    """Numbers of jobs that are cancelled after the test."""
    numbers: list[int] = []
    yield numbers
    cluster.run_as("root", ["/usr/bin/scancel", *map(str, numbers)])


@pytest.fixture
def node(reader: SlurmReader) -> Node:
    """Any node that takes jobs."""
    return next(node for node in asyncio.run(reader.nodes()).values() if node.usable and node.partitions)


def request(node: Node, **fields: Any) -> JobRequest:
    plain: dict[str, Any] = {
        "tag": Tag("test", USER, "", secrets.token_hex(8)).text,
        "partition": node.partitions[0],
        "cores": 1,
        "memory_mb": 64,
        "minutes": 5,
        "output": "/dev/null",
        "chdir": "/",
        "command": ("/usr/bin/python3",),
    }
    return JobRequest(**plain | fields)


def submit(cluster: Any, wanted: JobRequest) -> int:
    argv = ["/usr/bin/sbatch", *sbatch_options(wanted)]
    done = cluster.run_as(USER, argv, stdin=script(wanted))
    return submitted(done.returncode, done.stdout, done.stderr)


def requests_of(cluster: Any, argv: Sequence[str]) -> int:
    """How many requests of an account slurmctld counts for one command; others may read at the same time."""
    cluster.run_as("root", ["/usr/bin/sdiag", "--reset"])
    assert cluster.run_as(USER, argv).returncode == 0
    told = cluster.run_as("root", ["/usr/bin/sdiag"]).stdout.partition("statistics by user")[2]
    found = re.search(rf"{USER} +\( *[0-9]+\) +count:([0-9]+)", told)
    return int(found[1]) if found else 0


def test_no_comment_and_no_name_forges_a_row(
    cluster: Any, node: Node, read: Callable[[], dict[int, Job]], cancel: list[int]
) -> None:
    """A job whose comment and name hold line breaks, separators and a fake row is one job without a tag."""
    tag = Tag("test", "researcher2", "", secrets.token_hex(8)).text
    forged = "\x1f".join(
        ["99999999", "a" * 24, "root", "RUNNING", node.partitions[0], node.name, "", "", "0"]
    )
    evil = f"x|y\n{forged}\x1f{'a' * 24}\n{tag}\n"
    options = [
        f"--comment={evil}",
        f"--job-name={evil}",
        f"--partition={node.partitions[0]}",
        "--mem=64",
        "--hold",
    ]
    number = cluster.submit(USER, "--output=/dev/null", *options, script="exit 0")
    cancel.append(number)
    jobs = read()
    assert 99999999 not in jobs
    assert (jobs[number].user, jobs[number].state, jobs[number].tag) == (USER, "PENDING", "")
    assert not any(job.tag == tag for job in jobs.values())


@pytest.fixture
def licensed(cluster: Any, node: Node, reader: SlurmReader) -> Iterator[None]:
    """A Slurm with a licence, and a node with two features."""
    conf = Path(cluster.env["SLURM_CONF"])
    before = conf.read_text()
    features = f"AvailableFeatures={','.join(sorted(node.features))}"
    conf.write_text(f"{before}Licenses=matlab:2\n")
    try:
        assert cluster.run_as("root", ["/usr/bin/scontrol", "reconfigure"]).returncode == 0
        for word in ("Available", "Active"):
            told = ["update", f"NodeName={node.name}", f"{word}Features=ib,fast"]
            assert cluster.run_as("root", ["/usr/bin/scontrol", *told]).returncode == 0
        yield
    finally:
        conf.write_text(before)
        cluster.run_as("root", ["/usr/bin/scontrol", "update", f"NodeName={node.name}", features])
        cluster.run_as("root", ["/usr/bin/scontrol", "reconfigure"])


@pytest.mark.usefixtures("licensed")
def test_features_licences_excluded_nodes_and_partitions_reach_slurm(
    cluster: Any, node: Node, reader: SlurmReader, cancel: list[int]
) -> None:
    """Slurm shows them of the job as they were asked for, and a reading shows the node's features."""
    nodes = asyncio.run(reader.nodes())
    assert nodes[node.name].features == {"ib", "fast"}
    other = next(name for name in nodes if name != node.name)
    partitions = ",".join(sorted({node.partitions[0], "lowprio"}))
    wanted = request(
        node, partition=partitions, constraint="ib&fast", licenses="matlab:1", exclude=other, minutes=1
    )
    cancel.append(submit(cluster, wanted))
    told = cluster.run_as("root", ["/usr/bin/scontrol", "-o", "show", "job", str(cancel[0])]).stdout
    assert "Features=ib&fast" in told
    assert "Licenses=matlab:1" in told
    assert f"ExcNodeList={other}" in told
    known = licences_of(cluster.run_as("root", ["/usr/bin/scontrol", "-o", "show", "licenses"]).stdout)
    assert known == {"matlab": 2}
    with pytest.raises(Refused):
        submit(cluster, request(node, licenses="nobody-has-it"))


def test_a_job_is_shown_to_its_owner_and_one_that_is_not_there_is_not(
    cluster: Any, cancel: list[int]
) -> None:
    """What the hub asks as a person before it gives up a job that its own readings lack."""
    options = ("--partition=cpu", "--output=/dev/null", "--mem=64", "--hold")
    number = cluster.submit(USER, *options, script="exit 0")
    cancel.append(number)
    helper = str(cluster.dir / "libexec/skiva-act")
    for job, state in ((number, "PENDING"), (99999999, "")):
        told = cluster.run_as(USER, [helper], stdin=json.dumps({"action": "shown", "job_id": job}))
        assert json.loads(told.stdout) == {"shown": state}, told.stderr


def test_a_reading_costs_what_the_reader_says(cluster: Any) -> None:
    """Two requests for all jobs and two for all nodes, as the watcher's budget counts."""
    asked = ["/usr/bin/env", f"SQUEUE_FORMAT2={job_format('a' * 24)}", "/usr/bin/squeue", *JOB_QUERY]
    assert requests_of(cluster, asked) == 2
    assert requests_of(cluster, ["/usr/bin/scontrol", *NODE_QUERY]) == 2


def test_reservations_are_read_as_they_come_and_go(cluster: Any, reader: SlurmReader, node: Node) -> None:
    """One that somebody makes is seen with its times and nodes, one that is not there is told as absent."""

    def control(*words: str) -> None:
        done = cluster.run_as("root", ["/usr/bin/scontrol", *words])
        assert done.returncode == 0, done.stderr

    name = f"course-{secrets.token_hex(4)}"
    assert asyncio.run(reader.reservations({name})) == {name: None}
    wanted = ("StartTime=now+1hour", "Duration=30", "Users=root", f"Nodes={node.name}", "Flags=IGNORE_JOBS")
    control("create", "reservation", f"ReservationName={name}", *wanted)
    try:
        found = asyncio.run(reader.reservations({name, "never-made"}))
        assert found["never-made"] is None
        held = found[name]
        assert held is not None
        assert (held.nodes, held.end - held.start) == ((node.name,), 1800)
        assert abs(held.start - time.time() - 3600) < 120
        assert requests_of(cluster, ["/usr/bin/scontrol", *RESERVATION_QUERY]) == 1
    finally:
        control("delete", f"ReservationName={name}")
    assert asyncio.run(reader.reservations({name})) == {name: None}


def test_the_built_command_line_does_what_it_says(
    cluster: Any, node: Node, read: Callable[[], dict[int, Job]], cancel: list[int], wait_for: Any
) -> None:
    """Log (with a % in its path), words, tag, limits and the ignored warning signal arrive as built."""
    home = Path("/home") / USER
    program, log = home / "program", home / "100%x.log"
    program.write_text(_PROGRAM)
    program.chmod(0o755)
    words = ["-I", "a $b\n'c\""]
    command = (str(program), *words)
    wanted = request(node, output=str(log), chdir=str(home), command=command, minutes=7)
    try:
        number = submit(cluster, wanted)
        cancel.append(number)
        wait_for(lambda: log.exists() and log.read_text().endswith("\n"), what="the job has written its log")
        assert json.loads(log.read_text()) == {"arguments": words, "ignored": True}
        job = read()[number]
        assert (job.life, job.user, job.tag) == (Life.RUNNING, USER, wanted.tag)
        assert job.start is not None
        assert job.end == job.start + 7 * 60
        assert job.nodes
    finally:
        program.unlink()
        log.unlink(missing_ok=True)


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"partition": "nowhere"}, "Invalid partition name specified"),
        ({"gres": "gpu:nothing-like-it:1"}, "Requested node configuration is not available"),
        ({"memory_mb": 60_000_000}, "Requested node configuration is not available"),
        ({"reservation": "never-made"}, "Requested reservation is invalid"),
    ],
)
def test_refusals_come_with_slurms_own_words(
    cluster: Any, node: Node, fields: dict[str, Any], words: str
) -> None:
    """What Slurm does not give is refused in one sentence, and leaves no job that waits or runs."""
    wanted = request(node, **fields)
    with pytest.raises(Refused, match=words):
        submit(cluster, wanted)
    # Of what it has looked at Slurm keeps that it failed.
    queue = cluster.run_as("root", ["/usr/bin/squeue", "--noheader", "--states=all", "--format=%k %T"])
    assert queue.returncode == 0, queue.stderr
    kept = [row for row in queue.stdout.splitlines() if row.startswith(wanted.tag)]
    assert set(kept) <= {f"{wanted.tag} FAILED"}
    number = submit(cluster, request(node))
    assert cluster.job_state(number)
    cluster.run_as("root", ["/usr/bin/scancel", str(number)])


async def test_a_watcher_reads_the_real_thing(reader: SlurmReader) -> None:
    """From the first reading on there are nodes with addresses, and everybody shares a fresh one."""
    watcher = Watcher(reader)
    watcher.start()
    try:
        assert await watcher.loaded(20)
        seen = await asyncio.gather(*(watcher.refresh() for _ in range(20)))
        assert len({id(snapshot) for snapshot in seen}) == 1
        assert seen[0].nodes
        assert all(node.address for node in seen[0].nodes.values())
    finally:
        await watcher.stop()


async def test_a_slurm_that_is_not_there_is_silence(tmp_path: Path) -> None:
    """Without slurmctld the answer is an error in words, never an empty queue."""
    conf = tmp_path / "slurm.conf"
    conf.write_text(
        "ClusterName=none\nSlurmctldHost=localhost(127.0.0.1)\nSlurmctldPort=1\nMessageTimeout=2\n"
    )
    with pytest.raises(SlurmUnanswered):
        await SlurmReader(BIN, {"SLURM_CONF": str(conf)}, timeout=15.0).jobs()
