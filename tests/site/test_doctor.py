"""`skiva doctor` on a real Slurm: a good site is proved, a bad one is told why, nothing is left behind."""

import json
import os
import pwd
import re
import signal
import subprocess
import tomllib
from collections.abc import Callable, Iterable
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


def traces(people: Iterable[str]) -> list[Path]:
    """Directories of servers, and of probes, in people's homes."""
    homes = [Path(pwd.getpwnam(person).pw_dir) for person in people]
    return sorted(path for home in homes for path in (home / ".local/state/skiva/servers").glob("*"))


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
    before = traces(cluster.people)
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
    assert "The helper answers as researcher" in good
    assert re.search(r"slurm could extend a job of researcher[123]\.", good), good
    assert probes(cluster) == []
    assert traces(cluster.people) == before


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
    before = traces(cluster.people)
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
        assert traces(cluster.people) != before
        os.kill(doctor.pid, number)
        _, said = doctor.communicate(timeout=30)
        assert doctor.returncode == 130
        assert "Traceback" not in said
        assert "has been cancelled" in said
        wait_for(lambda: probes(cluster) == [], what="the probes are gone")
        assert traces(cluster.people) == before
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


def doctor(cluster: Any, account: str, *arguments: str) -> dict[str, Any]:
    """What the doctor says to an account."""
    python = f"{cluster.dir}/venv/hub/bin/python"
    argv = [python, "-I", "-m", "skiva_hub.cli", "doctor", "--json", "--dir", str(cluster.dir), *arguments]
    # The hub's account has no home to be in.
    done = cluster.run_as("root", ["/usr/sbin/runuser", "-u", account, "--", *argv], timeout=150)
    assert done.stdout, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    return told


@pytest.mark.parametrize("account", ["root", "skiva-hub"])
def test_one_call_proves_the_helper_the_slices_and_more_hours_as_a_person(cluster: Any, account: str) -> None:
    """As root or as the hub's account, whose own jobs Slurm may refuse, probes are a person's."""
    told = doctor(cluster, account, "--user", "instructor1")
    good = sentences(told, "ok")
    assert told["errors"] == 0, sentences(told, "error")
    assert "The helper answers as instructor1." in good
    assert "Slice h100 on gpu" in good
    assert "slurm could extend a job of instructor1." in good
    argv = ["/usr/bin/squeue", "-h", "-t", "all", "-n", "skiva-doctor", "-o", "%u"]
    assert "instructor1" in cluster.run_as("root", argv).stdout.split()


def test_an_ordinary_account_can_prove_the_slices_that_it_may_use(cluster: Any) -> None:
    """The probe jobs are the caller's own; whether the hub may act as people is left to root and the hub."""
    told = doctor(cluster, "researcher1")
    assert "Slice h100 on gpu" in sentences(told, "ok")
    assert "Whether the hub may act as people was not tried." in sentences(told, "warning")
    other = doctor(cluster, "researcher1", "--user", "researcher2")
    assert "researcher1 cannot act as researcher2." in sentences(other, "error")
    assert "Nothing was proved by a job." in sentences(other, "warning")


def test_what_the_helper_and_the_site_file_do_not_agree_on_is_found(
    cluster: Any, site: Callable[..., Path]
) -> None:
    """An operator that is no account, or unknown to the helper; another place for sessions' files."""

    def wrong(*changes: tuple[str, str]) -> str:
        return sentences(examine(cluster, "--no-probe", "--site", str(site(*changes))), "error")

    extend_as = (
        f'extend_as = "{tomllib.loads((cluster.dir / "site.toml").read_text())["hours"]["extend_as"]}"'
    )
    assert "there is no account ghost" in wrong((extend_as, 'extend_as = "ghost"'))
    assert "does not list nobody (extend_as in [hours])" in wrong((extend_as, 'extend_as = "nobody"'))
    said = wrong(('run_dirs = ".local/state/skiva/servers"', 'run_dirs = ".skiva"'))
    assert "has .local/state/skiva/servers as run_dirs, the site file .skiva as run_dirs in [hub]." in said


@pytest.mark.parametrize("epilog", [True, False])
def test_a_job_that_could_stay_behind_is_an_error_unless_an_epilog_ends_it(
    cluster: Any, epilog: bool
) -> None:
    """On cgroup v1 a job's user makes cgroups below the job's own, where its end does not look."""
    if Path("/sys/fs/cgroup/cgroup.controllers").exists():
        pytest.skip("cgroup v2 gives nobody the job's cgroups")
    conf = cluster.dir / "slurm" / "slurm.conf"
    kept = conf.read_text()
    try:
        if not epilog:
            conf.write_text("".join(line for line in kept.splitlines(True) if not line.startswith("Epilog=")))
            cluster.run_as("root", ["/usr/bin/scontrol", "reconfigure"])
        told = examine(cluster)
    finally:
        if not epilog:
            conf.write_text(kept)
            cluster.run_as("root", ["/usr/bin/scontrol", "reconfigure"])
    if epilog:
        assert "An epilog ends what jobs leave in cgroups of their own on " in sentences(told, "ok")
    else:
        assert "1g.10gb, h100, 2xh100 cannot be kept from who was here before." in sentences(told, "error")
