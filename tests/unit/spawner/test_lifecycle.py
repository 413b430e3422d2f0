"""The states of a session, and what is decided from plain values."""

import math
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skiva_hub.site import Hours
from skiva_slurm.errors import Refused, SlurmUnanswered
from skiva_slurm.jobs import Job
from skiva_slurm.states import JOB_STATES, Life
from skiva_slurm.tags import Tag
from skiva_spawners.decisions import (
    Care,
    care,
    check_addressee,
    check_run,
    end_of,
    gone,
    has_moved,
    hopeless,
    is_told_again,
    is_unseen,
    longer,
    needs_reading,
    own,
    present_report,
    strays,
)
from skiva_spawners.lifecycle import Event, State, after, restored
from skiva_spawners.record import Record
from skiva_spawners.report import NotYet, Proof, Report, Stale

STATES, EVENTS = st.sampled_from(State), st.sampled_from(Event)
SLURM_STATES = st.sampled_from([*JOB_STATES, "WEIRD"])
JOBS = st.none() | st.builds(
    Job, id=st.just(7), user=st.sampled_from(["ann", "bob"]), state=SLURM_STATES, restarts=st.integers(0, 3)
)
GOOD = Proof(exclusive=True, openable=1, denied=6)
USABLE = {State.READY, State.UNPROVED}


def record(**changes: object) -> Record:
    """Ann's session in job 7, whose server answers."""
    kept = Record(
        nonce="0123456789abcdef",
        certificate="a certificate",
        api_token="t",
        slice="1g.10gb",
        environment="base",
        hours=2,
        account="ann",
        phase=State.READY,
        job_id=7,
        restarts=1,
    )
    return kept.but(**changes)


def report(**changes: object) -> Report:
    """What job 7 tells in its second run."""
    told = {"port": 2000, "nonce": "0123456789abcdef", "job_id": 7, "restarts": 1, "proof": GOOD}
    return Report.model_validate(told | changes)


def job(state: str = "RUNNING", **more: Any) -> Job:
    """Job 7 in its second run."""
    return Job(7, "ann", state, restarts=1, **more)


@given(STATES, st.lists(EVENTS))
def test_whatever_happens_a_session_that_is_over_stays_over(state: State, events: list[Event]) -> None:
    """Property: the table is total, an end is an end, also across a restart, and leads nowhere else."""
    for event in events:
        state = after(state, event)
        assert isinstance(state, State)
        assert after(state, Event.ENDED) is State.OVER
    assert after(State.OVER, events[0] if events else Event.ANSWERED) is restored(State.OVER) is State.OVER


@given(STATES, EVENTS)
def test_only_a_proof_makes_a_session_ready(state: State, event: Event) -> None:
    """Property: READY is entered by a server that answered, by a new route, or by a proof after a restart."""
    if after(state, event) is State.READY is not state:
        assert (state, event) in {
            (State.WAITING, Event.ANSWERED),
            (State.RETURNING, Event.ROUTED),
            (State.UNPROVED, Event.PROVED),
        }


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ([], State.SUBMITTING),
        ([Event.SUBMITTED], State.WAITING),
        ([Event.ANSWERED], State.SUBMITTING),
        ([Event.SUBMITTED, Event.ANSWERED], State.READY),
        ([Event.SUBMITTED, Event.ANSWERED, Event.REQUEUED], State.RETURNING),
        ([Event.SUBMITTED, Event.ANSWERED, Event.REQUEUED, Event.ANSWERED], State.RETURNING),
        ([Event.SUBMITTED, Event.ANSWERED, Event.REQUEUED, Event.ROUTED], State.READY),
        ([Event.SUBMITTED, Event.ANSWERED, Event.REQUEUED, Event.BROKEN_OFF], State.WAITING),
    ],
)
def test_the_way_of_a_session(events: list[Event], state: State) -> None:
    """From the submission to a server that is used, and back when its job is requeued."""
    now = State.SUBMITTING
    for event in events:
        now = after(now, event)
    assert now is state


def test_after_a_restart_a_route_is_proved_or_the_start_taken_up() -> None:
    """What was usable keeps its route until its server fails to prove itself; all else is taken up."""
    assert {state for state in State if restored(state) is State.UNPROVED} == USABLE
    assert {state for state in State if restored(state) is State.INTERRUPTED} == {
        State.SUBMITTING,
        State.WAITING,
        State.RETURNING,
        State.INTERRUPTED,
    }
    assert after(State.UNPROVED, Event.PROVED) is State.READY
    assert after(State.UNPROVED, Event.SILENT) is State.INTERRUPTED
    assert after(State.UNPROVED, Event.REQUEUED) is State.RETURNING
    assert after(State.INTERRUPTED, Event.TAKEN_UP) is State.SUBMITTING


@given(JOBS, JOBS)
def test_an_end_is_one_that_was_seen(shown: Job | None, seen: Job | None) -> None:
    """Property: neither absence, nor the end of somebody else's job, ends a session."""
    end = end_of(record(), shown, seen)
    alive = shown is not None and shown.life not in {Life.ENDED, Life.UNKNOWN}
    assert end == (seen if seen is not None and seen.user == "ann" and not alive else None)
    assert end_of(record(job_id=None), shown, seen) is None


def test_a_job_is_looked_for_when_it_was_out_of_sight_for_a_minute() -> None:
    """And only where its owner is told that there is none has it ended, in a word for that."""
    assert [is_unseen(missing) for missing in (None, 0.0, 60.0, 60.1)] == [False, False, False, True]
    assert gone(record()) == Job(7, "ann", "UNKNOWN")
    assert gone(record(job_id=None)) is None


@given(JOBS, st.sampled_from(["", "skiva:lab:ann/:0123456789abcdef", "skiva:lab:ann/:0123456789abcde0"]))
def test_a_number_alone_makes_no_job_ones_own(shown: Job | None, tag: str) -> None:
    """Property: the account and the whole tag are this session's, or it is another's job."""
    mine = Tag("lab", "ann", "", "0123456789abcdef")
    shown = replace(shown, tag=tag) if shown else None
    found = own(shown, record(), mine)
    assert found == (shown if shown and shown.user == "ann" and tag == mine.text else None)


@given(JOBS, st.integers(0, 3))
def test_a_session_has_moved_when_its_job_waits_or_runs_anew(shown: Job | None, restarts: int) -> None:
    """Property: a job that is not seen, has ended or still is in the run that answered has not moved."""
    moved = has_moved(record(restarts=restarts), shown)
    if shown is None or shown.life is Life.ENDED:
        assert not moved
    else:
        assert moved == (shown.life is Life.QUEUED or shown.restarts > restarts)


@given(JOBS)
def test_the_word_of_an_earlier_run_is_forgotten(shown: Job | None) -> None:
    """Property: a report counts until a later run of the job is seen."""
    told = record(heard=report())
    assert present_report(told, shown) == (None if shown and shown.restarts > 1 else report())
    assert present_report(record(), shown) is None


@pytest.mark.parametrize(
    ("reason", "is_hopeless"), [("Resources", False), ("PartitionConfig", True), ("PartitionDown", False)]
)
def test_only_what_waits_can_be_hopeless(reason: str, is_hopeless: bool) -> None:
    """A job that can never start is given up, with Slurm's reason in words; one that runs is not."""
    why = hopeless(job("PENDING", reason=reason))
    assert (why is not None) == is_hopeless
    if why is not None:
        assert why.cause == "hopeless"
        assert why.sentence.endswith(".")
    assert hopeless(job("RUNNING", reason=reason)) is hopeless(None) is None


@given(STATES, st.none() | st.integers(7, 8), st.integers(7, 8), st.booleans())
def test_a_report_is_taken_from_the_sessions_own_job_only(
    state: State, known: int | None, telling: int, own: bool
) -> None:
    """Property: another nonce, another number or a session that is over is refused for good."""
    told = report(job_id=telling, nonce="0123456789abcdef" if own else "f" * 16)
    outcome: type[Exception] | None = None
    try:
        check_addressee(told, record(phase=state, job_id=known))
    except (Stale, NotYet) as problem:
        outcome = type(problem)
    if state is State.INTERRUPTED:
        assert outcome is NotYet
    elif state is State.OVER or not own:
        assert outcome is Stale
    elif known is None:
        assert outcome is NotYet
    else:
        assert outcome is (None if known == telling else Stale)


@given(JOBS, st.integers(0, 3))
def test_a_report_is_taken_from_the_present_run_only(shown: Job | None, restarts: int) -> None:
    """Property: it is accepted only where Slurm shows that very run alive, and as the owner's."""
    told, taken, outcome = report(restarts=restarts), None, None
    try:
        taken = check_run(told, record(), shown)
    except (Stale, NotYet) as problem:
        outcome = type(problem)
    alive = {Life.RUNNING, Life.PAUSED, Life.ENDING}
    right = shown and shown.user == "ann" and shown.restarts == restarts and shown.life in alive
    assert taken is (shown if right else None)
    if outcome is Stale:
        assert shown is not None
        assert shown.user != "ann" or shown.restarts > restarts or shown.life is Life.ENDED
    if shown is None or shown.life in {Life.QUEUED, Life.UNKNOWN} or shown.restarts < restarts:
        assert outcome is NotYet
    is_fresh = shown is not None and shown.life is Life.RUNNING and shown.restarts == restarts
    assert needs_reading(told, shown) is not is_fresh


@given(STATES, st.integers(0, 3))
def test_a_report_that_is_told_again_changes_nothing(state: State, restarts: int) -> None:
    """Property: only the word of a run whose server has been proved is passed over."""
    again = is_told_again(report(restarts=restarts), record(phase=state))
    assert again == (state in USABLE and restarts == 1)


HOURS = st.floats(0.1, 48)


@given(HOURS, HOURS, HOURS)
def test_an_extension_is_never_beyond_the_longest_session(lasts: float, step: float, longest: float) -> None:
    """Property: it adds the site's step, up to what the slice allows; where that is reached it is refused."""
    hours = Hours(default=0.1, max=48, extend_by=min(step, 24), extend_as="operator")
    running = job(start=1000.0, end=1000.0 + lasts * 3600)
    if round(min(lasts + hours.extend_by, longest) * 60) <= lasts * 60:
        with pytest.raises(Refused, match=f"may last {longest:g} hours at most"):
            longer(running, hours, longest)
        return
    wanted = longer(running, hours, longest)
    assert (wanted.operator, wanted.job_id) == ("operator", 7)
    assert lasts * 60 < wanted.minutes <= longest * 60 + 0.5
    assert wanted.minutes == pytest.approx(min(lasts + hours.extend_by, longest) * 60, abs=0.51)
    assert wanted.end == 1000 + wanted.minutes * 60


@given(HOURS, HOURS)
def test_an_extension_ends_with_the_reservation(lasts: float, left: float) -> None:
    """Property: it is cut to the reservation's end, and refused with that reason where nothing is left."""
    hours = Hours(default=0.1, max=48, extend_by=1, extend_as="operator")
    running = job(start=1000.0, end=1000.0 + lasts * 3600)
    until = 1000.0 + left * 3600
    if math.floor((until - 1000) / 60) <= ((running.end or 0) - 1000) / 60:
        with pytest.raises(Refused, match="reservation of this slice ends"):
            longer(running, hours, 100, until=until)
        return
    wanted = longer(running, hours, 100, until=until)
    assert lasts * 60 < wanted.minutes <= min(lasts + 1, left) * 60 + 0.5
    assert wanted.end <= until + 30


@pytest.mark.parametrize(
    ("site", "running", "problem"),
    [
        ({"extend_by": 0}, job(start=0.0, end=3600.0), Refused),
        ({"extend_as": None}, job(start=0.0, end=3600.0), Refused),
        ({}, None, SlurmUnanswered),
        ({}, job("PENDING", start=0.0, end=3600.0), SlurmUnanswered),
        ({}, job(end=3600.0), SlurmUnanswered),
        ({}, job(start=0.0), SlurmUnanswered),
    ],
)
def test_an_extension_that_the_site_forbids_or_that_nobody_can_reckon_is_refused(
    site: dict[str, object], running: Job | None, problem: type[Exception]
) -> None:
    """Where the site lengthens nothing, or the job does not run, its end stays as it is."""
    hours = Hours.model_validate({"extend_by": 1, "extend_as": "operator"} | site)
    words = "does not lengthen" if problem is Refused else "does not run"
    with pytest.raises(problem, match=words):
        longer(running, hours, 8)


@given(STATES, st.booleans(), st.booleans())
def test_what_the_keeper_does_about_what_jupyterhub_takes_for_running(
    state: State, moved: bool, ended: bool
) -> None:
    """Property: usable sessions stay unless they moved or were seen to end; what never was usable goes."""
    does = care(state, moved=moved, ended=ended)
    if state is State.RETURNING or (state in USABLE and moved):
        assert does is Care.BRING_BACK
    elif state in USABLE:
        assert does is (Care.NOTICE_END if ended else Care.NOTHING)
    else:
        assert does is (Care.NOTHING if state is State.INTERRUPTED else Care.CLEAR_AWAY)


@given(SLURM_STATES)
def test_strays_are_living_jobs_of_this_hub_that_nobody_owns(state: str) -> None:
    """Property: jobs of other hubs, of other kinds, that end or that are not understood are left alone."""
    mine, theirs = Tag("lab", "ann", "", "abcdefgh").text, Tag("laboratory", "ann", "", "abcdefgh").text
    jobs = [
        Job(1, "ann", state, tag=mine),
        Job(2, "ann", state, tag=theirs),
        Job(3, "ann", state, tag=""),
        Job(4, "ann", state, tag="skiva:lab:odd"),
    ]
    living = job(state).life in {Life.QUEUED, Life.RUNNING, Life.PAUSED}
    assert [one.id for one in strays(jobs, "lab", set())] == ([1, 4] if living else [])
    assert [one.id for one in strays(jobs, "lab", {"abcdefgh"})] == ([4] if living else [])
