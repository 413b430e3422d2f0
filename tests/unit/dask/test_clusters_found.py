"""Clusters as their owner finds them again: by the files, the queue and their names."""

import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from tests.support.clusters_on_disk import cluster_id, lay_cluster

import skiva
from skiva.dask.display import MIMETYPE, bundle, dashboard_link, job_logs, table
from skiva.dask.listing import Clusters, find, names_taken, statuses
from skiva.dask.look import look
from skiva.dask.place import ClusterDir
from skiva.dask.status import Event, JobStatus, Memory, Status, Tasks, Workers, read_status
from skiva.dask.tidying import tidy
from skiva.runs.files import write_json
from skiva.runs.queue import QueueJob, Reading

_NOW = 1_795_000_000.0


@pytest.fixture(autouse=True)
def _at_one_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    """However long it is since the suite was collected, no time passes in a test."""
    monkeypatch.setattr(time, "time", lambda: _NOW)


def detached(root: Path, number: int = 1, **more: Any) -> ClusterDir:
    """One whose scheduler's job was handed to Slurm a minute ago, and has not told anything."""
    made = {"created": _NOW - 60, "detached": True, "scheduler_hours": 1.0}
    place = lay_cluster(root, number, **(made | more))
    write_json(place.submitted(0), {"job_id": 7, "at": _NOW - 59})
    return place


def reading(place: ClusterDir, state: str | None, **told: Any) -> Reading:
    """What the queue has of a scheduler's job."""
    job = QueueJob(job_id=7, state=state or "", cluster=place.id, batch=0, **told)
    return Reading(_NOW, (job,) if state else ())


def close(place: ClusterDir, why: str = "It was closed.") -> None:
    """Its end."""
    write_json(place.closed, {"at": _NOW, "why": why})


# -- what the queue adds -------------------------------------------------------------------


def test_a_scheduler_that_waits_says_what_for(tmp_path: Path) -> None:
    """The queue's reason is the cluster's, until its scheduler tells of itself."""
    place = detached(tmp_path)
    told = look(place, reading(place, "PENDING", reason="Others are ahead.", action="Wait."))
    assert (told.state, told.sentence) == ("starting", "Its scheduler waits. Others are ahead.")
    assert told.action == "Wait."
    assert look(place, reading(place, "PENDING", hopeless=True)).state == "stuck"
    assert look(place, reading(place, "RUNNING")).sentence == "Its scheduler starts."
    write_json(place.status, {"at": _NOW, "state": "running", "sentence": "1 worker ready."})
    assert look(place, reading(place, "RUNNING")).sentence == "1 worker ready."


@pytest.mark.parametrize("state", [None, "CANCELLED", "NODE_FAIL"])
def test_a_scheduler_that_ended_before_it_began_is_the_end(tmp_path: Path, state: str | None) -> None:
    """Gone from the queue or ended there, with its log's last line; written down, without keys left."""
    place = detached(tmp_path)
    place.scheduler_log.write_text("begun\nNo module named 'dask'\n\n")
    told = look(place, reading(place, state))
    assert told.state == "closed"
    assert told.sentence.endswith("Its log ends: No module named 'dask'")
    assert place.closed.exists()
    assert not place.key.exists()


def test_silence_ends_no_cluster(tmp_path: Path) -> None:
    """No reading, one in trouble, or one from before the submission tells of no end."""
    place = detached(tmp_path)
    for told in (None, Reading(_NOW, (), "Slurm is not answering"), Reading(_NOW - 58, ())):
        assert look(place, told).state == "starting"
    place.submitted(0).unlink()
    assert look(place, Reading(_NOW, ())).state == "starting"
    assert look(place, Reading(_NOW + 600, ())).state == "closed"


def test_a_lost_scheduler_whose_job_is_gone_has_ended(tmp_path: Path) -> None:
    """Silence alone is loss, which may pass; silence of a job that Slurm has no more is the end."""
    place = detached(tmp_path)
    write_json(place.status, {"at": _NOW - 50, "state": "running"})
    assert look(place, None).state == "lost"
    assert look(place, reading(place, "RUNNING")).state == "lost"
    assert look(place, reading(place, None)).sentence == "The job of its scheduler has ended."


def test_what_nobody_has_told_of_a_cluster_is_nothing(tmp_path: Path) -> None:
    """Before its scheduler speaks it is as it was written down; every number is none and every text empty."""
    place = lay_cluster(tmp_path, created=_NOW, keys=False)
    none = dict.fromkeys(("processing", "waiting", "queued", "memory", "erred"), 0)
    assert read_status(place).model_dump() == {
        "id": place.id,
        "name": "cluster 1",
        "slice": "cpu",
        "slice_title": "CPU",
        "simulated": False,
        "cuda": False,
        "detached": False,
        "created": _NOW,
        "ends": None,
        "at": 0.0,
        "state": "starting",
        "sentence": "",
        "action": "",
        "workers": {"wanted": 2, "ready": 0, "starting": 0, "queued": 0, "leaving": 0},
        "per_job": 1,
        "threads": 2,
        "memory": {"used": 0, "limit": 0},
        "tasks": none,
        "adapt": None,
        "most_workers": 0,
        "jobs": (),
        "events": (),
        "pages": (),
    }
    bare = Status(id="a", name="b", slice="c")
    assert (bare.created, bare.at, bare.slice_title, bare.per_job, bare.threads) == (0, 0, "", 1, 1)
    assert JobStatus(name="a").model_dump() == {
        "name": "a",
        "job_id": "",
        "state": "submitting",
        "reason": "",
        "action": "",
        "node": "",
        "expected": None,
        "since": None,
        "ends": None,
        "ready": 0,
        "workers": 1,
    }
    assert Event(at=1, text="x").model_dump() == {"at": 1, "level": "info", "text": "x", "lines": ()}


@pytest.mark.parametrize("how", ["closed", "lost"])
def test_what_has_ended_has_nothing_any_more(tmp_path: Path, how: str) -> None:
    """Neither workers nor jobs, tasks, memory or pages; its events stay, to say why."""
    told = {
        "at": _NOW if how == "closed" else _NOW - 31,
        "workers": {"ready": 1},
        "memory": {"used": 1},
        "tasks": {"queued": 1},
        "jobs": [{"name": "a"}],
        "events": [{"at": 1, "text": "It grew."}],
        "pages": [{"title": "a", "path": "b"}],
        "sentence": "Fine.",
        "action": "None.",
    }
    place = lay_cluster(tmp_path, created=_NOW - 100, told=told, keys=False)
    if how == "closed":
        write_json(place.closed, {"at": _NOW})
    status = read_status(place)
    assert (status.state, status.living, len(status.events)) == (how, False, 1)
    assert (status.workers, status.memory, status.tasks) == (Workers(), Memory(), Tasks())
    assert (status.jobs, status.pages) == ((), ())
    assert {*status.workers.model_dump().values(), *status.memory.model_dump().values()} == {0}
    assert status.sentence == (
        "It was closed."
        if how == "closed"
        else "Its scheduler tells nothing any more. Unless it comes back, what it had computed is lost."
    )
    assert status.action == ("" if how == "closed" else "Start a new one; its jobs end by themselves.")


def test_half_a_minute_of_silence_is_loss(tmp_path: Path) -> None:
    """Counted from its last word, or from when it was made; not a second earlier."""
    place = lay_cluster(tmp_path, told={"at": _NOW}, created=_NOW - 900, keys=False)
    assert [read_status(place, _NOW + after).state for after in (30.0, 30.1)] == ["running", "lost"]
    write_json(place.status, {"at": 1.0, "state": "running"})
    assert [read_status(place, _NOW - 900 + after).state for after in (30.0, 30.1)] == ["running", "lost"]


def test_how_long_the_queue_may_lack_a_scheduler(tmp_path: Path) -> None:
    """Ten seconds from its submission; a kernel may take five minutes to start one."""
    place = detached(tmp_path, 1)
    asked = _NOW - 59
    assert look(place, Reading(asked + 10.0, ())).state == "starting"
    assert look(place, Reading(asked + 10.1, ())).state == "closed"
    attached = lay_cluster(tmp_path, 2, created=_NOW)
    assert look(attached, None, _NOW + 300.0).state == "starting"
    assert look(attached, None, _NOW + 300.1).state == "closed"
    unsaid = detached(tmp_path, 3)
    unsaid.submitted(0).unlink()
    created = _NOW - 60
    assert look(unsaid, Reading(created + 310.0, ())).state == "starting"
    assert look(unsaid, Reading(created + 310.1, ())).state == "closed"


def test_words_before_the_first_word_of_a_scheduler(tmp_path: Path) -> None:
    """That Slurm was asked; nothing where that is not known; and no action of one that has started."""
    place = detached(tmp_path)
    assert look(place, Reading(_NOW - 58, ())).sentence == "Slurm has been asked for its scheduler."
    starts = look(place, reading(place, "RUNNING", action="Wait.", hopeless=True))
    assert (starts.state, starts.sentence, starts.action) == ("starting", "Its scheduler starts.", "")
    assert look(place, reading(place, "PENDING")).sentence == "Its scheduler waits."
    place.submitted(0).unlink()
    assert look(place, None).sentence == ""


def test_a_kernel_that_died_while_it_started_one_leaves_none_living(tmp_path: Path) -> None:
    """An attached cluster that never told anything is over after some minutes."""
    place = lay_cluster(tmp_path, created=_NOW - 60)
    assert look(place, None).state == "starting"
    assert look(place, None, _NOW + 600).state == "closed"


# -- lists and names -----------------------------------------------------------------------


def test_the_list_has_the_living_and_the_last_that_ended(tmp_path: Path) -> None:
    """Newest first; what cannot be read as a cluster is left out."""
    for number in range(1, 7):
        place = lay_cluster(tmp_path, number, told={}, keys=False)
        if number < 5:
            close(place)
    (tmp_path / "261122-zzzzzzzz").mkdir()
    assert [one.id for one in statuses(tmp_path, ended=2)] == [cluster_id(n) for n in (6, 5, 4, 3)]
    assert names_taken(tmp_path) == {"cluster 5", "cluster 6"}


def test_a_name_or_an_id_finds_the_living_one(tmp_path: Path) -> None:
    """Also where an older one had the same name; else the sentence says how that ended, or what there is."""
    close(lay_cluster(tmp_path, 1, told={}, keys=False, name="night"))
    place = lay_cluster(tmp_path, 2, told={}, keys=False, name="night")
    assert find(tmp_path, "night") == find(tmp_path, place.id) == place
    with pytest.raises(LookupError, match=r"no cluster 'day'. Those that live: 'night'"):
        find(tmp_path, "day")
    close(place, "The job of its scheduler came to the end of its time.")
    with pytest.raises(LookupError, match=r"'night' has ended. The job of its scheduler came to"):
        find(tmp_path, "night")
    with pytest.raises(LookupError, match="None of yours lives"):
        find(tmp_path, "day")


def test_a_name_alone_starts_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistyped name is an error, not another cluster."""
    monkeypatch.setenv("SKIVA_CLUSTERS", str(tmp_path))
    with pytest.raises(LookupError, match="There is no cluster 'nihgt'"):
        skiva.cluster("nihgt")
    assert list(tmp_path.iterdir()) == []


# -- what is shown -------------------------------------------------------------------------


def test_a_notebook_keeps_the_id_and_readable_text(tmp_path: Path) -> None:
    """The card's data are the id, the name and when; names cannot smuggle markup."""
    place = lay_cluster(tmp_path, told={"sentence": "All <well>."}, keys=False, name="<b>night")
    shown = bundle(read_status(place))
    assert shown[MIMETYPE] == {"id": place.id, "name": "<b>night", "created": place.read_spec().created}
    assert "All <well>." in shown["text/plain"]
    assert "<b>night" not in shown["text/html"]
    assert "All &lt;well&gt;." in shown["text/html"]


def test_a_table_says_how_each_is(tmp_path: Path) -> None:
    """Its slice, its workers and its state; none at all says how to make one."""
    lay_cluster(tmp_path, 1, told={"workers": {"wanted": 4, "ready": 3}}, keys=False)
    text = Clusters(statuses(tmp_path))._repr_mimebundle_()["text/plain"]
    assert cluster_id(1) in text
    assert "3 of 4" in text
    assert "It runs." in text
    assert "skiva.cluster(" in table([])["text/plain"]


def test_pages_are_found_through_the_session_alone() -> None:
    """Below the session's own address; outside of one there is no way to them."""
    known = {"JUPYTERHUB_SERVICE_PREFIX": "/user/ann/"}
    assert dashboard_link("x", environ=known) == "/user/ann/skiva/clusters/x/dashboard/status"
    assert dashboard_link("x", environ={}) == ""


def test_logs_are_there_after_the_end(tmp_path: Path) -> None:
    """Each job's by its name, in order, and that of the scheduler's own job."""
    place = lay_cluster(tmp_path, keys=False)
    for batch, task in ((1, 10), (1, 2), (2, 0)):
        place.logs(batch).mkdir(exist_ok=True)
        place.log(batch, task).write_text(f"{batch}.{task}")
    place.scheduler_log.write_text("scheduler")
    close(place)
    assert job_logs(place) == {
        "scheduler": "scheduler",
        f"{place.id}-1-2": "1.2",
        f"{place.id}-1-10": "1.10",
        f"{place.id}-2-0": "2.0",
    }


# -- what is cleared away ------------------------------------------------------------------


def test_only_the_last_fifty_that_ended_stay_and_no_key_of_any(tmp_path: Path) -> None:
    """Living ones stay whatever their age, and so do their keys."""
    first = lay_cluster(tmp_path, 0, told={}, created=1.0)
    for number in range(1, 54):
        place = lay_cluster(tmp_path, number, told={"at": _NOW + number}, keys=False)
        shutil.copy(first.key, place.key)
        close(place)
    tidy(tmp_path)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {cluster_id(number) for number in (0, *range(4, 54))}
    assert [path.parents[1].name for path in tmp_path.glob("*/tls/key.pem")] == [first.id]


def test_a_lost_one_keeps_its_key_for_an_hour(tmp_path: Path) -> None:
    """A machine that slept may wake; after that nothing is to be had with the key."""
    place = lay_cluster(tmp_path, told={"at": _NOW - 600}, created=_NOW - 900)
    assert read_status(place).state == "lost"
    tidy(tmp_path)
    assert place.key.exists()
    tidy(tmp_path, _NOW - 600 + 3630)
    assert place.key.exists()
    tidy(tmp_path, _NOW - 600 + 3630.1)
    assert not place.key.exists()


def test_tidying_where_there_is_nothing_does_nothing(tmp_path: Path) -> None:
    """A first cluster has no directory to tidy."""
    tidy(tmp_path / "none")
    assert list(tmp_path.iterdir()) == []
