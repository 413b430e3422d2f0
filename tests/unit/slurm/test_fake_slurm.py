"""The reader and the command line of sbatch against executables that misbehave."""

from pathlib import Path
from typing import Any

import pytest
from tests.fakes.slurm import FakeSlurm

from skiva_slurm.errors import Refused, SlurmUnanswered
from skiva_slurm.gres import Gres
from skiva_slurm.jobs import Array, Snapshot
from skiva_slurm.reader import SlurmReader
from skiva_slurm.refusal import submitted
from skiva_slurm.runner import run
from skiva_slurm.sbatch import JobRequest, sbatch_options, script
from skiva_slurm.slices import availability
from skiva_slurm.states import Life
from skiva_slurm.wishes import Place

CORPUS = Path(__file__).parent / "corpus"
TAG = "skiva:hub1:alice/:0123456789abcdef"


@pytest.fixture
def slurm(tmp_path: Path) -> FakeSlurm:
    return FakeSlurm(tmp_path / "slurm")


@pytest.fixture
def reader(slurm: FakeSlurm) -> SlurmReader:
    return SlurmReader(slurm.bin, slurm.env, timeout=5.0)


async def submit(slurm: FakeSlurm, **fields: Any) -> int:
    plain: dict[str, Any] = {
        "tag": TAG,
        "partition": "gpu",
        "gres": "gpu:1g.10gb:1",
        "cores": 2,
        "memory_mb": 4000,
        "minutes": 120,
        "output": "/home/alice/log",
        "chdir": "/home/alice",
        "command": ("/opt/skiva/bin/python", "-I", "-m", "skiva.session"),
    }
    request = JobRequest(**plain | fields)
    argv = [str(slurm.bin / "sbatch"), *sbatch_options(request)]
    done = await run(argv, env=slurm.env, stdin=script(request).encode(), timeout=5.0)
    return submitted(done.returncode, done.stdout, done.stderr)


async def test_a_job_goes_from_sbatch_to_the_queue_and_to_a_node(
    slurm: FakeSlurm, reader: SlurmReader
) -> None:
    """What is submitted is seen with its tag, then running on a node with Slurm's address, then ended."""
    number = await submit(slurm)
    queued = (await reader.jobs())[number]
    assert (queued.life, queued.tag, queued.nodes) == (Life.QUEUED, TAG, ())
    assert queued.gres == (Gres("gpu", "1g.10gb", 1),)
    slurm.set_state(number, "RUNNING", node="n1")
    running = (await reader.jobs())[number]
    nodes = await reader.nodes()
    assert running.life is Life.RUNNING
    assert nodes[running.nodes[0]].address == "127.0.0.1"
    assert running.end is not None
    assert running.start is not None
    assert running.end - running.start == 7200
    await run([str(slurm.bin / "scancel"), str(number)], env=slurm.env, timeout=5.0)
    ended = (await reader.jobs())[number]
    assert (ended.life, ended.exit_code) == (Life.ENDED, "0:15")


async def test_the_script_and_the_arguments_arrive_as_they_were_built(slurm: FakeSlurm) -> None:
    """sbatch gets exactly the built arguments, and the script on its standard input."""
    number = await submit(slurm)
    job = slurm.jobs[number]
    assert job["argv"] == slurm.calls("sbatch")[0]
    assert f"--comment={TAG}" in job["argv"]
    assert job["script"].startswith("#!/bin/sh\n")


async def test_slices_in_use_are_counted(slurm: FakeSlurm, reader: SlurmReader) -> None:
    """Of seven instances, one is held by a running job; waiting jobs hold none."""
    for _ in range(2):
        number = await submit(slurm)
    slurm.set_state(number, "RUNNING", node="n1")
    seen = Snapshot.of(0.0, await reader.jobs(), await reader.nodes())
    found = availability("gpu:1g.10gb:1", Place("gpu"), 2, 4000, seen)
    assert (found.free, found.in_use, found.total) == (6, 1, 7)
    slurm.set_node("n1", "DOWN*")
    seen = Snapshot.of(0.0, await reader.jobs(), await reader.nodes())
    assert availability("gpu:1g.10gb:1", Place("gpu"), 2, 4000, seen).drained == 7


@pytest.mark.parametrize("words", (CORPUS / "outages.txt").read_text().splitlines())
async def test_every_outage_is_silence(slurm: FakeSlurm, reader: SlurmReader, words: str) -> None:
    """Whatever squeue complains of, the answer is SlurmUnanswered with its words, never an empty queue."""
    await submit(slurm)
    slurm.fault("squeue", fail=words)
    with pytest.raises(SlurmUnanswered, match="Slurm is not answering: "):
        await reader.jobs()


@pytest.mark.parametrize("knob", ["garble", "truncate"])
@pytest.mark.parametrize("command", ["squeue", "scontrol"])
async def test_spoilt_answers_are_silence(
    slurm: FakeSlurm, reader: SlurmReader, command: str, knob: str
) -> None:
    """Output that is cut off or garbled is not believed, though the command says that all went well."""
    await submit(slurm)
    slurm.fault(command, **{knob: True})
    with pytest.raises(SlurmUnanswered):
        await (reader.jobs() if command == "squeue" else reader.nodes())


async def test_a_hanging_squeue_is_silence(slurm: FakeSlurm) -> None:
    """A command that never answers is ended after the reader's time limit."""
    slurm.fault("squeue", hang=True, times=1)
    impatient = SlurmReader(slurm.bin, slurm.env, timeout=0.5)
    with pytest.raises(SlurmUnanswered, match="squeue gave no answer"):
        await impatient.jobs()


async def test_duplicate_rows_are_no_answer_and_forgetting_is_an_empty_queue(
    slurm: FakeSlurm, reader: SlurmReader
) -> None:
    """Of two rows about a job one is not Slurm's; a queue that is whole and lacks a job really lacks it."""
    number = await submit(slurm)
    slurm.fault("squeue", duplicate=True)
    with pytest.raises(SlurmUnanswered, match=f"tells of job {number} twice"):
        await reader.jobs()
    slurm.fault("squeue", forget=True)
    assert await reader.jobs() == {}
    slurm.heal()
    slurm.fault("squeue", lose_jobs=[number], times=1)
    assert await reader.jobs() == {}
    assert list(await reader.jobs()) == [number]


async def test_the_word_between_rows_is_nobody_elses_to_read(slurm: FakeSlurm, reader: SlurmReader) -> None:
    """Each account of the machine sees a command's arguments, and only its own sees its environment."""
    await reader.jobs()
    await reader.jobs()
    one, other = slurm.calls("squeue")
    assert one == other == ["--local", "--all", "--states=all", "--sort=i"]


async def test_a_lost_answer_of_sbatch_is_no_refusal(slurm: FakeSlurm, reader: SlurmReader) -> None:
    """The job is in the queue though sbatch failed: it is found by its tag."""
    slurm.fault("sbatch", lose=True)
    with pytest.raises(SlurmUnanswered):
        await submit(slurm)
    seen = Snapshot.of(0.0, await reader.jobs(), {})
    found = seen.tagged(TAG)
    assert found is not None
    assert seen.tagged(TAG, user="somebody-else") is None


async def test_a_refusal_says_why(slurm: FakeSlurm) -> None:
    """sbatch's own words are in the sentence."""
    with pytest.raises(Refused, match="Invalid partition name specified"):
        await submit(slurm, partition="nope")
    assert slurm.jobs == {}


async def test_filters_in_the_environment_do_not_hide_jobs(slurm: FakeSlurm) -> None:
    """SQUEUE_USERS and its like, which would show a part of the queue for the whole, never reach squeue."""
    env = {**slurm.env, "SQUEUE_USERS": "bob", "SLURM_CLUSTERS": "other", "SLURM_CONF": "/etc/slurm.conf"}
    kept = SlurmReader(slurm.bin, env, timeout=5.0)._env
    assert {name for name in kept if "S" in name} == {"SLURM_CONF", "SLURM_TIME_FORMAT", "SLURM_BITSTR_LEN"}


async def test_tasks_of_an_array_leave_it_one_by_one_and_are_cancelled_together(
    slurm: FakeSlurm, reader: SlurmReader
) -> None:
    """An array waits as one row; its tasks start as jobs of their own, the last under the array's number."""
    number = await submit(slurm, tasks=3, at_once=2, tag="skiva-run:261122-abcdefgh")
    assert (await reader.jobs())[number].array == Array(number, "0-2%2")
    first = slurm.task_of_its_own(number, 0)
    slurm.set_state(first, "RUNNING", node="n1")
    jobs = await reader.jobs()
    assert (jobs[first].array, jobs[number].array) == (Array(number, "0"), Array(number, "1-2%2"))
    await run([str(slurm.bin / "scancel"), f"{number}_1"], env=slurm.env, timeout=5.0)
    jobs = await reader.jobs()
    assert {job.array.tasks: job.state for job in jobs.values() if job.array} == {
        "0": "RUNNING",
        "1": "CANCELLED",
        "2%2": "PENDING",
    }
    assert slurm.task_of_its_own(number, 2) == number
    await run([str(slurm.bin / "scancel"), str(number)], env=slurm.env, timeout=5.0)
    assert {job.state for job in (await reader.jobs()).values()} == {"CANCELLED"}
