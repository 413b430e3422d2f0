"""What a keeper makes of ends, refusals and deaths: whom it tells what, and whether it asks again."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.support.clusters_on_disk import lay_cluster

from skiva.dask.keeper import Keeper
from skiva.dask.keeping import Plan, Trouble
from skiva.dask.observing import KnownJob
from skiva.dask.place import ClusterDir
from skiva.runs.files import write_json

_NOW = 1000.0


class _Cluster:
    """What a keeper knows of its cluster, and does to it."""

    def __init__(self, place: ClusterDir) -> None:
        self.place = place
        self.slices = place.read_spec()
        self.leaving: set[str] = set()
        self.wanted = 2
        self.worker_spec: dict[str, Any] = {}
        self.dropped: list[str] = []
        self.added: list[int] = []
        self.reaper = SimpleNamespace(owed=False)
        self.arrays = SimpleNamespace(
            number=lambda batch: None if batch == 9 else 70 + batch, refused=lambda batch: batch == 9
        )
        self.scheduler = None
        self.close_soon = lambda: None
        self.loop = SimpleNamespace(add_callback=lambda *_: None)

    @property
    def staying(self) -> list[str]:
        return [name for name in self.worker_spec if name not in self.leaving]

    def drop_jobs(self, names: list[str]) -> None:
        self.dropped += names

    def add_jobs(self, number: int) -> None:
        self.added.append(number)

    def workers_of(self, jobs: list[str]) -> set[str]:
        return set(jobs)

    def job_name_of(self, worker: str) -> str:
        return worker


@pytest.fixture
def place(tmp_path: Path) -> ClusterDir:
    """A cluster's directory."""
    return lay_cluster(tmp_path / "c", keys=False)


@pytest.fixture
def cluster(place: ClusterDir) -> _Cluster:
    """The cluster of the keeper."""
    return _Cluster(place)


@pytest.fixture
def keeper(cluster: _Cluster) -> Keeper:
    """Its keeper, which does not look by itself."""
    return Keeper(cluster)  # type: ignore[arg-type]


def _job(keeper: Keeper, task: int, batch: int = 1, **facts: Any) -> KnownJob:
    """One that the keeper knows."""
    cluster: Any = keeper._cluster
    name = f"{cluster.place.id}-{batch}-{task}"
    cluster.place.logs(batch).mkdir(exist_ok=True)
    job = KnownJob(name, **{"asked": _NOW - 10, "phase": "over", "since": _NOW, **facts})
    cluster.worker_spec[name] = {}
    keeper._jobs[name] = job
    return job


def _said(keeper: Keeper) -> list[tuple[str, str]]:
    return [(event.level, event.text) for event in keeper.events]


# -- ends ------------------------------------------------------------------------------------


def test_the_end_of_a_job_is_told_with_its_last_lines_and_another_is_asked_for(
    keeper: Keeper, cluster: _Cluster, capsys: pytest.CaptureFixture[str]
) -> None:
    """Where it was, what it said itself, and that the cluster goes on; in the notebook at once."""
    job = _job(keeper, 0, node="n1", end={"sentence": "It ran out of memory."}, ready_at=990.0)
    cluster.place.log(1, 0).write_text("first\nMemoryError\n")
    keeper._drop(job, _NOW)
    text = f"Worker {job.name} on n1 is gone. It ran out of memory. Another one is asked for."
    assert _said(keeper) == [("warning", text)]
    assert keeper.events[0].lines == ("first", "MemoryError")
    assert capsys.readouterr().err == f"{text}\n    first\n    MemoryError\n"
    assert cluster.dropped == [job.name]
    assert keeper.trouble == Trouble()


def test_who_says_nothing_is_taken_for_ended_or_lost_and_told_lines_are_not_told_again(
    keeper: Keeper, cluster: _Cluster
) -> None:
    """A node that went left no word; the lines of a worker's death were said when it died."""
    job = _job(keeper, 0, ready_at=990.0, told=True)
    cluster.place.log(1, 0).write_text("MemoryError\n")
    keeper._drop(job, _NOW)
    [event] = keeper.events
    assert event.text.endswith("is gone. It was ended, or its node was lost. Another one is asked for.")
    assert event.lines == ()


def test_jobs_that_end_before_they_work_are_given_up_after_the_third_and_said_so_once(
    keeper: Keeper, cluster: _Cluster
) -> None:
    """Each is told; the third is the last that is asked for, and those after it are silent."""
    for number in range(5):
        now = _NOW + 100 * number
        keeper._drop(_job(keeper, number, asked=now - 5), now)
    levels = [level for level, _ in _said(keeper)]
    assert levels == ["warning", "warning", "warning", "error"]
    texts = [text for _, text in _said(keeper)]
    assert [text.endswith("Another one is asked for.") for text in texts] == [True, True, False, False]
    assert texts[3].startswith("Workers end again and again before they can work, so no more are asked for.")
    assert keeper.trouble.stuck
    assert len(cluster.dropped) == 5
    keeper.try_again()
    assert keeper.trouble == Trouble()


@pytest.mark.parametrize("works", [False, True])
def test_the_end_of_a_job_that_leaves_is_no_trouble(keeper: Keeper, cluster: _Cluster, works: bool) -> None:
    """It was told to go: that Slurm or its node was quicker keeps no other from being asked for."""
    if works:
        _job(keeper, 9, phase="ready", ready=1)
    for number in range(3):
        job = _job(keeper, number, ready_at=990.0)
        cluster.leaving.add(job.name)
        keeper._drop(job, _NOW + 100 * number)
    assert keeper.trouble == Trouble()
    assert _said(keeper) == []
    assert len(cluster.dropped) == 3


# -- refusals --------------------------------------------------------------------------------


def test_what_slurm_did_not_answer_is_asked_for_later_and_later(keeper: Keeper) -> None:
    """Silently: its jobs are no workers that died. Each time the pause doubles."""
    pauses = []
    for number in range(3):
        now = _NOW + 100 * number
        keeper._drop(_job(keeper, number, 9, asked=now - 5, end={"how": "refused"}), now)
        pauses.append(keeper.trouble.until - now)
    assert pauses == [1, 2, 4]
    assert _said(keeper) == []


def test_while_others_work_a_refusal_is_tried_again_in_a_quarter_of_a_minute(keeper: Keeper) -> None:
    """However often: their end may make room, so it is never given up."""
    _job(keeper, 0, phase="ready", ready=1)
    for number in range(1, 6):
        now = _NOW + 100 * number
        keeper._drop(_job(keeper, number, 9, asked=now - 5, end={"how": "refused"}), now)
        assert keeper.trouble == Trouble(until=now + 15)


def test_slurms_no_ends_the_asking_where_nobody_works(keeper: Keeper, cluster: _Cluster) -> None:
    """It is said once, in Slurm's words, and stays; what it said it for counts no further."""
    for _ in range(2):
        keeper.refused("Invalid qos.")
    assert _said(keeper) == [("error", "Slurm does not take the cluster's workers: Invalid qos.")]
    assert keeper.trouble == Trouble(refused="Invalid qos.")
    keeper._drop(_job(keeper, 0, 9, end={"how": "refused"}), _NOW)
    assert keeper.trouble == Trouble(refused="Invalid qos.")
    assert not cluster.reaper.owed
    assert not keeper._strays.expected(_NOW)


def test_slurms_no_to_more_workers_ends_nothing_where_some_work(keeper: Keeper) -> None:
    """It is said, and those that there are go on."""
    _job(keeper, 0, phase="ready", ready=1)
    keeper.refused("QOS limit.")
    assert [level for level, _ in _said(keeper)] == ["error"]
    assert keeper.trouble == Trouble()


def test_after_silence_slurm_may_have_the_jobs_all_the_same(
    keeper: Keeper, cluster: _Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are looked for while the cluster lives, and once more when it ends; nobody is alarmed."""
    monkeypatch.setattr("skiva.dask.keeper.time.time", lambda: _NOW)
    keeper.refused("")
    assert cluster.reaper.owed
    assert keeper._strays.expected(_NOW + 60)
    assert (_said(keeper), keeper.trouble) == ([], Trouble())


def test_jobs_that_could_not_be_ended_are_owed(keeper: Keeper, cluster: _Cluster) -> None:
    """Said in words, and made up for when the cluster ends."""
    keeper.could_not_end(["a", "b"], "Slurm is away.")
    assert cluster.reaper.owed
    assert _said(keeper) == [("warning", "2 worker jobs could not be ended yet: Slurm is away.")]


# -- deaths, waits and what can never start ----------------------------------------------------


def test_a_worker_that_dies_in_a_job_that_goes_on_is_told_after_a_second(
    keeper: Keeper, cluster: _Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not before: a whole job that ends takes its workers along, and is told as such."""
    monkeypatch.setattr("skiva.dask.keeper.time.time", lambda: _NOW)
    alive = _job(keeper, 0, phase="partial", ready=1, node="n2")
    over, leaving = _job(keeper, 1), _job(keeper, 2, phase="leaving")
    cluster.place.log(1, 0).write_text("Killed\n")
    for job in (alive, over, leaving):
        keeper.lost(job.name)
    keeper.lost("nobody")
    keeper._note(_NOW + 0.9)
    assert _said(keeper) == []
    keeper._note(_NOW + 1.0)
    keeper._note(_NOW + 2.0)
    assert _said(keeper) == [("warning", f"Worker {alive.name} on n2 died.")]
    assert keeper.events[0].lines == ("Killed",)
    assert (alive.told, over.told, leaving.told) == (True, False, False)


def test_workers_that_were_told_to_go_do_not_die(keeper: Keeper, cluster: _Cluster) -> None:
    """Of a job that leaves nothing is noted."""
    job = _job(keeper, 0, phase="ready", ready=1)
    cluster.leaving.add(job.name)
    keeper.lost(job.name)
    assert job.died_at is None


def test_a_job_that_can_never_start_is_told_once(keeper: Keeper) -> None:
    """With Slurm's reason and what can be done, while it waits; one that waits for others is not."""
    job = _job(keeper, 0, phase="waiting", hopeless=True, reason="Too large.", action="Ask for less.")
    _job(keeper, 1, phase="waiting", reason="Others are ahead.")
    _job(keeper, 2, phase="ready", ready=1, hopeless=True)
    for _ in range(3):
        keeper._note(_NOW)
    assert _said(keeper) == [("error", "A worker cannot start: Too large. Ask for less.")]
    job.action, job.name = "", "another"
    keeper._note(_NOW)
    assert _said(keeper)[1:] == [("error", "A worker cannot start: Too large.")]


def test_the_first_look_at_a_job_that_works_ends_the_trouble_and_counts_its_wait(keeper: Keeper) -> None:
    """How long it took to come is what successors are planned by; later looks add nothing."""
    keeper.refused("No.")
    _job(keeper, 0, phase="ready", ready=1, ready_at=_NOW)
    _job(keeper, 1, phase="ready", ready=1, ready_at=_NOW - 50)
    _job(keeper, 2, phase="waiting")
    keeper._note(_NOW)
    assert keeper.trouble == Trouble()
    assert list(keeper._waits) == [10.0]


# -- which jobs there are --------------------------------------------------------------------


def test_the_keeper_follows_the_jobs_that_the_cluster_has(keeper: Keeper, cluster: _Cluster) -> None:
    """With Slurm's numbers once they are known; refused ones are marked, those that went are forgotten."""
    names = [f"{cluster.place.id}-{batch}-4" for batch in (1, 9)]
    cluster.worker_spec = dict.fromkeys(names)
    keeper._follow(_NOW)
    taken, refused = (keeper._jobs[name] for name in names)
    assert (taken.job_id, taken.asked, taken.end) == ("71_4", _NOW, {})
    assert (refused.job_id, refused.end) == ("", {"how": "refused"})
    refused.end = {"how": "its own word"}
    keeper._follow(_NOW + 5)
    assert refused.end == {"how": "its own word"}
    assert taken.asked == _NOW
    keeper._hopeless.add(names[0])
    cluster.worker_spec = {names[1]: None}
    keeper._follow(_NOW)
    assert (set(keeper._jobs), keeper._hopeless) == ({names[1]}, set())


def test_jobs_are_ordered_by_use_and_new_ones_count_least(keeper: Keeper, cluster: _Cluster) -> None:
    """One that the keeper has not seen yet waits; one that leaves is nobody's."""
    ready = _job(keeper, 0, phase="ready", ready=1, ready_at=10.0)
    waits = _job(keeper, 1, phase="waiting")
    leaves = _job(keeper, 2, phase="ready", ready=1, ready_at=5.0)
    cluster.leaving.add(leaves.name)
    cluster.worker_spec["new"] = {}
    assert keeper.least_useful(9) == ["new", waits.name, ready.name]
    assert keeper.most_useful(1) == [ready.name]
    assert keeper.most_useful(9) == keeper.least_useful(9)
    assert keeper.least_useful(0) == keeper.most_useful(0) == []
    assert [keeper.has_joined(name) for name in (ready.name, waits.name, "new")] == [True, False, False]


def test_nothing_is_asked_for_in_the_look_that_clears_away(keeper: Keeper, cluster: _Cluster) -> None:
    """What ended decides first whether more are asked for; the next look knows that."""
    job = _job(keeper, 0, ready_at=990.0)
    keeper._carry_out(Plan(add=2, drop=(job.name,)), _NOW)
    assert (cluster.dropped, cluster.added) == ([job.name], [])
    keeper._carry_out(Plan(add=2), _NOW)
    assert cluster.added == [2]
    keeper._carry_out(Plan(), _NOW)
    assert cluster.added == [2]


# -- the end, and leaving --------------------------------------------------------------------


async def test_an_end_from_outside_is_followed_after_a_notice(
    keeper: Keeper, cluster: _Cluster, place: ClusterDir
) -> None:
    """All who are attached have three seconds to learn of it; it is said and done once."""
    closings: list[str] = []
    cluster.close_soon = lambda: closings.append("closed")
    assert not await keeper._is_ended(_NOW)
    write_json(place.closed, {"why": "Somebody pressed close."})
    looks = [await keeper._is_ended(_NOW + after) for after in (0.0, 2.9)]
    assert (looks, closings) == ([True, True], [])
    for after in (3.0, 4.0):
        assert await keeper._is_ended(_NOW + after)
    assert closings == ["closed"]
    assert _said(keeper) == [("error", "The cluster was ended from outside. Somebody pressed close.")]


async def test_whoever_is_to_go_hands_over_once(
    keeper: Keeper, cluster: _Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With Slurm's own end of its job for a limit; then it is dropped."""
    handed: list[tuple[set[str], float | None]] = []

    async def hand_over(_: object, workers: set[str], ends: float | None) -> None:
        handed.append((workers, ends))

    monkeypatch.setattr("skiva.dask.keeper.hand_over", hand_over)
    job = _job(keeper, 0, phase="ready", ready=1, ends=5000.0)
    keeper._carry_out(Plan(retire=(job.name,)), _NOW)
    cluster.leaving.add("unknown")
    for _ in range(2):
        keeper._carry_out(Plan(), _NOW)
    assert cluster.leaving == {job.name, "unknown"}
    await asyncio.gather(*keeper._handing.values())
    await asyncio.sleep(0)
    assert sorted(handed, key=str) == sorted([({job.name}, 5000.0), ({"unknown"}, None)], key=str)
    assert sorted(cluster.dropped) == sorted([job.name, "unknown"])
    assert keeper._handing == {}


def test_only_the_last_things_that_were_said_are_kept(keeper: Keeper) -> None:
    """Twenty of them; what was said lately is not said again, and what nobody sees any more is."""
    for number in range(25):
        keeper.say("info", f"{number}")
    assert [event.text for event in keeper.events] == [str(number) for number in range(5, 25)]
    keeper.say_once("info", "5")
    assert len(keeper.events) == 20
    assert keeper.events[0].text == "5"
    keeper.say_once("info", "4")
    assert keeper.events[-1].text == "4"


def test_what_is_only_for_the_card_is_not_printed(keeper: Keeper, capsys: pytest.CaptureFixture[str]) -> None:
    """A warning and an error stand in the notebook too."""
    keeper.say("info", "Calm.")
    assert capsys.readouterr().err == ""
    keeper.say("error", "Alarm.")
    assert capsys.readouterr().err == "Alarm.\n"
