"""Runs parts of the tests side by side (`-n N`): which tests go together, in which order, and where.

Each process has a world of its own (`tests/support/world.py`) and clusters of its own in it, so any file can
go to any process. The tests of one file stay together: they share clusters, servers and pages.
"""

from collections import Counter
from os import cpu_count, geteuid
from pathlib import Path

import pytest
from tests.support import world
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

_ROOT = Path(__file__).parents[2]
_LONGEST_FIRST = (
    "tests/images",
    "tests/releases",
    "tests/faults",
    "tests/clusters",
    "tests/runs",
    "tests/browser",
    "tests/embedded",
    "tests/attack",
    "tests/checks",
    "tests/site_with_accounting",
    "tests/site",
    "tests/slurm",
    "tests/typing",
    "tests/unit",
)


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Run everything side by side; what is named on the command line, only where that says so."""
    everything = config.args_source is not pytest.Config.ArgsSource.ARGS
    if everything and geteuid() == 0 and config.option.numprocesses is None and not is_worker(config):
        # Most of the time a test waits for Slurm, a server or a browser.
        config.option.numprocesses = min(2 * (cpu_count() or 1) + 1, 9)


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Give each process a world of its own, and keep what belongs together in one of them."""
    if is_worker(config):
        # Its parent is the temporary directory of the process that started this one, which has another /tmp.
        Path(config.option.basetemp).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    elif config.getoption("numprocesses", None):
        config.option.dist = "loadscope"
        config.option.loadscopereorder = False
        if geteuid() == 0:
            worlds = (" ".join(world.command(number)) for number in range(config.option.numprocesses))
            config.option.tx = [f"popen//python={command}" for command in worlds]


def is_worker(config: pytest.Config) -> bool:
    """Whether this is one of the processes that run tests side by side."""
    return hasattr(config, "workerinput")


class _Scheduling(LoadScopeScheduling):
    """Keeps the tests of one file together, and those on images altogether, because they are built once."""

    def _split_scope(self, nodeid: str) -> str:
        part = part_of(nodeid)
        return part if part == "tests/images" else nodeid.split("::", maxsplit=1)[0]


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> _Scheduling:
    """Say what goes together."""
    return _Scheduling(config, log)


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what lasts longest."""
    # Before pytest-random-order, where that is wanted, has its turn.
    items.sort(key=lambda item: _LONGEST_FIRST.index(part_of(item.nodeid)))


def part_of(nodeid: str) -> str:
    """The folder of a test, as `tests/runs`."""
    return "/".join(nodeid.split("/")[:2])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Tell how long the tests of each folder lasted, one after the other."""
    milliseconds, tests = Counter[str](), Counter[str]()
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                milliseconds[part_of(report.nodeid)] += round(report.duration * 1000)
                tests[part_of(report.nodeid)] += report.when == "call"
    terminalreporter.section("minutes by folder")
    for part, spent in milliseconds.most_common():
        terminalreporter.line(f"{spent / 60_000:6.1f} min  {tests[part]:5} tests  {part}")
