"""Turns at the disk and at Slurm: one look after the other, a few submissions at once, none for ever."""

import asyncio
import gc
import threading
from collections.abc import Callable

import pytest

from skiva.server import turns as turns_module
from skiva.server.problems import Problem
from skiva.server.threads import in_thread
from skiva.server.turns import Turns


class _Work:
    """Pieces of work that go on until they are let go, and what is known of them."""

    def __init__(self) -> None:
        self.go = threading.Event()
        self.begun: list[int] = []
        self.ended: list[int] = []

    def piece(self, number: int) -> Callable[[], int]:
        """One that answers its number."""

        def work() -> int:
            self.begun.append(number)
            assert self.go.wait(30)
            self.ended.append(number)
            return number

        return work


@pytest.fixture
def turns() -> Turns:
    """Those of runs."""
    return Turns("runs")


async def _until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not true():  # noqa: ASYNC110 - threads have no event of the loop's
            await asyncio.sleep(0.005)


async def _moment() -> None:
    """In which whoever may begin does. Too short a one would hide a mistake; it never makes one."""
    await asyncio.sleep(0.05)


async def test_looks_are_answered_in_the_order_in_which_they_were_asked(
    turns: Turns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One at a time, and no thread for those that wait; a tab that asks often does not push in front."""
    work, threads = _Work(), list[object]()

    def counted(piece: Callable[[], int]) -> "asyncio.Future[int]":
        threads.append(piece)
        return in_thread(piece)

    monkeypatch.setattr(turns_module, "in_thread", counted)
    asked = [asyncio.create_task(turns.look(work.piece(number))) for number in range(6)]
    await _until(lambda: work.begun)
    await _moment()
    assert (work.begun, len(threads)) == ([0], 1)
    work.go.set()
    assert await asyncio.gather(*asked) == list(range(6))
    assert work.begun == work.ended == list(range(6))


async def test_four_submissions_go_on_at_once_and_the_others_wait(turns: Turns) -> None:
    """A burst of presses does not become as many sbatch at the same time; all of them are made."""
    work = _Work()
    asked = [asyncio.create_task(turns.apart(work.piece(number))) for number in range(7)]
    await _until(lambda: len(work.begun) >= 4)
    await _moment()
    assert sorted(work.begun) == [0, 1, 2, 3]
    work.go.set()
    assert await asyncio.gather(*asked) == list(range(7))


async def test_submissions_that_hang_hold_up_no_look(turns: Turns) -> None:
    """With Slurm away and every place at it taken the list is still answered."""
    work = _Work()
    asked = [asyncio.create_task(turns.apart(work.piece(number))) for number in range(5)]
    await _until(lambda: len(work.begun) >= 4)
    async with asyncio.timeout(20):
        assert await turns.look(lambda: "the list") == "the list"
    assert not any(one.done() for one in asked)
    work.go.set()
    await asyncio.gather(*asked)


async def test_a_hanging_look_holds_up_no_submission(turns: Turns) -> None:
    """What is sent off goes on although the disk with the list does not answer."""
    work = _Work()
    look = asyncio.create_task(turns.look(work.piece(0)))
    await _until(lambda: work.begun)
    async with asyncio.timeout(20):
        assert await turns.apart(lambda: "sent") == "sent"
    work.go.set()
    assert await look == 0


async def test_who_waits_too_long_for_a_turn_is_told(turns: Turns, monkeypatch: pytest.MonkeyPatch) -> None:
    """Waiting counts as much as working; what was never begun is not begun afterwards."""
    work = _Work()
    before = [asyncio.create_task(turns.apart(work.piece(number))) for number in range(4)]
    await _until(lambda: len(work.begun) == 4)
    monkeypatch.setattr(turns_module, "_PATIENCE", 0.05)
    with pytest.raises(Problem, match=r"^Slurm has not answered yet\. The list of runs will tell") as told:
        await turns.apart(work.piece(4))
    assert told.value.status == 503
    monkeypatch.setattr(turns_module, "_PATIENCE", 30.0)
    work.go.set()
    assert await asyncio.gather(*before) == [0, 1, 2, 3]
    assert await turns.apart(lambda: "the next") == "the next"
    assert sorted(work.begun) == [0, 1, 2, 3]


async def test_a_page_that_goes_does_not_let_two_looks_at_the_disk_at_once(turns: Turns) -> None:
    """The look whose page was closed is still at work: the next one waits for its end."""
    work = _Work()
    first = asyncio.create_task(turns.look(work.piece(1)))
    await _until(lambda: work.begun)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    second = asyncio.create_task(turns.look(work.piece(2)))
    await _moment()
    assert work.begun == [1]
    work.go.set()
    assert await second == 2
    assert work.ended == [1, 2]


@pytest.mark.parametrize(
    ("problem", "status", "sentence"),
    [
        (LookupError("There is no run x."), 404, "There is no run x."),
        (OSError(5, "Input/output error"), 503, "The runs cannot be read: Input/output error."),
        (OSError("odd"), 503, "The runs cannot be read: odd."),
        (Problem(409, "No."), 409, "No."),
    ],
)
async def test_what_a_look_meets_is_told_as_it_is(
    turns: Turns, problem: Exception, status: int, sentence: str
) -> None:
    """In one sentence with its status; and the next one has its turn."""

    def fail() -> None:
        raise problem

    with pytest.raises(Problem) as told:
        await turns.look(fail)
    assert (told.value.status, str(told.value)) == (status, sentence)
    assert await turns.look(lambda: 1) == 1


async def test_a_look_that_was_given_up_is_not_made_afterwards(
    turns: Turns, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Its thread ends without having touched the disk, on which the one before still hangs, and no log."""
    monkeypatch.setattr(turns_module, "_DISK", 0.05)
    work, before = _Work(), set(threading.enumerate())

    def at_work() -> int:
        return sum(one.name == "skiva-runs" for one in set(threading.enumerate()) - before)

    for number in (1, 2):
        with pytest.raises(Problem, match=r"^The disk with your runs does not answer") as told:
            await turns.look(work.piece(number))
        assert told.value.status == 503
        await _until(lambda: work.begun == [1])
    await _until(lambda: at_work() == 1)
    work.go.set()
    await _until(lambda: at_work() == 0)
    assert work.begun == work.ended == [1]
    gc.collect()
    assert caplog.text == ""
