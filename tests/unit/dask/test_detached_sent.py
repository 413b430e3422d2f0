"""A detached scheduler's job, handed to a Slurm that misbehaves."""

import json
import sys
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.support.fake_runs import FakePerson
from tests.support.waiting import wait_until

import skiva
from skiva.dask import making
from skiva.dask.detached import request, start
from skiva.dask.ending import note_closed
from skiva.dask.listing import statuses
from skiva.dask.place import ClusterDir
from skiva.dask.spec import ClusterSpec
from skiva.runs import slurm as slurm_module
from skiva_slurm.offer import Offer

_NO = "sbatch: error: Batch job submission failed: Invalid qos specification"


@pytest.fixture
def person(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FakePerson:
    """Somebody whose home and Slurm this process sees too."""
    made = FakePerson.at(tmp_path)
    for name in ("SKIVA_RUN_DIR", "SKIVA_CLUSTERS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(made.home))
    monkeypatch.setenv("USER", "ann")
    monkeypatch.setattr(slurm_module, "_SEARCH_EVERY", 0.02)
    monkeypatch.setattr(making, "lacks", lambda _: "")
    return made


def _root(person: FakePerson) -> Path:
    return person.home / ".local/state/skiva/clusters"


def test_a_cluster_from_the_panel_is_one_job_and_a_whole_directory(person: FakePerson) -> None:
    """In the session's environment; its files are private, its job has its mark and no GPU."""
    place = start(workers=3, name="night", hours=2)
    [job] = person.slurm.jobs.values()
    assert job["comment"] == f"skiva-cluster:{place.id}:0:0"
    spec = place.read_spec()
    assert (spec.name, spec.workers, spec.hours, spec.detached) == ("night", 3, 2, True)
    assert spec.environment.launch["python"] == sys.executable
    told = json.loads(place.submitted(0).read_text())
    assert told["job_id"] == 1
    assert not [option for option in told["argv"] if option.startswith("--gres")]
    assert place.path.stat().st_mode & 0o777 == 0o700
    assert place.spec.stat().st_mode & 0o777 == place.env.stat().st_mode & 0o777 == 0o600
    assert [one.name for one in statuses(_root(person))] == ["night"]


def test_an_answer_that_was_lost_is_looked_for(person: FakePerson) -> None:
    """sbatch took the job and could not say so: it is found by its mark, and there is no second."""
    person.slurm.fault("sbatch", times=1, lose=True)
    place = start()
    assert json.loads(place.submitted(0).read_text())["job_id"] == 1
    assert len(person.slurm.calls("sbatch")) == 1


def test_what_slurm_refuses_is_told_and_has_ended(person: FakePerson) -> None:
    """In Slurm's words; nothing of it counts as living, and its name is free again."""
    person.slurm.fault("sbatch", times=1, fail=_NO)
    with pytest.raises(skiva.NotSubmitted, match="qos"):
        start(name="night")
    [status] = statuses(_root(person))
    assert status.state == "closed"
    assert "Its scheduler was not started" in status.sentence
    assert start(name="night").read_spec().name == "night"


def test_asked_for_again_with_the_same_key_it_is_the_same_cluster(person: FakePerson) -> None:
    """Whoever presses twice has one; another key, or the end of the first, makes another."""
    place = start(name="night", key="k")
    assert start(name="night", key="k") == place
    assert len(person.slurm.jobs) == 1
    assert start(name="day", key="other") != place
    note_closed(place, "It was closed.")
    assert start(name="night", key="k") != place
    assert len(person.slurm.jobs) == 3
    assert [one.name for one in statuses(_root(person)) if one.living] == ["night", "day"]


def test_two_that_ask_at_once_with_one_key_get_one_cluster(
    person: FakePerson, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever claims the key second is given what the first one makes."""
    make = ClusterDir.make

    def late(root: Path, spec: ClusterSpec, variables: Mapping[str, str]) -> ClusterDir:
        monkeypatch.setattr(ClusterDir, "make", make)
        found.append(pool.submit(start, key="k"))
        wait_until(lambda: len(list(root.glob(".keys/.*"))) == 1, 10, "the second has come as far as the key")
        return make(root, spec, variables)

    found: list[Future[ClusterDir]] = []
    monkeypatch.setattr(ClusterDir, "make", late)
    with ThreadPoolExecutor(1) as pool:
        place = start(key="k")
        assert found[0].result(30) == place
    assert len(person.slurm.jobs) == 1


def test_a_key_that_slurm_refused_may_be_used_again(person: FakePerson) -> None:
    """Nothing came of the first; pressing again is no second one."""
    person.slurm.fault("sbatch", times=1, fail=_NO)
    with pytest.raises(skiva.NotSubmitted, match="qos"):
        start(key="k")
    assert start(key="k").read_spec().detached
    with pytest.raises(skiva.BadWish, match=r"^key: must be a text of at most 200 characters"):
        start(key="k" * 201)


def test_a_taken_name_sends_nothing(person: FakePerson) -> None:
    """One name is one living cluster."""
    start(name="night")
    with pytest.raises(skiva.BadWish, match=r"^name: you have a cluster called 'night' already"):
        start(name="night")
    assert len(person.slurm.jobs) == 1


def test_too_many_workers_are_refused_before_anything_is_written(person: FakePerson) -> None:
    """The site's limits, in words; neither a directory nor a job is left of it."""
    with pytest.raises(skiva.BadWish, match=r"^workers: 33 more worker jobs are too many"):
        start(workers=33)
    assert not person.slurm.jobs
    assert not _root(person).exists()


def test_an_environment_without_dask_is_refused_in_words(
    person: FakePerson, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is sent to a queue that could only fail there."""
    monkeypatch.setattr(making, "lacks", lambda _: "This environment has no dask-jobqueue.")
    with pytest.raises(skiva.BadWish, match="no dask-jobqueue"):
        start()
    assert not person.slurm.jobs


def test_a_scheduler_never_asks_for_a_gpu(person: FakePerson) -> None:
    """Where every slice has one it gets the workers' own partition, one core and none of the devices."""
    spec = start().read_spec()
    piece = spec.slice.model_copy(update={"gres": "gpu:h100:1", "partition": "big", "cores": 16})
    spec = spec.model_copy(update={"slice": piece})
    offer = Offer(hub="h", bin="/usr/bin", slices=(piece,), environment=spec.environment)
    wanted = request(spec, offer, Path("/x"))
    assert (wanted.gres, wanted.partition, wanted.cores) == (None, "big", 1)
    assert wanted.command[-3:] == ("-m", "skiva.dask.host", "/x")
