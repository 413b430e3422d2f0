"""Jobs that Slurm has and the cluster does not know are ended, and no others."""

from hypothesis import given
from hypothesis import strategies as st

from skiva.dask.strays import Strays
from skiva.runs.queue import QueueJob, Reading

_ID = "261122-k3f9ta2x"


def _row(batch: int, tasks: str, state: str = "RUNNING", cluster: str = _ID) -> QueueJob:
    return QueueJob(
        job_id=100 * batch, state=state, cluster=cluster, batch=batch, array_job_id=100 * batch, tasks=tasks
    )


def _due(strays: Strays, now: float, *rows: QueueJob, known: str = "", open_: int = 0) -> list[str]:
    return strays.due(Reading(now, rows), {known}, lambda batch: batch == open_, now)


def test_an_array_whose_answer_was_lost_is_ended_after_a_while() -> None:
    """Waiting and running tasks alike, by Slurm's numbers; where that fails, again after twenty seconds."""
    strays = Strays(_ID)
    rows = (_row(2, "0", "PENDING"), _row(2, "1"))
    assert _due(strays, 1000, *rows) == []
    assert _due(strays, 1009.9, *rows) == []
    assert _due(strays, 1010, *rows) == ["200_0", "200_1"]
    assert _due(strays, 1029.9, *rows) == []
    assert _due(strays, 1030, *rows) == ["200_0", "200_1"]


@given(st.integers(1, 5), st.integers(0, 9), st.sampled_from(["COMPLETED", "CANCELLED", "COMPLETING"]))
def test_nothing_else_is_ended(batch: int, task: int, over: str) -> None:
    """Neither what the cluster knows or just asks for, nor its scheduler, others' jobs, and what is over."""
    row = _row(batch, str(task))
    cases: list[tuple[QueueJob, str, int]] = [
        (row, f"{_ID}-{batch}-{task}", 0),
        (row, "", batch),
        (_row(0, ""), "", 9),
        (_row(batch, str(task), cluster="261122-aaaaaaaa"), "", 9),
        (_row(batch, str(task), over), "", 9),
    ]
    for one, known, open_ in cases:
        strays = Strays(_ID)
        for now in (1000.0, 1050.0, 1100.0):
            assert not _due(strays, now, one, known=known, open_=open_)
    strays = Strays(_ID)
    assert not _due(strays, 1000.0, row)
    assert _due(strays, 1050.0, row) == [f"{100 * batch}_{task}"], "the same is ended where nobody knows it"


def test_an_old_reading_ends_nothing() -> None:
    """What was seen once, before it was dropped, may be gone since: only a newer reading tells."""
    strays = Strays(_ID)
    old = Reading(1000, (_row(1, "0"),))
    strays.due(old, set(), lambda _: False, 1005)
    assert strays.due(old, set(), lambda _: False, 1030) == []
    new = Reading(1005, old.jobs)
    assert strays.due(new, set(), lambda _: False, 1031) == ["100_0"]


def test_the_queue_is_looked_at_often_while_there_may_be_some() -> None:
    """For two minutes after a request without an answer, and while one is known that is not ended yet."""
    strays = Strays(_ID)
    assert not strays.expected(1000)
    strays.suspect(1000)
    assert strays.expected(1119.9)
    assert not strays.expected(1120)
    _due(strays, 1200, _row(2, "0"))
    assert strays.expected(1200)
    _due(strays, 1210)
    assert not strays.expected(1210)
