"""Runs that take minutes on a real Slurm; they begin before the other tests of their file."""

import json
import os
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from tests.support.notebook_person import TICKS, USER, Limited, Person, notebook_person
from tests.support.notebook_runs import notebook_of
from tests.support.requeued import hasten
from tests.support.run_owner import Ended, run_owner
from tests.support.waiting import wait_until

_MINUTE = 1 / 60
_STUBBORN = """
import os, time
print('pid', os.getpid())
end = time.monotonic() + 300
while time.monotonic() < end:
    try:
        print('still here')
        time.sleep(0.5)
    except KeyboardInterrupt:
        print('not me')
"""
_ONE_MINUTE = """
def sleeps():
    time.sleep(600)
def goes_on():
    run = skiva.this_run()
    with open("begun", "a") as file:
        file.write(f"{run.restarts}\\n")
    with skiva.checkpoint(every=0.0) as state:
        while state.get("steps", 0) < 10_000 and not (run.restarts and state["steps"] > state["first"]):
            state["steps"] = state.get("steps", 0) + 1
            if not run.restarts:
                state["first"] = state["steps"]
            state.save()
            time.sleep(0.1)
        return [run.restarts, state.restored]
os.chdir(os.path.dirname(os.environ["SKIVA_RUNS"]))
told = dict(
    sleeps=skiva.submit(sleeps, hours=1 / 60).id,
    goes_on=skiva.submit(goes_on, hours=1 / 60, restarts=3).id,
)
"""


@pytest.fixture(scope="module")
def person(cluster: Any) -> Iterator[Person]:
    """A researcher whom the site has offered its first slice without a GPU."""
    with notebook_person(cluster) as made:
        yield made


@pytest.fixture(scope="module")
def limited(person: Person) -> Iterator[Mapping[str, Limited]]:
    """Notebooks that last longer than they may: `plain`, `stubborn`, and `again`, which may go on."""
    # Of one minute Slurm's warning could leave a second or two: it comes up to a minute before it is due.
    hours = f"hours={2 * _MINUTE}"
    once, count = "open('effects', 'a').write('once ')\nseen = []\nopened = open('effects')", _counting(62)
    made = {
        "plain": person.submit(notebook_of("x = 1", TICKS.format(1), "print('never')"), hours),
        "stubborn": person.submit(notebook_of(_STUBBORN), hours),
        "again": person.submit(
            notebook_of(once, count, "print(len(seen))"), f"{hours}, resume=True, restarts=4"
        ),
    }

    def end(name: str, run: Path) -> dict[str, Any]:
        if name == "again":
            _begin_again_soon(person.cluster, run)
        return person.end_of(run, 350)

    with ThreadPoolExecutor(3) as pool:
        yield {name: Limited(run, pool.submit(end, name, run)) for name, run in made.items()}
        person.end_all()


@pytest.fixture(scope="module")
def one_minute(cluster: Any) -> Iterator[Mapping[str, Ended]]:
    """Functions that last longer than their minute: one that `sleeps`, and one that `goes_on` after it."""
    with run_owner(cluster, USER) as owner, ThreadPoolExecutor(3) as pool:
        made = owner.do(_ONE_MINUTE)
        soon = pool.submit(_begin_again_soon, cluster, owner.runs / made["goes_on"])
        yield {name: Ended.waited_for(owner, run, pool) for name, run in made.items()}
        soon.result()
        cluster.run_as("root", ["/usr/bin/scancel", f"--user={USER}"])


@pytest.fixture(scope="module", autouse=True)
def _begin_early(request: pytest.FixtureRequest) -> None:
    """Let those begin now that a later test of this file will look at."""
    here = (item for item in request.session.items if item.path == request.path)
    wanted = {name for item in here for name in getattr(item, "fixturenames", ())}
    if os.geteuid() == 0:
        for name in sorted(wanted & {"limited", "one_minute"}):
            request.getfixturevalue(name)


def _begin_again_soon(cluster: Any, run: Path) -> None:
    """Wait until a run is back in the queue after its time limit, and do not let it wait there."""
    job = int(json.loads((run / "submission.json").read_text())["job_id"])
    for state, seconds in (("RUNNING", 120), ("PENDING", 240)):
        wait_until(lambda state=state: cluster.job_state(job) == state, seconds, f"{job} {state}", every=1)  # type: ignore[misc]
    hasten(cluster, job)


def _counting(most: int) -> str:
    return (
        f"import time\nwhile len(seen) < {most}:\n    seen.append(len(seen))\n"
        "    print('did', seen[-1])\n    time.sleep(1)"
    )
