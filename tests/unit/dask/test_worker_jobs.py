"""Worker jobs handed to a Slurm that misbehaves: each is asked for once, and ends with the rest."""

import asyncio
import sys
import time
from pathlib import Path

import pytest
from tests.fakes.slurm import FakeSlurm
from tests.support.clusters_on_disk import lay_cluster

from skiva.dask import ending
from skiva.dask.address import address_towards, own_address
from skiva.dask.ending import cancel_all, cancel_twice, forget_keys, note_closed
from skiva.dask.place import ClusterDir
from skiva.dask.worker_jobs import Arrays, request
from skiva.runs import slurm as slurm_module
from skiva.runs.wish import BadWish
from skiva_slurm.errors import Refused, SlurmUnanswered
from skiva_slurm.offer import EnvironmentOffer, SliceOffer


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakeSlurm:
    """A Slurm that this process's commands ask, quickly out of patience."""
    monkeypatch.setenv("USER", "ann")
    monkeypatch.setattr(slurm_module, "_SUBMIT", 2.0)
    monkeypatch.setattr(slurm_module, "_SEARCH", 3.0)
    monkeypatch.setattr(slurm_module, "_SEARCH_EVERY", 0.02)
    monkeypatch.setattr(ending, "_PAUSE", 0.05)
    monkeypatch.setattr(ending, "_LATE", 0.2)
    return FakeSlurm(tmp_path / "slurm")


@pytest.fixture
def place(tmp_path: Path, slurm: FakeSlurm) -> ClusterDir:
    """A cluster of that Slurm's."""
    picked = SliceOffer(id="g", title="G", partition="gpu", gres="gpu:1g.10gb:1", cores=1, memory_mb=1000)
    base = EnvironmentOffer(id="base", title="", launch={"python": sys.executable})
    return lay_cluster(tmp_path / "c", slice=picked, environment=base, bin=str(slurm.bin))


def _arrays(place: ClusterDir, said: list[str]) -> Arrays:
    return Arrays(place.read_spec(), place, 77, said.append)


async def test_workers_asked_for_together_are_one_array_with_the_clusters_mark(
    place: ClusterDir, slurm: FakeSlurm
) -> None:
    """Three starts at the same time are one sbatch; its mark names cluster, batch and owner."""
    arrays = _arrays(place, [])
    names = arrays.new(3)
    assert names == [f"{place.id}-1-{task}" for task in range(3)]
    assert await asyncio.gather(*[arrays.submit(1) for _ in names]) == [1, 1, 1]
    [argv] = slurm.calls("sbatch")
    assert [option for option in argv if option.startswith("--array")] == ["--array=0-2"]
    assert slurm.jobs[1]["comment"] == f"skiva-cluster:{place.id}:1:77"
    assert (place.read(place.batch(1)) or {})["workers"] == names
    assert (place.read(place.submitted(1)) or {})["job_id"] == 1
    assert arrays.new(1) == [f"{place.id}-2-0"]


@pytest.mark.parametrize("how", ["answer lost", "timed out"])
async def test_a_submission_without_an_answer_is_not_made_again(
    place: ClusterDir, slurm: FakeSlurm, how: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """sbatch took the workers and could not say so: they are found by their mark, once."""
    said: list[str] = []
    arrays = _arrays(place, said)
    arrays.new(2)
    if how == "timed out":
        slurm.add_job(user="ann", comment=f"skiva-cluster:{place.id}:1:77")
        slurm.fault("sbatch", hang=True)
        monkeypatch.setattr(slurm_module, "_SUBMIT", 0.3)
    else:
        slurm.fault("sbatch", lose=True)
    first, second = await asyncio.gather(arrays.submit(1), arrays.submit(1))
    assert first == second == 1
    assert len(slurm.calls("sbatch")) == 1
    assert len(slurm.jobs) == 1
    assert not said


async def test_a_silent_slurm_refuses_for_now_and_a_no_for_good(place: ClusterDir, slurm: FakeSlurm) -> None:
    """What was not answered may be asked again later; what Slurm forbids is told, in its words."""
    said: list[str] = []
    arrays = _arrays(place, said)
    arrays.new(1)
    slurm.fault("sbatch", times=1, fail="sbatch: error: Unable to contact slurm controller (connect failure)")
    assert await arrays.submit(1) is None
    assert arrays.refused(1)
    assert said == [""]
    arrays.new(1)
    slurm.fault(
        "sbatch", times=1, fail="sbatch: error: Batch job submission failed: Invalid qos specification"
    )
    assert await arrays.submit(2) is None
    assert len(said) == 2
    assert "qos" in said[1]
    assert "qos" in (place.read(place.refused(2)) or {})["sentence"]


async def test_one_command_ends_many_and_whole_arrays_as_such(place: ClusterDir, slurm: FakeSlurm) -> None:
    """Of an array of which one stays the others are named; where none stays the array; none is forgotten."""
    arrays = _arrays(place, [])
    first, second = arrays.new(3), arrays.new(2)
    await arrays.submit(1)
    await arrays.submit(2)
    await arrays.cancel([*first[1:], *second], first[:1])
    [argv] = slurm.calls("scancel")
    assert sorted(one for one in argv if one[0].isdigit()) == ["1_1", "1_2", "2"]
    await arrays.cancel([], first)
    assert len(slurm.calls("scancel")) == 1


async def test_the_end_from_outside_spares_others_and_the_schedulers_own_job(
    place: ClusterDir, slurm: FakeSlurm
) -> None:
    """By their mark, of this person only; other clusters, other people and the one that is spared stay."""
    known = {"mine": 1, "spared": 0, "waits": 2}
    jobs = {
        name: slurm.add_job(user="ann", comment=f"skiva-cluster:{place.id}:{batch}:5")
        for name, batch in known.items()
    }
    jobs["other"] = slurm.add_job(user="ann", comment="skiva-cluster:261122-otherone:1:5")
    jobs["bob"] = slurm.add_job(user="bob", comment=f"skiva-cluster:{place.id}:1:5")
    jobs["odd"] = slurm.add_job(user="ann", comment=f"skiva-cluster:{place.id}:1:5:more")
    await cancel_all(place, place.read_spec(), sparing=jobs["spared"])
    states = {name: slurm.jobs[number]["state"] for name, number in jobs.items()}
    assert {name for name, state in states.items() if state == "CANCELLED"} == {"mine", "waits"}


async def test_what_reaches_slurm_late_is_ended_too(place: ClusterDir, slurm: FakeSlurm) -> None:
    """The kernel died while sbatch was under way: its array shows a moment after the first look."""
    ended = asyncio.ensure_future(cancel_twice(place, place.read_spec()))
    while not slurm.calls("squeue"):  # noqa: ASYNC110 - another program's doing
        await asyncio.sleep(0.01)
    late = slurm.add_job(user="ann", comment=f"skiva-cluster:{place.id}:3:5")
    await ended
    assert slurm.jobs[late]["state"] == "CANCELLED"


async def test_a_slurm_that_is_away_is_asked_until_it_is_back_or_patience_ends(
    place: ClusterDir, slurm: FakeSlurm
) -> None:
    """Nothing is given up because of one silence; a person who waits is told in the end."""
    job = slurm.add_job(user="ann", comment=f"skiva-cluster:{place.id}:1:5")
    slurm.fault("squeue", times=2, fail="slurm_load_jobs error: Unable to contact slurm controller")
    await cancel_all(place, place.read_spec())
    assert slurm.jobs[job]["state"] == "CANCELLED"
    slurm.fault("squeue", fail="slurm_load_jobs error: Unable to contact slurm controller")
    began = time.monotonic()
    with pytest.raises(SlurmUnanswered):
        await cancel_all(place, place.read_spec(), patience=0.2)
    assert time.monotonic() - began < 10


def test_the_first_word_of_an_end_stays(place: ClusterDir) -> None:
    """Who ends it second changes nothing; keys that are gone already are no mistake."""
    assert note_closed(place, "It was closed.")
    assert not note_closed(place, "It was killed.")
    assert (place.read(place.closed) or {})["why"] == "It was closed."
    forget_keys(place)
    forget_keys(place)
    assert not list(place.key.parent.iterdir())


def test_a_path_that_slurm_cannot_take_is_named(place: ClusterDir) -> None:
    """Before anything is sent."""
    spec = place.read_spec()
    odd = spec.environment.model_copy(update={"launch": {"python": "/a\nb/python"}})
    with pytest.raises((BadWish, ValueError), match=r"python|command|environment"):
        request(spec.model_copy(update={"environment": odd}), place, 1, 1, 0)


def test_the_way_to_this_machine_is_the_address_that_is_bound() -> None:
    """Towards a node on this machine it is the loopback address, never all of them."""
    assert address_towards("127.0.0.1") == "127.0.0.1"
    assert address_towards("127.0.0.99").startswith("127.")


@pytest.mark.parametrize(
    ("nodes", "found"), [("127.0.0.1", True), ("no-such-node.invalid 127.0.0.1", True), ("", False)]
)
async def test_the_address_is_the_one_towards_the_nodes(nodes: str, found: bool, tmp_path: Path) -> None:
    """A name that is not known here is passed over; without any node it is said in words."""
    program = tmp_path / "sinfo"
    program.write_text(f"#!/bin/sh\necho {nodes}\n")
    program.chmod(0o755)
    if found:
        assert await own_address(str(tmp_path), None, "gpu") == "127.0.0.1"
        return
    with pytest.raises(SlurmUnanswered, match="nodes of partition gpu"):
        await own_address(str(tmp_path), None, "gpu")


async def test_a_slurm_of_another_age_is_told_from_one_that_tells_nothing(tmp_path: Path) -> None:
    """Where the commands here cannot talk to it, the sentence says so and what to do."""
    program = tmp_path / "sinfo"
    words = "sinfo: error: slurm_unpack_received_msg: Incompatible versions of client and server code"
    program.write_text(f"#!/bin/sh\necho '{words}' >&2\nexit 1\n")
    program.chmod(0o755)
    with pytest.raises(Refused, match="choose another environment"):
        await own_address(str(tmp_path), None, "gpu")


def test_keys_and_variables_go_with_the_cluster(place: ClusterDir) -> None:
    """What opens a cluster, and what may be secret in its workers' environment, is not kept."""
    for path in (place.key, place.certificate, place.env):
        path.write_text("secret")
    forget_keys(place)
    forget_keys(place)
    assert not any(path.exists() for path in (place.key, place.certificate, place.env))
    assert place.spec.exists()
