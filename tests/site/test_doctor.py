"""`skiva doctor` on a real Slurm: a good site is proved, a bad one is told why, nothing is left behind."""

import json
import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slurm


def examine(cluster: Any, *arguments: str) -> dict[str, Any]:
    """What the doctor says of a site, as data."""
    done = cluster.skiva("doctor", "--json", *arguments)
    assert done.stdout, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    assert done.returncode == (1 if told["errors"] else 0)
    return told


def sentences(told: dict[str, Any], level: str) -> str:
    """All sentences of one level with their cures."""
    return "\n".join(f"{f['sentence']} {f['cure']}" for f in told["findings"] if f["level"] == level)


def probes(cluster: Any) -> list[str]:
    """The doctor's jobs that are queued or run."""
    done = cluster.run_as("root", ["/usr/bin/squeue", "-h", "-n", "skiva-doctor", "-o", "%i %T"])
    assert done.returncode == 0, done.stderr
    return str(done.stdout).splitlines()


def traces() -> list[Path]:
    """What the doctor has in the home of whoever asks it."""
    return list((Path.home() / ".local/state/skiva").glob("doctor-*"))


@pytest.fixture
def site(cluster: Any, tmp_path: Path) -> Callable[..., Path]:
    """A copy of the cluster's site file in which texts are replaced."""

    def make(*changes: tuple[str, str]) -> Path:
        text = (cluster.dir / "site.toml").read_text()
        for old, new in changes:
            assert old in text
            text = text.replace(old, new)
        path = tmp_path / "site.toml"
        path.write_text(text)
        return path

    return make


def test_the_embedded_cluster_is_proved_slice_by_slice(cluster: Any) -> None:
    """No errors; each slice's devices, memory and ways are proved by a job; no job and no file stays."""
    told = examine(cluster)
    assert told["errors"] == 0, sentences(told, "error")
    good = sentences(told, "ok")
    assert "Slice 1g.10gb on mig-" in good
    assert (
        "1 of 7 devices can be opened: those that Slurm gave to this session. Memory ends at 2048 MB." in good
    )
    assert "2 of 2 devices can be opened" in good
    assert good.count("This machine reaches it at 127.0.0.1.") == 5
    assert good.count(f"The hub answers at {cluster.url}/hub/api") == 2
    assert "The helper answers as" in good
    assert probes(cluster) == []
    assert traces() == []


def test_people_read_groups_and_a_sum(cluster: Any) -> None:
    """Without --json there are headings, marks and progress, and no colours where nobody looks."""
    done = cluster.skiva("doctor", "--no-probe")
    assert done.returncode == 0
    assert "\nSlices and partitions\n       ok  Slice cpu: " in done.stdout
    assert "Nothing was proved by a job." in done.stdout
    assert done.stdout.splitlines()[-1].startswith("no errors, ")
    assert "\x1b" not in done.stdout
    assert "… Asking Slurm" in done.stderr


def test_what_is_wrong_on_the_nodes_is_found_by_the_jobs(cluster: Any, site: Callable[..., Path]) -> None:
    """Devices that all can open, an address that no node has, and a hub that is not there."""
    path = site(
        (f'["{cluster.dir}/dev/*/skiva[0-9]*"]', '["/dev/null", "/dev/zero"]'),
        (f"{cluster.url}/hub/api", "http://127.0.0.1:1/hub/api"),
        ('bind = "127.0.0.1"', 'bind = "192.0.2.1"'),
    )
    told = examine(cluster, "--site", str(path))
    wrong = sentences(told, "error")
    assert "This node does not fence its devices: 2 of 2 can be opened, 1 would be yours." in wrong
    assert "See ConstrainDevices in cgroup.conf" in wrong
    assert "no server could listen on cpu-" in wrong
    assert "No hub answers at http://127.0.0.1:1/hub/api, asked from cpu-" in sentences(told, "warning")


def test_an_environment_that_is_not_on_the_nodes_is_an_error(cluster: Any, site: Callable[..., Path]) -> None:
    """A wrong path of Python is told with what the node said."""
    python = f"{cluster.dir}/venv/base/bin/python"
    told = examine(cluster, "--site", str(site((python, "/opt/none/bin/python"))))
    wrong = sentences(told, "error")
    assert "said: " in wrong
    assert "/opt/none/bin/python: not found" in wrong
    assert "/opt/none/bin/python is not on this machine" in sentences(told, "warning")


def test_what_slurm_refuses_is_an_error_in_slurms_words(cluster: Any, site: Callable[..., Path]) -> None:
    """A gres that no node has is found by comparing, and confirmed by sbatch."""
    told = examine(cluster, "--site", str(site(("gpu:1g.10gb:1", "gpu:9g.90gb:1"))))
    wrong = sentences(told, "error")
    assert "No node of slices has gres gpu:9g.90gb:1 for slice 1g.10gb. Correct gres" in wrong
    assert "Slice 1g.10gb: " in wrong
    assert "Slice h100 on gpu" in sentences(told, "ok")


def test_a_slice_that_is_taken_is_not_waited_for_and_not_called_wrong(cluster: Any) -> None:
    """A job that has to wait is a warning with Slurm's reason in words, and is cancelled."""
    jobs = [
        cluster.submit("researcher1", "-p", "gpu", "--gres=gpu:h100:2", script="exec sleep 300") for _ in "12"
    ]
    try:
        for job in jobs:
            cluster.wait_state(job, "RUNNING")
        told = examine(cluster, "--wait", "4")
        waits = sentences(told, "warning")
        assert "Slice h100 was not proved: its job had to wait." in waits
        assert told["errors"] == 0
        assert probes(cluster) == []
    finally:
        cluster.run_as("root", ["/usr/bin/scancel", *map(str, jobs)])


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda n: n.name)
def test_a_doctor_that_is_told_to_end_cancels_its_jobs(
    cluster: Any, wait_for: Callable[..., Any], number: signal.Signals
) -> None:
    """Ctrl-C and kill leave no job in the queue and no file in the home."""
    job = cluster.submit("researcher1", "-p", "slices", "--gres=gpu:1g.10gb:7", script="exec sleep 300")
    try:
        cluster.wait_state(job, "RUNNING")
        argv = [
            # Whoever runs the tests in the background has them, and all their children, ignore Ctrl-C.
            "/usr/bin/env",
            "--default-signal=INT",
            f"{cluster.dir}/venv/hub/bin/python",
            "-I",
            "-m",
            "skiva_hub.cli",
            "doctor",
            "--dir",
            str(cluster.dir),
        ]
        doctor = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        wait_for(lambda: any("PENDING" in line for line in probes(cluster)), what="a probe waits")
        assert traces()
        os.kill(doctor.pid, number)
        _, said = doctor.communicate(timeout=30)
        assert doctor.returncode == 130
        assert "Traceback" not in said
        assert "has been cancelled" in said
        wait_for(lambda: probes(cluster) == [], what="the probes are gone")
        assert traces() == []
    finally:
        cluster.run_as("root", ["/usr/bin/scancel", str(job)])


def test_a_slurm_that_does_not_answer_is_one_error(cluster: Any, site: Callable[..., Path]) -> None:
    """With slurm.conf in the wrong place the doctor says so and still looks at the machine."""
    told = examine(
        cluster, "--site", str(site((str(cluster.dir / "slurm/slurm.conf"), "/etc/none/slurm.conf")))
    )
    assert "Slurm does not answer: " in sentences(told, "error")
    assert "Correct bin and conf in [cluster]" in sentences(told, "error")
    assert "Environment base is there" in sentences(told, "ok")


def test_an_ordinary_account_can_prove_the_slices_that_it_may_use(cluster: Any) -> None:
    """The probe jobs are the caller's own; only the helper is left to root and the hub's account."""
    python = f"{cluster.dir}/venv/hub/bin/python"
    argv = [python, "-I", "-m", "skiva_hub.cli", "doctor", "--json", "--dir", str(cluster.dir)]
    done = cluster.run_as("researcher1", argv, timeout=120)
    assert done.stdout, done.stderr
    told = json.loads(done.stdout)
    assert "Slice h100 on gpu" in sentences(told, "ok"), done.stdout
    assert "Whether the helper answers was not tried." in sentences(told, "warning")
