"""A cluster's beginning and end: nothing is left behind, whatever is killed."""

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = [
    pytest.mark.slurm,
    pytest.mark.skipif(os.geteuid() != 0, reason="another suite runs without root"),
]

_SLEEP = ("--partition=slices", "--gres=gpu:1g.10gb:1", "--mem=100", "--output=/dev/null")


def _left(directory: Path) -> list[str]:
    """Processes, cgroups and sudoers files that belong to a state directory."""
    left = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                about = (entry / "cmdline").read_bytes() + (entry / "environ").read_bytes()
            except OSError:
                continue
            if str(directory).encode() in about and int(entry.name) != os.getpid():
                left.append(about.split(b"\0")[0].decode())
    mark = _id(directory)
    left += [str(path) for path in Path("/sys/fs/cgroup").glob(f"*/*-{mark}*")]
    return left + [str(path) for path in Path("/etc/sudoers.d").glob(f"*{mark}*")]


def _id(directory: Path) -> str:
    conf = (directory / "slurm" / "slurm.conf").read_text()
    return conf.splitlines()[0].removeprefix("ClusterName=skiva_")


def _running(directory: Path) -> Any:
    return json.loads((directory / "run.json").read_text())


def _kill(process: dict[str, int]) -> None:
    os.kill(process["pid"], signal.SIGKILL)


def test_down_leaves_nothing(new_cluster: Any) -> None:
    """After `down` with a job still running there is no process, no cgroup and no sudoers file."""
    cluster = new_cluster("--no-hub")
    cluster.wait_state(
        cluster.submit(cluster.people[0], *_SLEEP, script="trap '' TERM; sleep 1000"), "RUNNING"
    )
    there = _left(cluster.dir)
    assert len(there) > 10
    for place in ("/sys/fs/cgroup/", "/etc/sudoers.d/"):
        assert any(what.startswith(place) for what in there), there
    assert cluster.skiva("down").returncode == 0
    assert _left(cluster.dir) == []
    assert cluster.skiva("status").returncode == 3
    assert cluster.skiva("down").returncode == 0


@pytest.mark.parametrize("victim", ["supervisor", "guard"])
def test_a_killed_supervisor_or_guard_leaves_nothing(new_cluster: Any, victim: str, wait_for: Any) -> None:
    """kill -9 of either is noticed by the other, which ends everything, jobs included."""
    cluster = new_cluster("--no-hub")
    cluster.wait_state(cluster.submit(cluster.people[0], *_SLEEP, script="sleep 1000"), "RUNNING")
    _kill(_running(cluster.dir)[victim])
    wait_for(lambda: not _left(cluster.dir), what=f"nothing is left of {cluster.dir}")


def test_up_clears_what_a_killed_pair_left(new_cluster: Any) -> None:
    """With supervisor and guard killed at the same time the next `up` starts on clean ground."""
    cluster = new_cluster("--no-hub")
    job = cluster.submit(cluster.people[0], *_SLEEP, script="sleep 1000")
    cluster.wait_state(job, "RUNNING")
    before = _running(cluster.dir)
    os.kill(before["guard"]["pid"], signal.SIGSTOP)
    _kill(before["supervisor"])
    _kill(before["guard"])
    done = cluster.skiva("up", "--detach", "--no-hub")
    assert done.returncode == 0, done.stdout + done.stderr
    assert cluster.job_state(job) == "CANCELLED"
    assert cluster.status()["slices"]["1g.10gb"]["free"] == 7
    for part in before["parts"].values():
        stat = Path(f"/proc/{part['pid']}/stat")
        assert not stat.exists() or " Z " in stat.read_text() or str(part["started"]) not in stat.read_text()
    assert cluster.submit(cluster.people[0], *_SLEEP, script="true") > job


def test_a_second_up_says_that_it_runs(cluster: Any) -> None:
    """It exits with 0, names the address, and the cluster is the same as before."""
    before = _running(cluster.dir)
    done = cluster.skiva("up", "--detach", "--port=22099")
    assert (done.returncode, cluster.url in done.stdout) == (0, True)
    assert _running(cluster.dir) == before


@pytest.mark.parametrize("part", ["munge", "slurmctld", "mig"])
def test_a_part_that_dies_is_started_again(new_cluster: Any, part: str, wait_for: Any) -> None:
    """The supervisor starts it again, and a running job does not notice."""
    cluster = new_cluster("--no-hub")
    job = cluster.submit(cluster.people[0], *_SLEEP, script="sleep 1000")
    cluster.wait_state(job, "RUNNING")
    saved = cluster.dir / "slurm" / "state" / "job_state"
    wait_for(lambda: b"mig-" in saved.read_bytes(), what="slurmctld has saved where the job runs")
    before = _running(cluster.dir)["parts"][part]
    _kill(before)
    wait_for(lambda: _running(cluster.dir)["parts"][part]["pid"] != before["pid"])
    assert cluster.status()["processes"][part]["restarts"] == 1
    wait_for(lambda: cluster.job_state(job) == "RUNNING", what="the job runs on")
    next_job = cluster.submit(cluster.people[1], *_SLEEP, script="true")
    cluster.wait_state(next_job, "COMPLETED")
    assert cluster.job_state(job) == "RUNNING"


def test_a_part_can_be_held_down(new_cluster: Any) -> None:
    """While DIR/hold/NAME exists the supervisor leaves the part ended."""
    cluster = new_cluster("--no-hub")
    ping = ["/usr/bin/scontrol", "ping"]
    with cluster.without("slurmctld"):
        assert not cluster.status()["processes"]["slurmctld"]["alive"]
        assert " is DOWN" in cluster.run_as(cluster.people[0], ping, timeout=60).stdout
    assert " is UP" in cluster.run_as(cluster.people[0], ping, timeout=60).stdout


@pytest.mark.parametrize("victims", [("supervisor",), ("guard", "supervisor")])
def test_nothing_is_left_of_the_hub_either(new_cluster: Any, victims: tuple[str, ...], wait_for: Any) -> None:
    """The hub, its proxy, its services and a session are gone, at once or with the next command."""
    cluster = new_cluster()
    assert cluster.api("POST", f"users/{cluster.people[0]}/server", {"slice": "1g.10gb"})[0] in (201, 202)
    wait_for(
        lambda: (
            cluster.people[0] in cluster.run_as("root", ["/usr/bin/squeue", "-ht", "R", "-o", "%u:40"]).stdout
        )
    )
    wait_for(lambda: len(_running(cluster.dir)["others"]) > 1, what="the hub's services are noted")
    assert len(_left(cluster.dir)) > 10
    running = _running(cluster.dir)
    for signal_number in (signal.SIGSTOP, signal.SIGKILL):
        for victim in victims:
            os.kill(running[victim]["pid"], signal_number)
    if len(victims) == 2:
        assert cluster.skiva("down").returncode == 0
    wait_for(lambda: not _left(cluster.dir), what=f"nothing is left of {cluster.dir}")


def test_a_hub_that_dies_is_started_again_without_its_orphans(cluster: Any, wait_for: Any) -> None:
    """After kill -9 the hub answers again, and its services run once, not twice."""

    def services() -> list[int]:
        stream = b"skiva_hub.stream"
        found = []
        for entry in Path("/proc").iterdir():
            try:
                command = (entry / "cmdline").read_bytes() if entry.name.isdigit() else b""
            except OSError:
                continue
            if stream in command and str(cluster.dir).encode() in command:
                found.append(int(entry.name))
        return found

    before = wait_for(services)
    hub = _running(cluster.dir)["parts"]["hub"]
    _kill(hub)
    wait_for(lambda: _running(cluster.dir)["parts"]["hub"]["pid"] != hub["pid"])
    after = wait_for(lambda: (now := services()) and not set(now) & set(before) and now)
    assert (len(before), len(after)) == (1, 1)
    wait_for(lambda: cluster.api("GET", "")[0] == 200, what="the hub answers")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_up_in_the_foreground_ends_with_its_command(
    new_dir: Callable[[], Path], number: int, wait_for: Any, free_port: int
) -> None:
    """Ctrl-C, SIGTERM and kill -9 of the command that was typed end everything."""
    directory = new_dir()
    command = [str(directory / "venv/hub/bin/python"), "-I", "-m", "skiva_hub.cli", "up", "--no-hub"]
    with subprocess.Popen(
        [*command, "--dir", str(directory), f"--port={free_port}"], stdout=subprocess.PIPE, text=True
    ) as up:
        assert up.stdout is not None
        for line in up.stdout:
            if "stop" in line:
                break
        assert len(_left(directory)) > 8
        up.send_signal(number)
        assert up.wait(20) == (0 if number != signal.SIGKILL else -9)
        wait_for(lambda: not _left(directory), what=f"nothing is left of {directory}")


def test_a_taken_port_is_told_before_anything_starts(cluster: Any, new_dir: Callable[[], Path]) -> None:
    """The sentence names the port and the option."""
    directory = new_dir()
    done = _skiva(directory, "up", "--detach", f"--port={cluster.port}")
    assert done.returncode == 1
    assert f"Port {cluster.port} of 127.0.0.1 is in use; choose another with --port." in done.stdout
    assert not (directory / "slurm").exists()


def test_a_part_that_cannot_start_is_named_with_its_last_words(
    new_dir: Callable[[], Path], free_port: int
) -> None:
    """`up --detach` exits with 1, shows the end of the part's log, and leaves nothing running."""
    directory = new_dir()
    (directory / "munge").mkdir()
    (directory / "munge" / "key").write_text("short")
    done = _skiva(directory, "up", "--detach", "--no-hub", f"--port={free_port}")
    assert done.returncode == 1
    assert "munge ended while it was starting" in done.stdout
    assert "munged: Error" in done.stdout
    assert _left(directory) == []


def test_a_directory_that_others_cannot_enter_is_refused(tmp_path: Path, new_dir: Callable[[], Path]) -> None:
    """Below a closed home no job could run what is installed, so `up` says so first."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    (closed / "venv").symlink_to(new_dir() / "venv")
    done = _skiva(closed, "up", "--detach")
    assert done.returncode == 1
    assert "other accounts cannot enter" in done.stdout


def test_env_lets_a_shell_talk_to_slurm(cluster: Any) -> None:
    """What `env` prints is shell code after which plain `sinfo` shows this cluster's nodes."""
    lines = cluster.skiva("env").stdout
    done = subprocess.run(
        ["/bin/sh", "-ec", f"{lines}sinfo --noheader --format=%P"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "lowprio" in done.stdout


def test_the_secrets_are_closed_to_others(cluster: Any) -> None:
    """Password and tokens are for root and the hub's account only, and everything listens on 127.0.0.1."""
    for name in ("password", "admin-token", "hub/password", "munge/key", "hub/jupyterhub.sqlite"):
        assert (cluster.dir / name).stat().st_mode & 0o077 == 0, name
        argv = ["/usr/bin/cat", str(cluster.dir / name)]
        assert "Permission denied" in cluster.run_as(cluster.people[0], argv).stderr, name
    # Whoever can read a lock can hold it, for as long as they like.
    for lock in (cluster.dir / "lock", cluster.dir / "venv/.lock", Path("/etc/skiva-accounts.lock")):
        assert lock.stat().st_mode & 0o077 == 0, lock
    listening = subprocess.run(["/usr/bin/ss", "-Hltnp"], capture_output=True, text=True, check=True).stdout
    pids = {str(part["pid"]) for part in cluster.status()["processes"].values()}
    ours = [line for line in listening.splitlines() if any(f"pid={pid}," in line for pid in pids)]
    # The hub, its proxy, slurmctld and the nodes.
    assert len(ours) > 6, listening
    assert [line for line in ours if not line.split()[3].startswith("127.")] == []


def _skiva(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command, *rest = arguments
    python = str(directory / "venv/hub/bin/python")
    return subprocess.run(
        [python, "-I", "-m", "skiva_hub.cli", command, "--dir", str(directory), *rest],
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
