"""A run belongs to its person and to Slurm: neither the end of a session nor the hub's takes it along."""

from collections.abc import Iterator

import pytest
from tests.support.faults import LIGHT, Faults
from tests.support.waiting import wait_until

_SLEEP = ("--partition=cpu", "--mem=50", "--time=10", "--output=/dev/null")
_PERSON = "researcher1"


@pytest.fixture
def runs(faults: Faults) -> Iterator[tuple[int, ...]]:
    """A run that computes, a sweep of which one task computes, and one that is held; gone afterwards."""

    def submit(run: str, *options: str) -> int:
        mark = f"--comment=skiva-run:261122-{run}"
        number: int = faults.cluster.submit(_PERSON, *_SLEEP, mark, *options, script="exec sleep 600")
        return number

    made = (submit("aaaaaaaa"), submit("bbbbbbbb", "--array=0-3%1"), submit("cccccccc", "--hold"))
    yield made
    faults.slurm("scancel", *map(str, made))


def _states(faults: Faults, runs: tuple[int, ...]) -> list[str]:
    """Each task of each run with its state, in Slurm's words."""
    jobs = ",".join(map(str, runs))
    return sorted(faults.slurm("squeue", "-h", "-t", "all", "-o", "%i %T", "-j", jobs).splitlines())


def test_runs_outlive_the_session_of_their_owner_and_the_hub(faults: Faults, runs: tuple[int, ...]) -> None:
    """The session is stopped, the hub is killed and comes back and looks at all jobs: runs go on."""
    whole, sweep, held = runs
    expected = sorted(
        [f"{whole} RUNNING", f"{sweep}_0 RUNNING", f"{sweep}_[1-3%1] PENDING", f"{held} PENDING"]
    )
    wait_until(lambda: _states(faults, runs) == expected, 30, lambda: f"not {_states(faults, runs)}")
    faults.start_all({(_PERSON, ""): LIGHT})
    faults.client.stop_server(_PERSON)
    faults.client.wait_stopped(_PERSON, 30)
    assert _states(faults, runs) == expected
    for how in ("goes on", "is killed"):
        if how == "is killed":
            faults.hub.restart()
        # A job of a session that is over: once it is gone, the hub has looked at all jobs.
        nonce = (faults.cluster.dir / "hub/given-up-sessions").read_text().split()[0]
        comments = [f"--comment=skiva:skiva:{_PERSON}/:{one}" for one in (nonce, "0123456789abcdef")]
        stray, unknown = (
            faults.cluster.submit(_PERSON, *_SLEEP, comment, script="exec sleep 600") for comment in comments
        )
        faults.cluster.wait_state(stray, "CANCELLED", seconds=60)
        assert _states(faults, runs) == expected, f"the hub {how}"
        # What the hub never knew may be another hub's.
        assert faults.slurm("squeue", "-h", "-o", "%T", "-j", str(unknown)).strip() == "RUNNING"
        faults.cluster.run_as(_PERSON, ["/usr/bin/scancel", str(unknown)])
