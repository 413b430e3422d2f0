"""What dies under a run: its node, the daemons, its own processes; and a session's end."""

import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.support.hub import HubClient
from tests.support.requeued import hasten
from tests.support.run_owner import RunOwner, run_owner
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.slurm, pytest.mark.skipif(os.geteuid() != 0, reason="acts as another account")]


@pytest.fixture(scope="module")
def owner(cluster: Any) -> Iterator[RunOwner]:
    """A researcher with an offer."""
    with run_owner(cluster, "researcher1") as made:
        yield made


@pytest.mark.parametrize("how", ["goes on", "lasts"])
def test_a_lost_node_is_told_and_begun_again_only_where_allowed(owner: RunOwner, how: str) -> None:
    """Its node fails: without restarts that is its end, with one it begins again elsewhere or later."""
    restarts = int(how == "goes on")
    run = owner.do(
        "def waits(): time.sleep(0 if skiva.this_run().restarts else 600)\n"
        f"told = skiva.submit(waits, slice='shared', restarts={restarts}).id"
    )
    wait_until((owner.runs / run / "state.jsonl").exists, 60, "it runs")
    node = _node_of(owner, "shared")
    owner.slurm("scontrol", "update", f"nodename={node}", "state=down", "reason=test")
    try:
        if restarts:
            wait_until(lambda: owner.state(run) == "requeued", 30, "it waits again", every=0.5)
        else:
            assert owner.end(run, 30)["state"] == "node_failed"
    finally:
        # A node that answers may have come back by itself.
        owner.cluster.run_as("root", ["/usr/bin/scontrol", "update", f"nodename={node}", "state=resume"])
    if restarts:
        with suppress(AssertionError):  # it may have begun already
            hasten(owner.cluster, owner.job_of(run))
        end = owner.end(run)
        assert (end["state"], end["restarts"]) == ("completed", 1), end


def _node_of(owner: RunOwner, partition: str) -> str:
    done = owner.cluster.run_as("root", ["/usr/bin/sinfo", "-h", "-o", "%N", "-p", partition])
    return str(done.stdout.strip())


def test_a_killed_slurmd_takes_no_run_along(owner: RunOwner) -> None:
    """The node's daemon dies of SIGKILL and comes back; the run neither ends nor begins a second time."""
    go = owner.place / "go"
    run = owner.do(
        "def waits():\n"
        f"    while not os.path.exists({str(go)!r}): time.sleep(0.1)\n"
        "    return skiva.this_run().restarts\n"
        "told = skiva.submit(waits, slice='shared').id"
    )
    wait_until((owner.runs / run / "state.jsonl").exists, 60, "it runs")
    part = next(name for name in owner.cluster.status()["processes"] if "shared" in name)
    killed = owner.cluster.status()["processes"][part]["pid"]
    os.kill(killed, signal.SIGKILL)

    def is_back() -> bool:
        now = owner.cluster.status()["processes"][part]
        return bool(now["alive"]) and now["pid"] != killed

    wait_until(is_back, 60, "slurmd is back")
    assert owner.state(run) == "running"
    go.touch()
    assert owner.do(f"told = skiva.run({run!r}).result(60)") == 0


def test_without_slurm_a_run_goes_on_and_its_end_is_seen(owner: RunOwner) -> None:
    """slurmctld is away: the run is still said to run, with the trouble; its files alone tell its end."""
    go = owner.place / "go on"
    run = owner.do(
        "def waits():\n"
        f"    while not os.path.exists({str(go)!r}): time.sleep(0.1)\n"
        "    return 42\n"
        "told = skiva.submit(waits).id"
    )
    wait_until((owner.runs / run / "state.jsonl").exists, 60, "it runs")
    with owner.cluster.without("slurmctld", by=signal.SIGTERM):
        told = owner.do(f"s = skiva.run({run!r}).status; told = [s.state, s.trouble]")
        assert told[0] == "running"
        assert "not answering" in told[1]
        go.touch()
        assert owner.do(f"told = skiva.run({run!r}).result(60)") == 42


_KILLS = {
    "before its first line": ("main", "open", "state.jsonl", 2, "killed"),
    "before user code": ("main", "os.fork", "", 1, "killed"),
    "while the result is written": ("child", "open", r"\.result\.pkl", 1, "killed"),
    "before the result is in place": ("child", "os.rename", "result.pkl", 1, "killed"),
    "before its last line": ("main", "open", "state.jsonl", 3, "completed"),
}


def test_a_job_killed_at_any_point_is_told_as_it_was(owner: RunOwner) -> None:
    """Its main process or its child dies of SIGKILL: no second job, whole files, and no end that was not."""
    code = "ids = []\n"
    for place, event, pattern, time, _ in _KILLS.values():
        python = owner.deadly_python(place, event, pattern, time)
        code += f"sys.executable = {str(python)!r}\nids.append(skiva.submit(pow, 2, 3).id)\n"
    made = owner.do(f"{code}told = ids")
    for run, (point, (*_, state)) in zip(made, _KILLS.items(), strict=True):
        end = owner.end(run, 60)
        assert end["state"] == state, (point, end)
        assert len(owner.jobs_with_tag(run)) == 1
        names = {path.name for path in (owner.runs / run).iterdir()}
        assert {"spec.json", "call.pkl", "env.json", "submission.json"} <= names
        if state == "completed":
            assert owner.do(f"told = skiva.run({run!r}).result()") == 8


def test_a_job_that_slurm_begins_again_after_its_result_computes_nothing_twice(owner: RunOwner) -> None:
    """It was killed between its result and its last line, and an operator puts it back: it is completed."""
    python = owner.deadly_python("main", "open", "state.jsonl", 3)
    run = owner.do(f"sys.executable = {str(python)!r}\ntold = skiva.submit(pow, 2, 3, restarts=1).id")
    wait_until((owner.runs / run / "result.pkl").exists, 60, lambda: f"a result: {owner.end(run)}")
    assert owner.end(run)["state"] == "completed"
    assert (owner.runs / run / "state.jsonl").read_text().count("started") == 1


def test_a_session_leaves_its_offer_for_terminals(owner: RunOwner) -> None:
    """After a session was started, a terminal outside of it knows where runs go."""
    kept = Path(f"~{owner.name}").expanduser() / ".local" / "state" / "skiva" / "offer.json"
    kept.unlink(missing_ok=True)
    with HubClient(owner.cluster.url, owner.cluster.admin_token) as hub:
        hub.start_server(owner.name, {"slice": "cpu", "hours": 1})
        try:
            wait_until(kept.exists, 60, "the offer is there")
            code = "r = skiva.submit(pow, 2, 5, slice='cpu'); told = [r.id, r.result(60)]"
            assert owner.do(code, env={"SKIVA_RUN_DIR": ""})[1] == 32
        finally:
            hub.stop_server(owner.name)
            hub.wait_stopped(owner.name, 60)
