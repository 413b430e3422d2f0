"""Runs on a real Slurm, and every way in which they can end: each is told as it was."""

import os
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from tests.support.run_owner import Ended, RunOwner, run_owner
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.slurm, pytest.mark.skipif(os.geteuid() != 0, reason="acts as another account")]

_WORK = """
import threading
def greets(name):
    print("hello", name)
    return f"Hello {name}."
def fails():
    raise KeyError("no such thing")
def faults():
    import ctypes
    ctypes.string_at(0)
def leaves():
    os._exit(7)
def exits():
    sys.exit("had enough")
def stays():
    return threading.Lock()
def eats():
    content = bytearray(900 * 1024 * 1024)
    content[::4096] = bytes([1]) * len(content[::4096])
def dies():
    os.kill(os.getpid(), 9)
def orphans():
    os.kill(os.getppid(), 9)
    time.sleep(60)
def sleeps():
    time.sleep(600)
async def later():
    return 7
def odd(number):
    if number % 2:
        raise ValueError(number)
    return number * number
def twice():
    run = skiva.this_run()
    with open(f"begun-{run.id}", "a") as file:
        file.write("once\\n")
    if not run.restarts:
        time.sleep(600)
    return "at last"
"""
_SUBMITTED = """
os.chdir(os.path.dirname(os.environ["SKIVA_RUNS"]))
runs = dict(
    greets=skiva.submit(greets, "Ann", name="a name with ünïcode"),
    later=skiva.submit(later),
    **{f.__name__: skiva.submit(f) for f in (fails, faults, leaves, exits, stays, eats, dies, orphans)},
    waits=skiva.map(abs, [-1, -2], at_once=1),
    cancelled=skiva.submit(sleeps),
    again=skiva.submit(twice, restarts=1),
    once=skiva.submit(twice),
    odd=skiva.map(odd, range(20)),
)
told = {name: run.id for name, run in runs.items()}
"""


@pytest.fixture(scope="module")
def owner(cluster: Any) -> Iterator[RunOwner]:
    """A researcher with an offer."""
    with run_owner(cluster, "researcher1") as made:
        yield made


@pytest.fixture(scope="module")
def runs(owner: RunOwner) -> dict[str, str]:
    """All runs of these tests by name: they were submitted together, by a process that is gone."""
    made: dict[str, str] = owner.do(_WORK + _SUBMITTED)
    for name in ("again", "once"):
        wait_until(lambda name=name: (owner.place / f"begun-{made[name]}").exists(), 60, name)  # type: ignore[misc]
        job = str(owner.job_of(made[name]))
        owner.slurm("scontrol", "update", f"jobid={job}", "requeue=1")
        owner.slurm("scontrol", "requeue", job)
    return made


def test_what_a_function_returns_comes_back(owner: RunOwner, runs: dict[str, str]) -> None:
    """From another process, by the run's id alone; what it printed is in its log, its name as given."""
    told = owner.do(f"r = skiva.run({runs['greets']!r}); told = [r.result(60), r.logs(), r.name]")
    assert told == ["Hello Ann.", "hello Ann\n", "a name with ünïcode"]
    assert owner.do(f"told = skiva.run({runs['later']!r}).result(60)") == 7


_ENDS = {
    "fails": ("failed", "KeyError: 'no such thing'"),
    "faults": ("killed", "SIGSEGV"),
    "leaves": ("failed", "exit status 7"),
    "exits": ("failed", "SystemExit: had enough"),
    "stays": ("failed", "the result cannot travel back from the job"),
    "eats": ("out_of_memory", "more memory"),
    "dies": ("killed", "SIGKILL"),
    "orphans": ("killed", "without a word"),
}


@pytest.mark.parametrize("name", _ENDS)
def test_an_end_is_told_as_it_was(owner: RunOwner, runs: dict[str, str], name: str) -> None:
    """An exception, a fault, an exit, a result that cannot travel, no memory, a kill: state and words."""
    state, words = _ENDS[name]
    end = owner.end(runs[name])
    assert end["state"] == state, end
    assert words in end["sentence"]
    assert len(owner.jobs_with_tag(runs[name])) == 1


def test_an_exception_is_raised_where_the_result_is_asked_for(owner: RunOwner, runs: dict[str, str]) -> None:
    """With the traceback of the job's code alone, and itself as the cause."""
    told = owner.do(
        f"try: skiva.run({runs['fails']!r}).result(60)\n"
        "except skiva.RunFailed as e: told = [str(e), repr(e.__cause__), e.traceback]"
    )
    assert "KeyError: 'no such thing'" in told[0]
    assert told[1] == "KeyError('no such thing')"
    assert "in fails" in told[2]
    assert "user_code.py" not in told[2]


def test_a_map_is_one_submission_and_its_failed_items_run_again_alone(
    owner: RunOwner, runs: dict[str, str]
) -> None:
    """20 items in one array, half of them fail: the other results are there, and a rerun has ten tasks."""
    end = owner.end(runs["odd"])
    assert end["state"] == "failed", end
    assert end["sentence"].startswith("10 of 20 tasks did not complete; the first: ValueError: 1")
    told = owner.do(
        f"r = skiva.run({runs['odd']!r})\n"
        "found = [one if isinstance(one, int) else str(one.__cause__) for one in r.results()]\n"
        "again = r.rerun(); again.wait(100)\n"
        "told = [found, again.status.tasks, again.spec.again_of, [str(e.__cause__) for e in again.results()]]"
    )
    assert told[0] == [n * n if n % 2 == 0 else str(n) for n in range(20)]
    assert told[1:] == [{"failed": 10}, runs["odd"], [str(n) for n in range(1, 20, 2)]]
    assert owner.do(f"told = skiva.run({runs['waits']!r}).result(60)") == [1, 2]


def test_cancelling_ends_what_runs_and_what_waits(owner: RunOwner, runs: dict[str, str]) -> None:
    """A running one leaves its log, a waiting one never begins, and a second cancel is no mistake."""
    told = owner.do(
        "crowd = skiva.map(time.sleep, [600, 600, 600], at_once=1)\n"
        f"one = skiva.run({runs['cancelled']!r})\n"
        "[r.cancel() for r in (crowd, one, one)]\n"
        "told = [one.wait(60).state, one.status.sentence, crowd.wait(60).state, crowd.status.tasks, crowd.id]"
    )
    assert told[:-1] == ["cancelled", "Cancelled.", "cancelled", {"cancelled": 3}]
    assert owner.state(told[-1]) == "cancelled"


def test_a_run_that_slurm_begins_again_does_so_only_where_allowed(
    owner: RunOwner, runs: dict[str, str]
) -> None:
    """Put back by an operator: with restarts it has its result, without its code has run once and no more."""
    again, once = owner.end(runs["again"]), owner.end(runs["once"])
    assert (again["state"], again["restarts"]) == ("completed", 1), again
    assert once["state"] == "not_restarted", once
    begun = {
        name: (owner.place / f"begun-{runs[name]}").read_text().count("once") for name in ("again", "once")
    }
    assert begun == {"again": 2, "once": 1}


def test_a_run_goes_on_across_its_time_limit(one_minute: Mapping[str, Ended]) -> None:
    """A one-minute job saves when it is warned, waits its turn again and has what it saved."""
    owner, run, end, jobs = one_minute["goes_on"].seen()
    assert (end["state"], end["restarts"]) == ("completed", 1), end
    assert owner.do(f"told = skiva.run({run!r}).result()") == [1, True]
    assert (owner.place / "begun").read_text() == "0\n1\n"
    assert len(jobs) == 1


def test_the_time_limit_is_told_as_such(one_minute: Mapping[str, Ended]) -> None:
    """Not as a failure, and with what to do."""
    _, _, end, _ = one_minute["sleeps"].seen()
    assert (end["state"], end["sentence"]) == ("time_limit", "Stopped by the time limit.")
    assert "more hours" in end["action"]
    assert end["restarts"] == 0
