"""What goes wrong with workers is said, in the notebook at once and in what the card shows."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from tests.support.cluster_owner import cluster_owner, jobs_of
from tests.support.run_owner import RunOwner
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.slurm, pytest.mark.skipif(os.geteuid() != 0, reason="acts as another account")]

_BEGIN = """
import contextlib, io
from distributed import Client
heard = io.StringIO()
def until(condition, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, (c.info, heard.getvalue())
        time.sleep(0.2)
with contextlib.redirect_stderr(heard):
    {code}
"""


@pytest.fixture(scope="module")
def owner(cluster: Any) -> Iterator[RunOwner]:
    """A researcher with slices for workers."""
    with cluster_owner(cluster, "researcher1") as made:
        yield made


def _do(owner: RunOwner, code: str) -> Any:
    return owner.do(_BEGIN.format(code=code.strip().replace("\n", "\n    ")))


def test_what_slurm_refuses_is_said_and_the_cluster_stays_of_use(owner: RunOwner) -> None:
    """Slurm takes no such worker: stuck, in its words, and nothing is tried again; close() works."""
    state, sentence, action, heard, batches, never = _do(
        owner,
        """
with skiva.cluster("none", slice="nowhere", workers=2) as c:
    until(lambda: c.info.state == "stuck")
    seen = c.info
    try: c.wait_for_workers(2, 20); never = ""
    except Exception as problem: never = f"{type(problem).__name__}: {problem}"
    time.sleep(3)
    batches = len(list((c.place.path / "batches").glob("*.refused.json")))
told = [seen.state, seen.sentence, seen.action, heard.getvalue(), batches, never]
""",
    )
    assert state == "stuck"
    assert "Slurm does not take its workers: " in sentence
    assert action
    assert heard.count("Slurm does not take the cluster's workers") == 1
    assert batches == 1
    assert never.startswith("NeverStarted: Slurm does not take its workers")
    assert not jobs_of(owner)


def test_too_many_are_refused_before_slurm_is_asked_and_adapting_stays_below(owner: RunOwner) -> None:
    """The 33rd job is refused in words, whoever asks for it; no batch is made for it."""
    scale, most, adapt, batches, wanted = _do(
        owner,
        """
with skiva.cluster("many", slice="nowhere", workers=0) as c:
    until(lambda: c.info.most_workers > 0)
    try: c.scale(33); scale = ""
    except skiva.BadWish as problem: scale = str(problem)
    most = c.info.most_workers
    try: c.adapt(minimum=0, maximum=33); adapt = ""
    except skiva.BadWish as problem: adapt = str(problem)
    wanted = c.info.workers.wanted
    batches = os.listdir(c.place.path / "batches")
told = [scale, most, adapt, batches, wanted]
""",
    )
    assert "This site lets a person have 32 at once" in scale
    assert (most, wanted) == (32, 0)
    assert adapt.startswith("maximum: at most 32 workers")
    assert batches == []


def test_workers_that_can_never_start_are_said(owner: RunOwner) -> None:
    """They wait for what cannot come: stuck, with Slurm's reason, at once in the notebook."""
    failed = owner.cluster.submit(owner.name, "-pcpu", "--mem=50", script="exit 1")
    owner.cluster.wait_state(failed, "FAILED")
    argv = ["/usr/bin/sinfo", "-h", "-o", "%N", "-p", "shared"]
    node = owner.cluster.run_as("root", argv).stdout.strip()
    owner.slurm("scontrol", "update", f"nodename={node}", "state=drain", "reason=test")
    try:
        before, state, sentence, heard, after = _do(
            owner,
            f"""
import subprocess
with skiva.cluster("never", slice="shared", workers=1) as c:
    until(lambda: [job for job in c.info.jobs if job.state == "queued" and job.reason])
    before = c.info.jobs[0].reason
    job = c.info.jobs[0].job_id.partition("_")[0]
    subprocess.run(["/usr/bin/scontrol", "update", f"jobid={{job}}", "dependency=afterok:{failed}"],
                   env={{"SLURM_CONF": os.environ["SLURM_CONF"]}}, check=True)
    until(lambda: c.info.state == "stuck")
    seen = c.info
    c.scale(0)
    until(lambda: c.info.state == "running")
    after = c.info.sentence
told = [before, seen.state, seen.sentence, heard.getvalue(), after]
""",
        )
    finally:
        owner.slurm("scontrol", "update", f"nodename={node}", "state=resume")
    assert before
    assert state == "stuck"
    assert "never start" in sentence
    assert heard.count("A worker cannot start: ") == 1
    assert after == "No workers are wished for."
    wait_until(lambda: not jobs_of(owner), 20, lambda: jobs_of(owner))


def test_a_worker_that_dies_of_its_memory_shows_its_last_lines_at_once(owner: RunOwner) -> None:
    """Within seconds of its death, in the notebook and in the card; the cluster goes on."""
    after, heard, lines, again = _do(
        owner,
        """
def eats():
    held = []
    while True:
        held.append(os.urandom(1 << 20) * 50)
        time.sleep(0.1)
with skiva.cluster("eats", slice="cpu", workers=1, hours=0.2) as c, Client(c) as client:
    c.wait_for_workers(1, 90)
    task = client.submit(eats)
    until(lambda: not c.info.workers.ready, 60)
    died = time.time()
    until(lambda: c.info.events, 20)
    after = c.info.events[0].at - died
    lines = c.info.events[0].lines
    task.cancel()
    again = client.submit(pow, 2, 5).result(120)
told = [after, heard.getvalue(), lines, again]
""",
    )
    assert after < 10
    assert "Worker " in heard
    assert any("memory" in line for line in lines), lines
    assert lines[-1] in heard
    assert again == 32
