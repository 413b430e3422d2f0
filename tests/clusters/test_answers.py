"""A Slurm that says no while workers work, one whose answer is lost, and an end that comes from elsewhere."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.cluster_owner import cluster_owner, clusters_of, jobs_of, program_of
from tests.support.cluster_work import begin
from tests.support.run_owner import RunOwner
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.slurm, pytest.mark.skipif(os.geteuid() != 0, reason="acts as another account")]

_STAND_IN = Path(__file__).parents[1] / "support" / "stand_ins" / "slurm_command"


@pytest.fixture(scope="module")
def owner(cluster: Any) -> Iterator[RunOwner]:
    """A researcher whose `sbatch` and `sinfo` answer as a file in `knobs` says."""
    with cluster_owner(cluster, "researcher1") as made:
        commands = made.place / "bin"
        commands.mkdir()
        (made.place / "knobs").mkdir()
        made.give(made.place / "knobs")
        for name in ("scancel", "scontrol", "squeue"):
            (commands / name).symlink_to(f"/usr/bin/{name}")
        for name in ("sbatch", "sinfo"):
            shutil.copy(_STAND_IN, commands / name)
        offer = json.loads((made.place / "offer.json").read_text())
        (made.place / "offer.json").write_text(json.dumps(offer | {"bin": str(commands)}))
        yield made


def _names(owner: RunOwner) -> set[str]:
    """The jobs that Slurm has, each by the number of its batch and its task."""
    argv = ["/usr/bin/squeue", "-a", "-h", "-r", "-u", owner.name, "-o", "%k %K"]
    rows = [line.split() for line in owner.cluster.run_as("root", argv).stdout.splitlines()]
    return {f"{tag.split(':')[2]}-{task}" for tag, task in rows if tag.startswith("skiva-cluster:")}


def test_a_refused_replacement_is_tried_again_while_the_others_work(owner: RunOwner) -> None:
    """Successors are refused: that is said, one makes room, no other leaves, later they come, all is done."""
    knob = owner.place / "knobs" / "sbatch"
    work = begin(owner, "refused", "slice='cpu', workers=3, lifetime=24, hours=0.2", tasks=150)
    try:
        wait_until(lambda: len(work.ready) == 3, 90, "all are ready")
        knob.write_text("refuse\n")
        wait_until(lambda: work.status["events"], 60, "it is said")
        wait_until(lambda: _refusals(owner) > 1, 60, "it is tried again")
        told = work.status
        assert told["events"][-1]["text"].startswith("Slurm does not take the cluster's workers: ")
        assert (told["state"], told["workers"]["ready"]) == ("running", 2)
        knob.unlink()
        end = work.end()
    finally:
        work.program.kill()
    assert end["results"] == list(range(150))
    assert end["begun"] == 150
    assert end["least"] == 2
    assert len(end["events"]) == 1, end["events"]
    assert end["batches"] > 2, "they came"


def _refusals(owner: RunOwner) -> int:
    return len(list(clusters_of(owner).glob("*/batches/*.refused.json")))


def test_a_job_that_came_though_nobody_knew_is_ended(owner: RunOwner) -> None:
    """The answer of sbatch was lost, and its jobs come when others were asked for: the others alone stay."""
    (owner.place / "knobs" / "sbatch").write_text("late\n")
    program = program_of(
        owner,
        """
with skiva.cluster("late", slice="cpu", workers=2, hours=0.2) as c:
    c.wait_for_workers(2, 150)
    print("ready", flush=True)
    while not os.path.exists("go"):
        time.sleep(0.1)
    print(c.info.workers.ready, [event.text for event in c.info.events], flush=True)
""",
    )
    try:
        assert program.stdout
        assert program.stdout.readline() == "ready\n"
        known = {name for name in _names(owner) if not name.startswith("1-")}
        wait_until(lambda: _names(owner) > known, 90, "those that were lost are there")
        wait_until(lambda: _names(owner) == known, 60, lambda: _names(owner))
        assert len(known) == 2
    finally:
        (owner.place / "go").touch()
        out, problem = program.communicate(timeout=60)
    assert out.startswith("2 "), out + problem
    wait_until(lambda: not jobs_of(owner), 20, lambda: jobs_of(owner))


def test_an_end_from_elsewhere_ends_the_cluster_of_a_living_kernel(owner: RunOwner) -> None:
    """Another program writes it down: its jobs and keys go, the kernel lives on, and is told why."""
    program = program_of(
        owner,
        """
c = skiva.cluster("elsewhere", slice="cpu", workers=1, hours=0.2)
c.wait_for_workers(1, 90)
print(c.place.id, flush=True)
while c.status.name != "closed":
    time.sleep(0.1)
print(c.info.state, "|", c.info.events[-1].text, flush=True)
""",
    )
    try:
        assert program.stdout
        cluster = program.stdout.readline().strip()
        assert cluster, program.stderr and program.stderr.read()
        owner.do(
            "from skiva.dask.ending import note_closed\nfrom skiva.dask.listing import find, here\n"
            "told = note_closed(find(here(), 'elsewhere'), 'Somebody else wanted it so.')"
        )
        out, problem = program.communicate(timeout=60)
    finally:
        program.kill()
    state, _, event = out.strip().partition(" | ")
    assert state == "closed", out + problem
    assert event == "The cluster was ended from outside. Somebody else wanted it so."
    wait_until(lambda: not jobs_of(owner), 20, lambda: jobs_of(owner))
    assert not list((clusters_of(owner) / cluster / "tls").iterdir())


@pytest.mark.parametrize("asynchronous", [False, True])
def test_without_slurm_none_is_started_and_the_sentence_says_so(
    owner: RunOwner, *, asynchronous: bool
) -> None:
    """Nobody tells how the nodes are reached: one sentence, in the list too, and no key is left."""
    knob = owner.place / "knobs" / "sinfo"
    knob.write_text("fail\n")
    try:
        told = owner.do(
            f"""
import asyncio
async def waited():
    async with skiva.cluster("mute", slice="cpu", asynchronous=True): pass
try: {"asyncio.run(waited())" if asynchronous else 'skiva.cluster("mute", slice="cpu")'}; told = ""
except Exception as problem: told = [type(problem).__name__, str(problem), skiva.clusters()[0].sentence]
"""
        )
    finally:
        knob.unlink()
    kind, sentence, listed = told
    assert kind == "SlurmUnanswered"
    assert sentence.startswith("Slurm does not tell how the nodes of partition cpu are reached")
    assert listed == f"It did not start: {sentence}"
    newest = max(clusters_of(owner).iterdir(), key=lambda path: path.stat().st_mtime)
    assert not list((newest / "tls").iterdir())
