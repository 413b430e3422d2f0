"""The one line on where a starting session is."""

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.pages import samples
from tests.unit.pages.samples import NOW

from skiva_slurm.jobs import Array, Job, Snapshot
from skiva_slurm.states import JOB_STATES
from skiva_slurm.tags import ClusterTag
from skiva_spawners.progress import line

USER = "researcher1"
MINE = samples.pending(900, user=USER, priority=50)


def _line(job: Job | None, *others: Job, snapshot: Snapshot | None = None, **more: Any) -> dict[str, Any]:
    seen = snapshot or samples.full(*others, *([job] if job else []))
    now = more.pop("now", NOW)
    return line(job, seen, samples.site(), "1g.10gb", now, more.pop("user_jobs", ()), user=USER, **more)


def _worker(number: int, array: Array | None = None) -> Job:
    """A job, or the waiting rest of an array, of a Dask cluster of this person's."""
    tag = ClusterTag("261122-k3f9ta2x", 1, 3).text
    return replace(samples.pending(number, user=USER), tag=tag, array=array)


def test_a_queued_session_knows_its_place_among_those_who_want_the_same() -> None:
    """Place and length of the line count jobs of this gres by priority; others are not in it."""
    others = [
        samples.pending(300, priority=100),
        samples.pending(301, priority=80),
        samples.pending(302, priority=10),
    ]
    other_kind = samples.pending(303, samples.H100, priority=999)
    event = _line(MINE, *others, other_kind)
    assert (event["phase"], event["position"], event["waiting"]) == ("queued", 3, 4)
    assert event["message"].startswith("You are 3rd of 4 for 1g.10gb.")
    assert 5 <= event["progress"] <= 20


def test_a_job_that_the_hub_may_not_see_is_told_as_that() -> None:
    """Not as one that is on its way for ever; once it has reported by itself, that says more."""
    event = _line(None, unseen=True)
    assert "the hub's account must be allowed to see everybody's jobs" in event["message"]
    assert "handed to the scheduler" in _line(None)["message"]
    assert "The server is starting" in _line(None, unseen=True, step="proved")["message"]


def test_the_next_in_line_is_told_so() -> None:
    """Nobody is first of one."""
    event = _line(MINE)
    assert (event["position"], event["waiting"], event["progress"]) == (1, 1, 20)
    assert event["message"].startswith("You are next for 1g.10gb.")


def test_an_expected_start_is_given_in_words_and_for_machines() -> None:
    """What Slurm expects is shown as `about`, in a <time> that the browser can localise."""
    event = _line(replace(MINE, start=NOW + 600))
    assert event["expected"] == "2026-09-21T14:23:20Z"
    assert "Expected start: about " in event["message"]
    assert '<time datetime="2026-09-21T14:23:20Z">' in event["html_message"]


def test_an_expectation_that_has_passed_is_not_repeated() -> None:
    """Slurm's estimates lie in the past now and then."""
    event = _line(replace(MINE, start=NOW - 5))
    assert event["expected"] is None
    assert "Expected" not in event["message"]


def test_a_limit_of_ones_own_is_a_reason_with_an_action() -> None:
    """Who waits for a limit of theirs has no place in line, but something to do."""
    event = _line(replace(MINE, reason="QOSMaxGRESPerUser"), user_jobs=[samples.running(5, user=USER)])
    assert event["position"] is None
    assert event["reason"]
    assert event["action"]
    assert "You hold 1 other job now." in event["message"]
    waits = _line(MINE, user_jobs=[samples.running(5, user=USER)])
    assert "You hold" not in waits["message"], "what one holds is no reason to wait for others"


@pytest.mark.parametrize(
    ("jobs", "told"),
    [
        ([_worker(5)], "You hold 1 other job now, a worker of a Dask cluster: closing a cluster makes room."),
        (
            [_worker(5), _worker(6, Array(6, "1-3"))],
            "You hold 4 other jobs now, workers of Dask clusters: closing a cluster makes room.",
        ),
        (
            [samples.running(4, user=USER), _worker(6, Array(6, "1-3"))],
            "You hold 4 other jobs now, 3 of them workers of Dask clusters: closing a cluster makes room.",
        ),
    ],
)
def test_workers_are_named_among_what_one_holds(jobs: list[Job], told: str) -> None:
    """Who waits for a limit of theirs is told how much of it their own Dask clusters hold."""
    assert told in _line(replace(MINE, reason="QOSMaxGRESPerUser"), user_jobs=jobs)["message"]


def test_free_slices_are_suggested_while_one_waits() -> None:
    """Only slices that this person may use and that start now are suggested, for a GPU a GPU first."""
    event = _line(MINE)
    assert event["switch"] == ["shard", "cpu"]
    assert event["switch_titles"]["shard"] == "Shared H100"
    assert event["message"].endswith("Shared H100 is free now.")
    assert _line(samples.running(900, user=USER))["switch"] == []
    site, queue = samples.site(), samples.full(MINE)
    more = tuple(site.slice[0].model_copy(update={"id": f"cpu{n}"}) for n in range(4))
    wide = site.model_copy(update={"slice": (*site.slice, *more)})
    assert len(line(MINE, queue, wide, "1g.10gb", NOW, user=USER)["switch"]) == 3


def test_nothing_is_suggested_when_ones_own_slice_is_free() -> None:
    """In the second before Slurm starts the job a suggestion would only confuse."""
    assert _line(MINE, snapshot=samples.snapshot(MINE))["switch"] == []


@pytest.mark.parametrize(
    ("step", "phase", "progress"),
    [("", "starting", 40), ("proved", "proved", 60), ("answering", "answering", 90)],
)
def test_a_running_job_goes_from_starting_to_answering(step: str, phase: str, progress: int) -> None:
    """The job's own reports move the bar on."""
    event = _line(samples.running(900, user=USER), step=step)
    assert (event["phase"], event["progress"]) == (phase, progress)


def test_a_node_that_boots_is_not_a_queue() -> None:
    """A job with nodes that is still configuring has left the line."""
    event = _line(replace(MINE, state="CONFIGURING", nodes=("n9",)))
    assert (event["phase"], event["position"]) == ("starting", None)
    assert "made ready" in event["message"]


def test_a_suspended_job_is_told_as_suspended() -> None:
    """A session that Slurm paused is alive."""
    event = _line(replace(samples.running(900, user=USER), state="SUSPENDED"))
    assert "suspended" in event["message"]


def test_a_requeued_job_keeps_its_address() -> None:
    """Back in the queue is said, why that can be, that the URL stays, and what is to be done."""
    event = _line(replace(MINE, restarts=1))
    assert event["message"].startswith(
        "Slurm has put your session back into the queue, as it does when others have a better right to its "
        "place or its node fails. It returns by itself under the same address, with the files that were "
        "saved; start another slice if you cannot wait."
    )


@pytest.mark.parametrize("job", [None, MINE, samples.running(900, user=USER)])
def test_silence_is_never_bad_news(job: Job | None) -> None:
    """While the scheduler does not answer, nothing is claimed and the place is kept."""
    event = _line(job, now=NOW + 120)
    assert event["message"].startswith("The scheduler does not answer at the moment; your ")
    assert event["phase"] in {"queued", "starting"}
    assert event["switch"] == []


def test_a_session_that_was_not_seen_yet_has_been_handed_over() -> None:
    """Between sbatch's answer and the next reading there is a line, too."""
    assert _line(None)["phase"] == "submitting"
    assert line(MINE, None, samples.site(), "1g.10gb", NOW)["phase"] == "submitting"


@pytest.mark.parametrize(
    "state", [*JOB_STATES, "FROM_THE_FUTURE", "PREEMPTED+REQUEUED", "CANCELLED by 0", ""]
)
def test_every_state_of_slurm_has_a_line(state: str) -> None:
    """Whatever Slurm says, there is one sentence, a phase and a number, and they are JSON."""
    event = _line(replace(MINE, state=state))
    assert event["message"].strip()
    assert event["phase"] in {"submitting", "queued", "starting", "proved", "answering"}
    assert 0 <= event["progress"] <= 100


def test_odd_text_is_escaped_in_the_html_message() -> None:
    """A slice's title or a reason is never markup."""
    site = samples.site()
    odd = tuple(s.model_copy(update={"title": "<b>&{x}"}) for s in site.slice)
    event = line(MINE, samples.full(MINE), site.model_copy(update={"slice": odd}), "1g.10gb", NOW, user=USER)
    assert "&lt;b&gt;&amp;{x}" in event["html_message"]
    assert "<b>" not in event["html_message"]


def test_a_slice_that_the_site_no_longer_has_is_no_error() -> None:
    """A session outlives a change of the site file."""
    assert line(MINE, samples.full(MINE), samples.site(), "gone", NOW, user=USER)["phase"] == "queued"
