"""Tries all mutants: a pytest that has collected its tests forks once for each of them.

`python -m tests.mutate.loop PLAN RESULT`, in the mutated tree: reads which mutants to try and with which
tests, and writes what became of them. mutmut's own runner starts a pytest for each mutant, which takes
longer than most tests here.
"""

import json
import math
import os
import resource
import shutil
import signal
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, TypedDict

import pytest
from mutmut.configuration import config as mutmut_config
from mutmut.mutation.trampoline import set_mutant_under_test
from mutmut.state import state

# A mutant may take so many times what its tests took without it, and some seconds more: of processor time,
# and of time, which a busy machine stretches.
_TIMES_BUSY = 3
_TIMES = 6
_MOST_MEMORY = 4 * 1024**3


class Plan(TypedDict):
    """What is to be done."""

    mutants: list[str]
    pytest: list[str]
    scratch: str
    seconds: float
    """How long a mutant may take at least."""
    jobs: int


class Result(TypedDict):
    """What came of it: those not in a list were noticed by a test that failed."""

    survived: list[str]
    untested: list[str]
    timed_out: list[str]
    failing: dict[str, str]
    """Tests that fail without a mutant, and how: no mutant was tried with them."""
    error: str
    """Why no mutant was tried at all."""


def main(plan_file: str, result_file: str) -> int:
    """Try all mutants of a plan."""
    plan: Plan = json.loads(Path(plan_file).read_text())
    mutmut_config()  # read from here, and not wherever a test has gone
    tries = Tries(plan)
    status = pytest.main(plan["pytest"], plugins=[tries])
    if not tries.done:
        tries.result["error"] = f"pytest could not collect the tests: {status!r}"
    Path(result_file).write_text(json.dumps(tries.result))
    return 0


@dataclass
class Tried:
    """A test that calls a function, and what came of trying the function's mutants with it."""

    seconds: float
    busy: float
    item: pytest.Item
    mutants: int = 0
    noticed: int = 0

    def cost(self) -> float:
        """Seconds for each mutant that it notices, as far as one can tell: the cheapest test goes first."""
        return self.seconds * (self.mutants + 1) / (self.noticed + 0.1)


@dataclass(frozen=True)
class Running:
    """A mutant that is being tried: until when it may take, and the tests in their order."""

    mutant: str
    until: float
    tests: list[Tried]


class Tries:
    """A plugin of pytest that runs the tests for each mutant, in a process of its own."""

    def __init__(self, plan: Plan) -> None:
        self.done = False
        self.result = Result(survived=[], untested=[], timed_out=[], failing={}, error="")
        self._plan = plan
        self._tests: dict[str, list[Tried]] = defaultdict(list)
        self._running: dict[int, Running] = {}
        self._failed: dict[str, str] = {}
        self._said = time.monotonic()
        self._seen: set[str] = set()
        self._caches: list[Callable[[], object]] = []

    def pytest_configure(self) -> None:
        """Let hypothesis try the same examples for each mutant, up to the first that fails."""
        from hypothesis import HealthCheck, Phase, settings  # not before pytest has seen its plugin

        # Profiles that a conftest registers later inherit from this one.
        settings.register_profile(
            "mutation",
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
            print_blob=False,
        )
        settings.load_profile("mutation")

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Take the place of the one run of all tests."""
        if session.testsfailed:  # they could not be collected
            return True
        self._learn(session)
        for number, mutant in enumerate(self._plan["mutants"]):
            self._say(number)
            tests = sorted(self._tests[mutant.partition("__mutmut_")[0]], key=Tried.cost)
            if not tests:
                self.result["untested"].append(mutant)
                continue
            while len(self._running) >= self._plan["jobs"]:
                self._wait()
            self._start(mutant, tests)
        while self._running:
            self._wait()
        self.done = True
        return True

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep who failed."""
        if report.failed:
            self._failed[report.nodeid] = report.longreprtext

    def pytest_runtest_setup(self) -> None:
        """Forget what functions keep: a test calls whatever it needs itself."""
        for name in sys.modules.keys() - self._seen:
            self._seen.add(name)
            if name.startswith("skiva"):
                kept = (getattr(value, "cache_clear", None) for value in vars(sys.modules[name]).values())
                self._caches.extend(clear for clear in kept if callable(clear))
        for clear in self._caches:
            clear()

    def _say(self, number: int) -> None:
        if time.monotonic() > self._said + 10:
            self._said = time.monotonic()
            print(f"{number} of {len(self._plan['mutants'])} mutants", file=sys.stderr, flush=True)

    def _learn(self, session: pytest.Session) -> None:
        """Run all tests without a mutant: what each calls, and how long it takes."""
        told = Path(self._plan["scratch"], "learned")
        if (child := os.fork()) == 0:
            self._be_a_child("stats")
            del os.environ["MUTANT_UNDER_TEST"]  # what tests start as processes has nothing to count
            learned = [self._look(item, following) for item, following in _pairs(session.items)]
            told.write_text(json.dumps([learned, self._failed]))
            os._exit(0)
        os.waitpid(child, 0)
        learned, self.result["failing"] = json.loads(told.read_text())
        for item, (seconds, busy, called) in zip(session.items, learned, strict=True):
            if item.nodeid not in self.result["failing"]:
                for function in called:
                    self._tests[function].append(Tried(seconds, busy, item))

    def _look(self, item: pytest.Item, following: pytest.Item | None) -> tuple[float, float, list[str]]:
        state()._stats.clear()
        begun, busy = time.monotonic(), time.process_time()
        item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        return time.monotonic() - begun, time.process_time() - busy, sorted(state()._stats)

    def _start(self, mutant: str, tests: list[Tried]) -> None:
        seconds = self._plan["seconds"] + _TIMES * sum(one.seconds for one in tests)
        busy = math.ceil(self._plan["seconds"] / 4 + _TIMES_BUSY * sum(one.busy for one in tests))
        if (child := os.fork()) == 0:
            self._be_a_child(mutant)
            resource.setrlimit(resource.RLIMIT_DATA, (_MOST_MEMORY, _MOST_MEMORY))
            resource.setrlimit(resource.RLIMIT_CPU, (busy, busy))
            for number, (item, following) in enumerate(_pairs([one.item for one in tests])):
                item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
                if self._failed:
                    self._noticed(os.getpid()).write_text(str(number))
                    with suppress(BaseException):  # servers that a fixture has started, and the like
                        item.session._setupstate.teardown_exact(None)
                    os._exit(1)
            os._exit(0)
        self._running[child] = Running(mutant, time.monotonic() + seconds, tests)

    def _noticed(self, pid: int) -> Path:
        """Where a process writes which of its tests failed."""
        return Path(self._plan["scratch"], str(pid), "noticed")

    def _be_a_child(self, mutant: str) -> None:
        os.setsid()
        scratch = Path(self._plan["scratch"], str(os.getpid()))
        scratch.mkdir()
        os.environ.update(TMPDIR=str(scratch), PYTEST_DEBUG_TEMPROOT=str(scratch))
        tempfile.tempdir = None
        silence = os.open(os.devnull, os.O_RDWR)
        for number in range(3):
            os.dup2(silence, number)
        set_mutant_under_test(mutant)

    def _wait(self) -> None:
        """Wait until one mutant's process has ended, and take down those that take too long."""
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid in self._running:
                ended = self._running.pop(pid)
                self._remember(pid, ended)
                self._clean(pid)
                if os.WIFSIGNALED(status) and os.WTERMSIG(status) in {signal.SIGKILL, signal.SIGXCPU}:
                    self.result["timed_out"].append(ended.mutant)
                elif status == 0:
                    self.result["survived"].append(ended.mutant)
                return
            now = time.monotonic()
            for late in [pid for pid, one in self._running.items() if now > one.until]:
                os.kill(late, signal.SIGKILL)
            if pid == 0:
                time.sleep(0.002)

    def _remember(self, pid: int, ended: Running) -> None:
        """Count what each test noticed of the function, for the order of the next mutant's tests."""
        with suppress(OSError, ValueError):
            number = int(self._noticed(pid).read_text())
            ended.tests[number].noticed += 1
            for one in ended.tests[: number + 1]:
                one.mutants += 1

    def _clean(self, pid: int) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(pid, signal.SIGKILL)
        shutil.rmtree(Path(self._plan["scratch"], str(pid)), ignore_errors=True)


def _pairs(items: Iterable[pytest.Item]) -> Iterable[tuple[pytest.Item, pytest.Item | None]]:
    """Each test with the one that follows."""
    several = list(items)
    return zip(several, [*several[1:], None], strict=True)


def _run() -> NoReturn:
    sys.exit(main(*sys.argv[1:]))


if __name__ == "__main__":
    _run()
