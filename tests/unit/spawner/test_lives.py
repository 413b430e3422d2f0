"""The lives of sessions, from the click to the end, through whatever Slurm says and whenever the hub dies."""

import time
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any

import pytest
from jupyterhub import orm
from jupyterhub.spawner import SpawnException
from prometheus_client import REGISTRY
from tests.fakes.hub import PERSON, FakeCluster, FakeHub, a_site

from skiva_slurm.errors import Refused, SlurmUnanswered
from skiva_slurm.jobs import Job
from skiva_slurm.reservations import Reservation
from skiva_slurm.tags import Tag
from skiva_spawners.lifecycle import State
from skiva_spawners.report import NotYet, Proof, Stale

OPENABLE = Proof(exclusive=False, openable=7, denied=0, sentence="Seven devices can be opened.")


def _state(cluster: FakeCluster, number: int) -> str:
    return cluster.jobs[number].state


def stray(number: int, state: str = "RUNNING", *, nonce: str = "abcdefgh", hub: str = "skiva") -> Job:
    """A job that carries a session's mark."""
    return Job(number, PERSON, state, tag=Tag(hub, PERSON, "", nonce).text)


async def _status_after(hub: FakeHub, reading: Coroutine[Any, Any, Any]) -> int | None:
    await reading
    status: int | None = await hub.spawner.poll()
    return status


# -- from the click to the server --------------------------------------------------------------


def test_a_session_opens_and_ends_in_words(hub: FakeHub, cluster: FakeCluster) -> None:
    """From click to route, and from the end of its job to none; what the pages say survives a restart."""
    number = hub.open()
    assert hub.kept["session"]["phase"] == "ready"
    hub.polls = False
    cluster.end(number, "TIMEOUT")
    hub.pass_time(7)
    assert (hub.session, hub.route, "session" in hub.kept) == (None, "", False)
    failure = hub.restarted().spawner.failure
    assert (failure.cause, failure.lived, failure.job_id) == ("timeout", True, number)
    assert failure.log_tail


@pytest.mark.parametrize(("state", "status"), [("COMPLETED", 0), ("FAILED", 1), ("RUNNING", None)])
def test_jupyterhub_is_told_how_it_ended(
    hub: FakeHub, cluster: FakeCluster, state: str, status: int | None
) -> None:
    """Zero for a server that was shut down in good order."""
    number = hub.open()
    hub.polls = False
    cluster.change(number, state=state)
    reading = hub.watcher.refresh()
    assert hub.wait(_status_after(hub, reading)) == status


def test_the_jobs_number_is_in_the_database_before_it_is_used(hub: FakeHub, cluster: FakeCluster) -> None:
    """A hub that dies in the next moment knows its job, even where the queue does not show it then."""
    hub.click()
    while not (hub.session and hub.session.record.job_id):
        hub.pass_time(0.01)
    (number,) = cluster.jobs
    cluster.reader.lost.add(number)
    hub = hub.restarted()
    assert hub.kept["session"]["job_id"] == number
    hub.pass_time(20)
    assert cluster.living == [number]


@pytest.mark.parametrize("dies", [0.0, 0.1, 0.25])
@pytest.mark.parametrize("arrives", [0.2, 2.0, None])
def test_a_submission_outlives_its_hub(
    hub: FakeHub, cluster: FakeCluster, dies: float, arrives: float | None
) -> None:
    """However late it reaches Slurm, or never: one job, and a session without another click."""
    cluster.submitting_takes = 1e6 if arrives is None else arrives
    hub.click()
    hub.pass_time(dies)
    hub = hub.restarted()
    cluster.submitting_takes = 0.2
    hub.pass_time(12)
    (number,) = cluster.living
    cluster.run(number)
    hub.tell(number)
    hub.pass_time(5)
    assert hub.is_open(number)
    assert cluster.cancelled == []


def test_a_submission_is_looked_for_until_slurm_answers(hub: FakeHub, cluster: FakeCluster) -> None:
    """Slurm's silence after a restart is no proof that it never had the job."""
    hub.click()
    hub.pass_time(0.1)
    hub.crash()
    hub.pass_time(1)
    cluster.silent = True
    hub = FakeHub(cluster, hub.database)
    hub.pass_time(60)
    cluster.silent = False
    hub.pass_time(40)
    assert cluster.living == [100]
    assert hub.session is not None
    assert (hub.session.phase, hub.session.record.job_id) == (State.WAITING, 100)


def test_an_answer_that_was_lost_is_made_up_for(hub: FakeHub, cluster: FakeCluster) -> None:
    """A job whose submission was not answered is found by its mark."""
    cluster.answers = False
    number = hub.submit()
    assert hub.session is not None
    assert (hub.session.phase, hub.session.record.job_id) == (State.WAITING, number)


def test_a_mark_on_somebody_elses_job_is_not_believed(hub: FakeHub, cluster: FakeCluster) -> None:
    """A stranger may copy the mark of a session whose submission is not answered: their job is not taken."""
    cluster.answers, cluster.submitting_takes = False, 3
    hub.click()
    hub.pass_time(0.5)
    assert hub.session is not None
    cluster.reader.put(Job(900, "stranger", "RUNNING", tag=hub.session.tag.text))
    hub.pass_time(10)
    assert hub.session.record.job_id == 100


def test_the_page_follows_a_start_from_step_to_step(hub: FakeHub, cluster: FakeCluster) -> None:
    """In the queue by its own place, then by what its job has told, then by its server."""

    def told() -> tuple[str, str]:
        line = hub.spawner._progress_line()
        return line["phase"], line["message"]

    number = hub.submit(slice="1g.10gb")
    cluster.change(number, reason="QOSMaxJobsPerUserLimit")
    cluster.reader.put(replace(stray(500), user=PERSON), replace(stray(501), user="somebody"))
    hub.pass_time(2)
    assert told()[0] == "queued"
    assert "You hold 1 other job now." in told()[1], "the one of three that is theirs and another"
    cluster.run(number)
    hub.pass_time(2)
    assert told() == ("starting", "Your job runs on n1; it is proving its slice.")
    cluster.servers.clear()
    hub.tell(number)
    hub.pass_time(1)
    assert told()[0] == "proved"


def test_who_starts_on_a_hub_that_is_blind_is_told_so(hub: FakeHub, cluster: FakeCluster) -> None:
    """After a minute the page says what is wrong; when the hub can see again, the session opens."""
    number = hub.submit()
    cluster.reader.lost.add(number)
    hub.pass_time(20)
    assert "handed to the scheduler" in hub.spawner._progress_line()["message"]
    hub.pass_time(70)
    assert "must be allowed to see everybody's jobs" in hub.spawner._progress_line()["message"]
    cluster.reader.lost.clear()
    cluster.run(number)
    hub.tell(number)
    hub.pass_time(5)
    assert hub.is_open(number)


def test_an_answer_that_never_comes_is_told(hub: FakeHub, cluster: FakeCluster) -> None:
    """Within a minute, in words; should the job turn up after all, it is ended."""
    cluster.answers = False
    cluster.reader.lost.add(100)
    hub.click()
    hub.pass_time(28)
    assert hub.spawner.pending == "spawn"
    hub.pass_time(7)
    assert hub.spawner.failure.cause == "unanswered"
    cluster.reader.lost.clear()
    hub.pass_time(20)
    assert cluster.cancelled == [100]


@pytest.mark.parametrize(
    ("trouble", "cause"),
    [
        ({"refuses": "Your account may not use this partition."}, "refused"),
        ({"helps": False}, "helper"),
    ],
)
def test_a_refusal_is_passed_on(
    hub: FakeHub, cluster: FakeCluster, trouble: dict[str, Any], cause: str
) -> None:
    """What Slurm or the helper says is what the person reads, and nothing is left."""
    vars(cluster).update(trouble)
    hub.click()
    hub.pass_time(3)
    assert hub.spawner.failure.cause == cause
    assert hub.spawner.failure.sentence.endswith(".")
    assert (hub.session, hub.spawner.session_token) == (None, "")
    assert (hub.kept.get("session"), hub.spawner.ready, cluster.jobs) == (None, False, {})


def test_a_session_that_can_never_start_does_not_wait(hub: FakeHub, cluster: FakeCluster) -> None:
    """Slurm's reason is told, and the job ended; one that only waits goes on waiting."""
    number = hub.submit()
    hub.pass_time(900)
    assert hub.spawner.pending == "spawn"
    cluster.change(number, reason="PartitionConfig")
    hub.pass_time(5)
    assert (hub.spawner.failure.cause, hub.spawner.failure.job_id) == ("hopeless", number)
    assert hub.spawner.failure.log_tail
    assert set(cluster.cancelled) == {number}


def test_a_server_that_does_not_report_is_given_up(hub: FakeHub, cluster: FakeCluster) -> None:
    """The time in which its job runs counts, not that in the queue nor in another run."""
    number = hub.submit()
    for _ in range(2):
        cluster.run(number)
        hub.pass_time(50)
        cluster.requeue(number)
        hub.pass_time(100)
    cluster.run(number)
    hub.pass_time(55)
    assert hub.spawner.pending == "spawn"
    hub.pass_time(15)
    assert hub.spawner.failure.cause == "silent"
    assert set(cluster.cancelled) == {number}


def test_a_server_that_the_hub_cannot_reach_is_given_up(hub: FakeHub, cluster: FakeCluster) -> None:
    """A report alone opens nothing; while its job is suspended, its silence means nothing."""
    number = hub.submit()
    cluster.run(number)
    cluster.servers.clear()
    hub.tell(number)
    hub.pass_time(55)
    cluster.change(number, state="SUSPENDED")
    hub.pass_time(1000)
    cluster.change(number, state="RUNNING")
    hub.pass_time(50)
    assert (hub.spawner.pending, hub.route) == ("spawn", "")
    hub.pass_time(15)
    assert hub.spawner.failure.cause == "unreachable"
    assert set(cluster.cancelled) == {number}


def test_an_impostor_is_not_routed_to(hub: FakeHub, cluster: FakeCluster) -> None:
    """What answers without the session's key ends the start."""
    number = hub.submit()
    cluster.run(number)
    cluster.impostors.add(cluster.url(number))
    hub.tell(number)
    hub.pass_time(5)
    assert (hub.spawner.failure.cause, hub.route) == ("not_ours", "")
    assert set(cluster.cancelled) == {number}


def test_an_impostor_at_the_address_of_a_run_that_is_over_ends_nothing(
    hub: FakeHub, cluster: FakeCluster
) -> None:
    """A job that was requeued leaves its port to others: the start waits for its next run."""
    number = hub.submit()
    cluster.run(number)
    cluster.impostors.add(cluster.url(number))
    told = cluster.report(number)
    hub.wait(hub.watcher.refresh())
    cluster.requeue(number)
    hub.wait(hub.spawner.session.receive(told))
    hub.pass_time(10)
    assert hub.spawner.pending == "spawn"
    cluster.run(number)
    hub.tell(number)
    hub.pass_time(3)
    assert hub.is_open(number)


@pytest.mark.parametrize(("slice_id", "opens"), [("1g.10gb", False), ("shard", True), ("cpu", True)])
def test_a_slice_that_is_not_proved_is_opened_only_where_nothing_was_promised(
    hub: FakeHub, cluster: FakeCluster, slice_id: str, opens: bool
) -> None:
    """An exclusive slice whose devices others can open is not handed out."""
    number = hub.submit(slice=slice_id)
    cluster.run(number)
    hub.tell(number, proof=OPENABLE)
    hub.pass_time(5)
    assert hub.is_open(number) == opens
    if not opens:
        assert hub.spawner.failure.cause == "not_fenced"
        assert OPENABLE.sentence in hub.spawner.failure.sentence
        assert set(cluster.cancelled) == {number}


def test_a_start_whose_job_ends_is_told_as_such(hub: FakeHub, cluster: FakeCluster) -> None:
    """Not as a session that ended."""
    number = hub.submit()
    cluster.end(number, "NODE_FAIL")
    hub.pass_time(10)
    failure = hub.spawner.failure
    assert (failure.cause, failure.lived, failure.job_id) == ("node_failure", False, number)
    assert (hub.spawner.pending, hub.kept.get("session"), cluster.cancelled) == (None, None, [])


# -- what the job says -------------------------------------------------------------------------


def test_a_report_is_taken_from_the_present_run_of_the_sessions_job(
    hub: FakeHub, cluster: FakeCluster
) -> None:
    """Another job's, another session's, an earlier or a later run's report changes nothing."""
    number = hub.open()
    cluster.reader.put(stray(900))
    kept = hub.kept
    for changes in ({"job_id": 900}, {"nonce": "f" * 16}):
        with pytest.raises(Stale):
            hub.tell(number, **changes)
    with pytest.raises(NotYet):
        hub.tell(number, restarts=1)
    hub.tell(number, port=2000)
    assert hub.kept == kept
    cluster.requeue(number)
    with pytest.raises(NotYet):
        hub.tell(number)
    cluster.run(number)
    with pytest.raises(Stale):
        hub.tell(number, restarts=0)
    hub.tell(number)
    hub.pass_time(5)
    assert hub.is_open(number)


def test_a_report_about_somebody_elses_job_is_refused(hub: FakeHub, cluster: FakeCluster) -> None:
    """Whose job it is, Slurm alone says."""
    number = hub.submit()
    cluster.run(number)
    cluster.change(number, user="stranger")
    with pytest.raises(Stale):
        hub.tell(number)
    assert hub.session is not None
    assert hub.session.heard is None


def test_the_address_of_a_server_is_slurms(hub: FakeHub, cluster: FakeCluster) -> None:
    """A job on a node that no reading shows is put off."""
    number = hub.submit()
    cluster.run(number)
    cluster.change(number, nodes=("n2",))
    with pytest.raises(NotYet):
        hub.tell(number)
    cluster.change(number, nodes=("n1",))
    hub.pass_time(2)
    hub.tell(number)
    hub.pass_time(2)
    assert hub.is_open(number)


def test_a_report_waits_for_the_answer_to_the_submission(hub: FakeHub, cluster: FakeCluster) -> None:
    """A job may be quicker than sbatch's answer; its report is taken all the same."""
    cluster.answering_takes = 2
    hub.click()
    hub.pass_time(0.5)
    (number,) = cluster.jobs
    cluster.run(number)
    hub.tell(number)
    hub.pass_time(2)
    assert hub.is_open(number)


def test_a_job_is_put_off_while_its_number_or_slurm_is_not_known(hub: FakeHub, cluster: FakeCluster) -> None:
    """It tries again; that nothing is known now ends no session."""
    cluster.answering_takes = 30
    hub.click()
    hub.pass_time(0.5)
    (number,) = cluster.jobs
    cluster.run(number)
    with pytest.raises(NotYet):
        hub.tell(number)
    hub = hub.restarted()
    cluster.silent = True
    with pytest.raises(NotYet, match="restarted"):
        hub.tell(number)
    cluster.silent = False
    hub.pass_time(40)
    cluster.silent = True
    cluster.requeue(number)
    cluster.run(number)
    with pytest.raises(SlurmUnanswered):
        hub.tell(number)


def test_an_ended_session_hears_nothing(hub: FakeHub, cluster: FakeCluster) -> None:
    """Nor does its job, of which nobody knows whether it still runs, get more time."""
    number = hub.open()
    told, session = cluster.report(number), hub.session
    assert session is not None
    cluster.silent = True
    hub.wait(hub.cancel())
    cluster.silent = False
    assert hub.spawner.session_token == ""
    for asked in (hub.spawner.receive(told), hub.spawner.extend(), session.receive(told), session.extend()):
        with pytest.raises(Stale):
            hub.wait(asked)
    assert cluster.extended == []


# -- while it lives ----------------------------------------------------------------------------


def test_one_reading_without_its_job_ends_no_session(hub: FakeHub, cluster: FakeCluster) -> None:
    """Nor does a moment's absence; only Slurm's word to its owner, after a minute without it."""
    number = hub.open()
    for _ in range(3):
        cluster.reader.lost.add(number)
        hub.pass_time(40)
        assert hub.is_open(number)
        cluster.reader.lost.clear()
        hub.pass_time(20)
    cluster.end(number)
    cluster.forget(number)
    hub.pass_time(50)
    assert hub.route
    hub.pass_time(50)
    assert (hub.session, hub.route, hub.spawner.failure.cause) == (None, "", "unknown")


@pytest.mark.parametrize("what", ["opened", "silent server", "waits"])
def test_a_hub_that_is_blind_ends_no_session(
    hub: FakeHub, cluster: FakeCluster, what: str, logged: Callable[[str], list[str]]
) -> None:
    """Whoever takes its right to see others' jobs away ends nothing, for hours, and after a restart."""
    number = hub.submit() if what == "waits" else hub.open()
    if what == "silent server":
        cluster.servers.clear()
    cluster.reader.lost.add(number)
    hub.pass_time(7200)
    assert (hub.session and hub.session.record.job_id, cluster.cancelled) == (number, [])
    assert list(hub.state.unseen.values()) == [
        "its server answers"
        if what == "opened"
        else f"Slurm shows it to its owner as {_state(cluster, number)}"
    ]
    assert REGISTRY.get_sample_value("skiva_sessions_unseen") == 1
    assert len(logged("PrivateData")) == 1
    hub = hub.restarted()
    hub.pass_time(7200)
    cluster.reader.lost.clear()
    hub.pass_time(120)
    assert hub.state.unseen == {}
    if what == "waits":
        cluster.run(number)
    cluster.servers[cluster.url(number)] = number
    hub.tell(number)
    hub.pass_time(5)
    assert hub.is_open(number)
    assert cluster.cancelled == []


def test_nothing_is_concluded_while_slurm_does_not_answer_its_owner_either(
    hub: FakeHub, cluster: FakeCluster
) -> None:
    """Readings are whole again before the helper is: who cannot be asked is not gone."""
    number = hub.open()
    cluster.servers.clear()
    cluster.end(number)
    cluster.forget(number)
    hub.helper.hears_nothing = True
    hub.pass_time(1000)
    assert hub.session is not None
    hub.helper.hears_nothing = False
    hub.pass_time(100)
    assert hub.session is None


def test_a_number_that_is_anothers_job_is_not_taken(hub: FakeHub, cluster: FakeCluster) -> None:
    """A helper runs as the person, who may answer in its place: their session is what carries its tag."""
    theirs = Job(900, "somebody", "RUNNING", tag=Tag("skiva", "somebody", "", "abcdefgh").text)
    cluster.reader.put(replace(theirs, start=cluster.loop.now, end=cluster.loop.now + 600))
    hub.helper.says = 900
    hub.click()
    hub.pass_time(10)
    (number,) = set(cluster.jobs) - {900}
    assert hub.session is not None
    assert hub.session.record.job_id == number
    cluster.run(number)
    hub.tell(number)
    hub.pass_time(5)
    assert hub.is_open(number)
    hub.session.update(job_id=900)
    with pytest.raises(SlurmUnanswered):
        hub.wait(hub.spawner.extend())
    cluster.end(900)
    hub.pass_time(100)
    assert hub.session is not None
    assert (cluster.extended, cluster.cancelled) == ([], [])


def test_a_number_of_anothers_job_without_one_of_its_own_is_a_failed_start(
    hub: FakeHub, cluster: FakeCluster
) -> None:
    """Nothing was handed in, and the hub was told that it was."""
    cluster.reader.put(Job(900, "somebody", "RUNNING"))
    hub.helper.says, cluster.submitting_takes = 900, 1e6
    hub.click()
    hub.pass_time(20)
    assert (hub.session, hub.spawner.failure.cause, cluster.cancelled) == (None, "helper", [])


@pytest.mark.parametrize("state", ["WEIRD", "SUSPENDED", "COMPLETING", "LAUNCH_FAILED", "REVOKED"])
def test_what_is_not_an_end_ends_nothing(hub: FakeHub, cluster: FakeCluster, state: str) -> None:
    """A word that is not known is no end, however long it lasts."""
    number = hub.open()
    cluster.change(number, state=state)
    hub.pass_time(900)
    hub = hub.restarted()
    hub.pass_time(100)
    cluster.change(number, state="RUNNING")
    hub.pass_time(10)
    assert hub.is_open(number)


@pytest.mark.parametrize("problem", ["silent", "garbled", "hangs"])
def test_silence_is_never_death(hub: FakeHub, cluster: FakeCluster, problem: str) -> None:
    """A session that opened stays and one that starts goes on, whatever becomes of readings."""
    number = hub.open()
    if problem == "hangs":
        cluster.reader.hang()
    else:
        cluster.reader.fail = SlurmUnanswered("silent") if problem == "silent" else ValueError("garbled")
    hub.pass_time(900)
    assert hub.is_open(number)
    hub = hub.restarted()
    hub.pass_time(600)
    assert hub.is_open(number)
    cluster.reader.fail = None
    cluster.reader.release()
    hub.pass_time(100)
    assert hub.is_open(number)


def test_a_session_may_be_lengthened_up_to_what_its_slice_allows(hub: FakeHub, cluster: FakeCluster) -> None:
    """Step by step, by the site's operator; then it is refused."""
    number = hub.open(slice="h100", hours=2)
    hub.tell(number)
    for hours in (3, 4):
        end = hub.wait(hub.spawner.extend())
        assert end == (cluster.jobs[number].start or 0) + hours * 3600
    with pytest.raises(Refused, match="4 hours at most"):
        hub.wait(hub.spawner.extend())
    assert cluster.extended == [("operator", number, 180), ("operator", number, 240)]


def test_a_session_is_lengthened_no_further_than_its_reservation(
    cluster: FakeCluster, hub_database: Any
) -> None:
    """Slurm ends it there whatever its limit says; a reservation that floats holds nobody."""
    hub = FakeHub(cluster, hub_database, a_site().filled_in({"reservation": "course"}))
    hub.watcher.reserved = frozenset({"course"})
    held = Reservation("course", start=0.0, end=time.time() + 2.5 * 3600, flexible=True)
    cluster.reader.all_reservations["course"] = held
    number = hub.open(slice="h100", hours=2)
    start = cluster.jobs[number].start or 0
    cluster.reader.all_reservations["course"] = replace(held, end=start + 2.5 * 3600, flexible=False)
    hub.pass_time(120)
    assert hub.wait(hub.spawner.extend()) == start + 2.5 * 3600
    with pytest.raises(Refused, match="reservation of this slice ends"):
        hub.wait(hub.spawner.extend())
    cluster.reader.all_reservations["course"] = replace(held, end=start + 2.5 * 3600)
    hub.pass_time(120)
    assert hub.wait(hub.spawner.extend()) == start + 3.5 * 3600


def test_the_end_of_a_reservation_is_told_as_such(cluster: FakeCluster, hub_database: Any) -> None:
    """Not as the time limit, which Slurm calls both."""
    hub = FakeHub(cluster, hub_database, a_site().filled_in({"reservation": "course"}))
    hub.watcher.reserved = frozenset({"course"})
    cluster.reader.all_reservations["course"] = Reservation("course", 0.0, time.time() + 3600)
    number = hub.open(slice="h100", hours=0.5)
    end = cluster.loop.now + 300
    cluster.reader.all_reservations["course"] = Reservation("course", 0.0, end)
    hub.pass_time(300)
    cluster.end(number, "TIMEOUT")
    hub.pass_time(30)
    assert hub.spawner.failure.cause == "reservation"


@pytest.mark.parametrize("forbids", [{"extend_by": 0}, {"extend_as": None}])
def test_a_site_may_forbid_to_lengthen(
    cluster: FakeCluster, hub_database: Any, forbids: dict[str, Any]
) -> None:
    """Then nobody is asked to."""
    hub = FakeHub(cluster, hub_database, a_site(**forbids))
    hub.open()
    with pytest.raises(Refused):
        hub.wait(hub.spawner.extend())
    assert cluster.extended == []


# -- requeued ----------------------------------------------------------------------------------


def test_a_requeued_session_keeps_its_place(hub: FakeHub, cluster: FakeCluster) -> None:
    """Its route goes with the first reading that shows it; it comes back by itself, at its new port."""
    number = hub.open()
    old = hub.route
    cluster.requeue(number)
    hub.pass_time(6)
    assert (hub.route, hub.spawner.pending) == ("", "spawn")
    assert hub.kept["session"]["phase"] == "returning"
    assert hub.session is not None
    assert hub.session.step == ""
    cluster.run(number)
    hub.tell(number)
    hub.pass_time(3)
    assert hub.is_open(number)
    assert hub.route != old
    hub.pass_time(100)
    assert cluster.living == [number]


def test_a_session_whose_return_fails_is_over(hub: FakeHub, cluster: FakeCluster) -> None:
    """Its job ends while it waits for its turn."""
    number = hub.open()
    cluster.requeue(number)
    hub.pass_time(6)
    cluster.end(number, "CANCELLED")
    hub.pass_time(6)
    assert (hub.session, hub.route, hub.spawner.pending) == (None, "", None)
    assert hub.spawner.failure.cause == "cancelled"


def test_a_return_whose_route_cannot_be_made_is_tried_again(hub: FakeHub, cluster: FakeCluster) -> None:
    """A proxy that fails once costs a session nothing but time."""
    number = hub.open()
    cluster.requeue(number)
    hub.pass_time(6)
    hub.proxy.fails = 1
    cluster.run(number)
    hub.tell(number)
    hub.pass_time(20)
    assert hub.is_open(number)


@pytest.mark.parametrize("restarts", [False, True])
@pytest.mark.parametrize("runs", [False, True])
def test_a_requeue_that_the_hub_slept_through(
    hub: FakeHub, cluster: FakeCluster, restarts: bool, runs: bool
) -> None:
    """Neither the old route nor the old word is believed once Slurm answers again, or by the next hub."""
    number = hub.open()
    cluster.silent = True
    hub.pass_time(30)
    cluster.requeue(number)
    if runs:
        cluster.run(number)
    if restarts:
        hub = hub.restarted()
    cluster.silent = False
    hub.pass_time(40)
    assert hub.route == ""
    if not runs:
        cluster.run(number)
        hub.pass_time(2)
    hub.tell(number)
    hub.pass_time(5)
    assert hub.is_open(number)
    assert cluster.living == [number]


# -- the hub restarts --------------------------------------------------------------------------


def test_a_session_keeps_its_route_through_a_restart(hub: FakeHub, cluster: FakeCluster) -> None:
    """Once its server has proved itself it is as before, and is not asked again."""
    number = hub.open()
    hub = hub.restarted(30)
    assert hub.is_open(number)
    cluster.servers.clear()
    hub.pass_time(100)
    assert hub.is_open(number)


def test_an_address_that_the_hub_did_not_keep_whole_is_asked_in_tls(
    hub: FakeHub, cluster: FakeCluster
) -> None:
    """A hub that dies before it commits an address mends host and port of it later, not its scheme."""
    number = hub.open()
    hub.spawner.server.orm_server.proto = "http"
    hub.spawner.db.commit()
    hub = hub.restarted()
    hub.pass_time(5)
    assert hub.is_open(number)
    assert hub.spawner.server.host == cluster.url(number)


def test_what_answers_in_its_place_after_a_restart_loses_the_route(
    hub: FakeHub, cluster: FakeCluster
) -> None:
    """A port is not a person: the session waits for its own server."""
    number = hub.open()
    cluster.impostors.add(cluster.url(number))
    hub = hub.restarted(30)
    assert hub.route == ""
    cluster.impostors.clear()
    hub.pass_time(10)
    assert hub.is_open(number)
    assert cluster.living == [number]


def test_a_server_whose_job_waits_again_proves_nothing(hub: FakeHub, cluster: FakeCluster) -> None:
    """The last run may still answer while it ends."""
    number = hub.open()
    session = hub.session
    assert session is not None
    session.restored()
    assert hub.wait(session.proves_again())
    session.restored()
    cluster.change(number, state="PENDING")
    hub.wait(hub.watcher.refresh())
    assert not hub.wait(session.proves_again())


def test_an_end_that_the_hub_slept_through_is_noticed(hub: FakeHub, cluster: FakeCluster) -> None:
    """The queue still shows it, or good readings lack it for a minute."""
    number = hub.open()
    hub.crash()
    cluster.end(number)
    hub = FakeHub(cluster, hub.database)
    hub.pass_time(20)
    assert (hub.session, hub.route, hub.spawner.failure.cause) == (None, "", "finished")


def test_an_end_that_slurm_has_forgotten_is_noticed(hub: FakeHub, cluster: FakeCluster) -> None:
    """Its start is taken up, and given up when its job has been missed for a minute."""
    number = hub.open()
    hub.crash()
    cluster.end(number)
    cluster.forget(number)
    hub = FakeHub(cluster, hub.database)
    assert hub.route == ""
    hub.pass_time(120)
    assert (hub.session and hub.session.phase) in {None, State.OVER}
    assert (hub.spawner.pending, hub.spawner.failure.cause) == (None, "unknown")


def test_a_start_is_taken_up_although_the_hub_refuses_it_at_first(hub: FakeHub, cluster: FakeCluster) -> None:
    """It is tried again each second, for a minute."""
    number = hub.submit()
    hub.crash()
    hub = FakeHub(cluster, hub.database, refuses_to_start=30)
    hub.pass_time(40)
    cluster.run(number)
    hub.tell(number)
    hub.pass_time(5)
    assert hub.is_open(number)


def test_a_start_that_the_hub_never_takes_up_is_given_up(hub: FakeHub, cluster: FakeCluster) -> None:
    """Its job has no owner then, and is ended."""
    number = hub.submit()
    hub.crash()
    hub = FakeHub(cluster, hub.database, refuses_to_start=1000)
    hub.pass_time(50)
    assert cluster.cancelled == []
    hub.pass_time(30)
    assert (hub.session, hub.kept.get("session")) == (None, None)
    assert cluster.cancelled == [number]
    hub.refuses_to_start = 0
    assert hub.open() != number


# -- ended by the person -----------------------------------------------------------------------


@pytest.mark.parametrize("when", ["submitting", "queued", "running", "open", "returning", "taken up"])
def test_a_cancel_ends_the_job_whenever_it_comes(hub: FakeHub, cluster: FakeCluster, when: str) -> None:
    """Nothing swallows it: the start is over, the job ends, nothing is kept."""
    if when == "submitting":
        cluster.submitting_takes = 5
        hub.click()
        hub.pass_time(0.5)
    else:
        number = hub.open() if when in {"open", "returning"} else hub.submit()
    if when == "running":
        cluster.run(number)
    if when == "returning":
        cluster.requeue(number)
        hub.pass_time(6)
    if when == "taken up":
        hub = hub.restarted()
        hub.pass_time(3)
    hub.wait(hub.cancel())
    assert (hub.session, hub.route, hub.spawner.pending) == (None, "", None)
    assert "session" not in hub.kept
    assert hub.watcher.snapshot is not None
    assert hub.watcher.snapshot.jobs[100].state == "CANCELLED", "the page shows its slice as free at once"
    assert cluster.cancelled == [100]
    assert cluster.living == []
    hub.pass_time(100)
    assert cluster.cancelled == [100]


def test_a_cancel_that_slurm_does_not_hear_is_made_up_for(hub: FakeHub, cluster: FakeCluster) -> None:
    """The job has no owner from then on, also for the next hub, and is ended as soon as Slurm answers."""
    number = hub.open()
    cluster.silent = True
    hub.wait(hub.cancel())
    assert (hub.session, hub.route) == (None, "")
    hub = hub.restarted()
    cluster.silent = False
    hub.pass_time(60)
    assert cluster.cancelled == [number]


def test_a_start_that_jupyterhub_broke_off_is_cleared_away(hub: FakeHub, cluster: FakeCluster) -> None:
    """A cancel whose request died after the start was broken off leaves nothing behind."""
    number = hub.open()
    cluster.requeue(number)
    hub.pass_time(6)
    hub.spawner._spawn_future.cancel()
    hub.pass_time(20)
    assert (hub.session, hub.route, hub.spawner.ready) == (None, "", False)
    assert cluster.cancelled == [number]


def test_only_servers_that_are_used_count_against_the_sites_limit(hub: FakeHub) -> None:
    """One that starts or runs is in the way, in words that name it; one that was stopped is not."""
    hub.user._new_orm_spawner("other", "")
    other = hub.user.spawners["other"]
    other._spawn_pending = True
    with pytest.raises(SpawnException) as refused:
        hub.spawner.apply_user_options(hub.spawner, {})
    assert refused.value.jupyterhub_message == (
        "servers: at most 1 at a time, and you have other; stop one first."
    )
    other._spawn_pending = False
    hub.spawner.apply_user_options(hub.spawner, {})
    assert hub.open()


# -- jobs without an owner ---------------------------------------------------------------------


def test_a_job_that_the_hub_has_given_up_is_ended(hub: FakeHub, cluster: FakeCluster) -> None:
    """After a moment, and again while it lives; other hubs' jobs, ends and unknown words are left alone."""
    number = hub.open()
    hub.state.given_up.add("abcdefgh")
    cluster.reader.put(stray(900), stray(901, hub="other"), stray(902, "WEIRD"), stray(903, "COMPLETING"))
    cluster.reader.put(Job(904, PERSON, "RUNNING"))
    cluster.deaf.add(900)
    hub.pass_time(5)
    assert cluster.cancelled == []
    hub.pass_time(15)
    assert cluster.cancelled == [900]
    hub.pass_time(15)
    assert cluster.cancelled == [900, 900]
    cluster.end(900)
    hub.pass_time(60)
    assert cluster.cancelled == [900, 900]
    assert hub.is_open(number)


def test_a_job_whose_session_only_the_database_knows_is_left_alone(
    hub: FakeHub, cluster: FakeCluster
) -> None:
    """A hub loads people as they come: what it has not loaded still owns its job, until it is gone there."""
    hub.keep_elsewhere("abcdefgh")
    hub.state.given_up.add("abcdefgh")
    cluster.reader.put(stray(900))
    hub.pass_time(100)
    assert cluster.cancelled == []
    hub.keep_elsewhere(None)
    hub.pass_time(15)
    assert cluster.cancelled == [900]


def test_what_the_hub_never_knew_is_told_and_left_alone(
    hub: FakeHub, cluster: FakeCluster, logged: Callable[[str], list[str]]
) -> None:
    """Another hub may have the same id: one that stands beside it for trials, or over another database."""
    cluster.reader.put(stray(900), stray(901))
    hub.pass_time(7200)
    assert cluster.cancelled == []
    assert REGISTRY.get_sample_value("skiva_jobs_unknown") == 2
    (told,) = logged("belong to no session")
    assert "900, 901" in told
    cluster.end(900)
    cluster.end(901)
    hub.pass_time(10)
    assert REGISTRY.get_sample_value("skiva_jobs_unknown") == 0


@pytest.mark.parametrize("database", ["empty", "restored"])
def test_a_hub_with_another_database_ends_no_session(
    hub: FakeHub, cluster: FakeCluster, database: str
) -> None:
    """A new one, or a backup from before the click: the session goes on in its job."""
    before = hub.kept
    number = hub.open()
    hub.crash()
    with hub.database() as kept:
        for row in kept.query(orm.Spawner):
            if database == "empty":
                kept.delete(row)
            else:
                row.state = before
        kept.commit()
    hub = FakeHub(cluster, hub.database)
    hub.pass_time(7200)
    assert cluster.cancelled == []
    assert cluster.living == [number]
    assert REGISTRY.get_sample_value("skiva_jobs_unknown") == 1


def test_a_job_that_arrives_after_its_hub_gave_it_up_is_ended_by_the_next(
    hub: FakeHub, cluster: FakeCluster
) -> None:
    """What was given up is written down: Slurm may take the job when that hub is long dead."""
    cluster.submitting_takes, cluster.answers = 100, False
    hub.click()
    hub.pass_time(1)
    hub.wait(hub.cancel())
    assert hub.session is None or hub.session.phase is State.OVER
    hub = hub.restarted()
    hub.pass_time(200)
    assert len(cluster.cancelled) == 1
    assert cluster.living == []


def test_one_persons_strays_keep_nobody_elses_waiting(hub: FakeHub, cluster: FakeCluster) -> None:
    """A helper that hangs for one person holds up neither the sweep nor anybody's session."""
    number = hub.open()
    for one in range(40):
        cluster.reader.put(replace(stray(800 + one, nonce=f"aaaaaa{one:02}"), user="mallory"))
        hub.state.given_up.add(f"aaaaaa{one:02}")
    cluster.reader.put(stray(900))
    hub.state.given_up.add("abcdefgh")
    hub.helper.hangs_for = "mallory"
    hub.pass_time(15)
    assert cluster.cancelled == [900]
    cluster.requeue(number)
    hub.pass_time(5)
    assert hub.route == ""
