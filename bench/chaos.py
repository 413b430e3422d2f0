"""`chaos`: random deeds and kills for as long as one likes, and whether every promise holds after them."""

import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from bench.ours import new_directory
from bench.report import Goal, Report

_METHOD = (
    "One person's JupyterLab and five light sessions of three people; the seed draws the deeds, and after "
    "each 4 to 12 of them everything must be in order within 60 s. {minutes:g} minutes, seed {seed}."
)


def measure(*, minutes: float, seed: int | None) -> Report:
    """Let it storm on a cluster of its own; each violation is told as soon as it is seen."""
    from tests.support.breakable import breakable
    from tests.support.chaos import Chaos

    seed = random.randrange(2**32) if seed is None else seed  # noqa: S311 - to be repeated
    _tell(f"seed {seed}")
    with _cluster() as cluster, breakable(cluster) as faults:
        chaos = Chaos(faults, seed, tell=_tell)
        chaos.run(60.0 * minutes)
    report = Report("chaos", _METHOD.format(minutes=minutes, seed=seed), ("deed", "done"))
    report.rows += [(name, str(count)) for name, count in chaos.counts.most_common()]
    report.raw["violations"] = [str(one) for one in chaos.violations]
    report.goals.append(Goal("violations", len(chaos.violations), 0))
    return report


def _tell(what: str) -> None:
    print(f"skiva: bench chaos: {what}", file=sys.stderr, flush=True)


@contextmanager
def _cluster() -> Iterator[Any]:
    """An embedded cluster as the tests start one."""
    from tests.conftest import remove, start

    directory = new_directory()
    try:
        yield start(directory)
    finally:
        remove(directory)
