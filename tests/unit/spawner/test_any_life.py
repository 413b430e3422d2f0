"""Any life of a session: clicks, Slurm's readings and deaths of the hub in every order, against a model."""

from contextlib import ExitStack, suppress
from functools import cache
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.fakes.hub import FakeHub, a_cluster, database
from tornado.httpclient import HTTPError

from skiva_slurm.errors import Refused, SlurmUnanswered
from skiva_slurm.states import Life
from skiva_spawners.lifecycle import State
from skiva_spawners.report import NotYet, Stale

PATIENCE = 50.0
"""Less than the seconds for which a job may be missed, or run without a word."""


@cache
def _database() -> Any:
    return database()


class AnyLife(RuleBasedStateMachine):
    """One person, one hub after another, and Slurm.

    The model is what is owed: once a session has a job, the hub keeps both until the person cancels it, the
    job ends, or it is seen to run for a minute without a word; however long readings lack it.
    """

    hub: FakeHub

    @initialize()
    def begin(self) -> None:
        """A cluster on which nothing runs, and a hub."""
        self.stack = ExitStack()
        self.cluster = self.stack.enter_context(a_cluster(_database()))
        self.hub = FakeHub(self.cluster, _database())
        self.is_up = True
        self.owed: int | None = None
        self.runs_unheard: dict[int, float] = {}

    # -- the model ---------------------------------------------------------------------------------

    def owe(self) -> None:
        """Note which session is owed from now on, or not any more."""
        now = self.cluster.loop.now
        for number in (self.owed,) if self.owed else ():
            unheard = now - self.runs_unheard.get(number, now)
            if number not in self.cluster.living or unheard > PATIENCE:
                self.owed = None
        session = self.hub.session
        if self.is_up and session and session.phase is not State.OVER and session.record.job_id:
            self.owed = session.record.job_id if session.record.job_id in self.cluster.living else self.owed

    def pick(self, *lives: Life) -> int | None:
        """The newest job that really is in one of these states."""
        found = [number for number, job in self.cluster.jobs.items() if job.life in lives]
        return max(found, default=None)

    # -- the person --------------------------------------------------------------------------------

    @precondition(lambda self: self.is_up)
    @rule(takes=st.sampled_from([0.2, 3.0]), answered=st.booleans())
    def click(self, takes: float, answered: bool) -> None:
        """Press Start; Slurm may be slow to take the job, or its answer be lost."""
        self.cluster.submitting_takes, self.cluster.answers = takes, answered
        with suppress(HTTPError):
            self.hub.click()

    @precondition(lambda self: self.is_up)
    @rule()
    def cancel(self) -> None:
        """Press Cancel or Stop: it is over, whatever Slurm says."""
        if self.hub.spawner.pending in {"spawn", None} and self.hub.spawner.active:
            self.owed = None
            self.hub.wait(self.hub.cancel())
            assert not self.hub.spawner.active
            assert "session" not in self.hub.kept

    @precondition(lambda self: self.is_up)
    @rule()
    def extend(self) -> None:
        """Ask for an hour more."""
        with suppress(Refused, SlurmUnanswered, Stale):
            self.hub.wait(self.hub.spawner.extend())
        assert all(minutes <= 8 * 60 for _, _, minutes in self.cluster.extended)

    # -- time and the hub --------------------------------------------------------------------------

    @rule(seconds=st.sampled_from([0.1, 0.5, 3.0, 12.0, 45.0]))
    def time_passes(self, seconds: float) -> None:
        """Whatever is to be done is done meanwhile."""
        self.hub.pass_time(seconds)

    @precondition(lambda self: self.is_up)
    @rule()
    def the_hub_dies(self) -> None:
        """At once, wherever it is."""
        self.hub.crash()
        self.is_up = False

    @precondition(lambda self: not self.is_up)
    @rule()
    def the_hub_is_started(self) -> None:
        """With what its database has."""
        self.hub = FakeHub(self.cluster, _database())
        self.is_up = True

    # -- Slurm -------------------------------------------------------------------------------------

    @rule(problem=st.sampled_from([SlurmUnanswered("silent"), ValueError("garbled"), None]))
    def slurm_answers(self, problem: Exception | None) -> None:
        """Or is silent, or talks nonsense."""
        self.cluster.reader.fail = problem

    @rule()
    def a_job_runs(self) -> None:
        """It is its turn."""
        if (number := self.pick(Life.QUEUED)) is not None:
            self.cluster.run(number)
            self.runs_unheard[number] = self.cluster.loop.now

    @rule()
    def a_job_is_requeued(self) -> None:
        """Preempted, or its node was lost."""
        if (number := self.pick(Life.RUNNING)) is not None:
            self.cluster.requeue(number)
            self.runs_unheard.pop(number, None)

    @rule(state=st.sampled_from(["COMPLETED", "CANCELLED", "NODE_FAIL", "TIMEOUT"]))
    def a_job_ends(self, state: str) -> None:
        """For good."""
        if (number := self.pick(Life.RUNNING, Life.QUEUED)) is not None:
            self.cluster.end(number, state)

    @rule()
    def slurm_forgets_a_job(self) -> None:
        """Minutes after its end."""
        if (number := self.pick(Life.ENDED)) is not None:
            self.cluster.forget(number)

    @rule()
    def readings_lack_a_job(self) -> None:
        """Though it is there."""
        if (number := self.pick(Life.RUNNING, Life.QUEUED)) is not None:
            self.cluster.reader.lost.add(number)

    @rule()
    def readings_are_whole(self) -> None:
        """Again."""
        self.cluster.reader.lost.clear()

    @rule(word=st.sampled_from(["WEIRD", "SUSPENDED", "RUNNING"]))
    def slurm_uses_another_word(self, word: str) -> None:
        """For a job that runs."""
        if (number := self.pick(Life.RUNNING, Life.PAUSED, Life.UNKNOWN)) is not None:
            self.cluster.change(number, state=word)

    # -- the job -----------------------------------------------------------------------------------

    @precondition(lambda self: self.is_up)
    @rule()
    def a_job_reports(self) -> None:
        """The right word of the right job is never refused for good."""
        number = self.pick(Life.RUNNING)
        if number is None or number not in self.cluster.private:
            return
        try:
            self.hub.tell(number)
        except Stale:
            assert number != self.owed
        except (NotYet, SlurmUnanswered):
            return
        self.runs_unheard.pop(number, None)

    @precondition(lambda self: self.is_up)
    @rule(
        changes=st.sampled_from(
            [{"job_id": 999}, {"nonce": "f" * 16}, {"restarts": 50}, {"nonce": "f" * 16, "job_id": 999}]
        )
    )
    def another_job_reports(self, changes: dict[str, Any]) -> None:
        """The wrong word changes nothing."""
        if (number := self.pick(Life.RUNNING, Life.QUEUED)) is None or number not in self.cluster.private:
            return
        with pytest.raises((Stale, NotYet, SlurmUnanswered)):
            self.hub.tell(number, **changes)

    # -- what holds --------------------------------------------------------------------------------

    @invariant()
    def what_is_owed_is_kept(self) -> None:
        """No session is lost, and no job of one ended, for anything but an end that was seen."""
        before = self.owed
        self.owe()
        if self.is_up and before is not None and before == self.owed:
            session = self.hub.session
            assert session is not None, f"the session in job {before} is gone: {self.hub.spawner.failure}"
            assert session.record.job_id == before
            assert self.hub.kept["session"]["job_id"] == before

    def teardown(self) -> None:
        """In the end, with everything well, there is one job and its session is open, or there is nothing."""
        if not hasattr(self, "stack"):
            return
        with self.stack:
            if not self.is_up:
                self.the_hub_is_started()
            self.cluster.reader.fail = None
            self.cluster.answers, self.cluster.submitting_takes = True, 0.2
            self.readings_are_whole()
            for _ in range(40):
                self._jobs_go_on()
                self.hub.pass_time(4)
                self.what_is_owed_is_kept()
            living = self.cluster.living
            if self.hub.session is not None or self.owed is not None:
                assert len(living) == 1
                assert self.hub.is_open(living[0])
            else:
                assert (living, self.hub.route, self.hub.spawner.active) == ([], "", False)
                assert "session" not in self.hub.kept

    def _jobs_go_on(self) -> None:
        for number in self.cluster.living:
            if self.cluster.jobs[number].life is Life.QUEUED:
                self.cluster.run(number)
            elif self.cluster.jobs[number].life is not Life.RUNNING:
                self.cluster.change(number, state="RUNNING")
            with suppress(NotYet, Stale, SlurmUnanswered):
                self.hub.tell(number)
                self.runs_unheard.pop(number, None)


TestAnyLife = AnyLife.TestCase
TestAnyLife.settings = settings(
    max_examples=60, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
)
