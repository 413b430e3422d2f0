"""What ends the rest of a job: which cgroups are the job's, and what it does with them."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from skiva_hub import epilog


def test_the_cgroups_of_a_job_are_found_and_no_others(tmp_path: Path) -> None:
    """In each controller or in the one tree, of this node where several are on one machine."""
    own = [
        "devices/slurm/uid_1000/job_7",
        "freezer/slurm/uid_1000/job_7",
        "devices/slurm_n1/uid_1001/job_7",
        "system.slice/slurmstepd.scope/job_7",
        "system.slice/n1_slurmstepd.scope/job_7",
    ]
    others = [
        "devices/slurm/uid_1000/job_77",
        "devices/slurm_n2/uid_1000/job_7",
        "system.slice/n2_slurmstepd.scope/job_7",
        "system.slice/other.scope/job_7",
    ]
    for path in own + others:
        (tmp_path / path).mkdir(parents=True)
    found = epilog.cgroups_of(tmp_path, "7", "n1")
    assert sorted(str(path.relative_to(tmp_path)) for path in found) == sorted(own)
    assert len(epilog.cgroups_of(tmp_path, "7", "../n2*")) == 3


@pytest.mark.skipif(os.geteuid() != 0, reason="acts as another account")
def test_people_s_processes_end_and_what_is_roots_is_left(tmp_path: Path) -> None:
    """A slurmstepd that is about to go is neither killed nor a reason to drain the node."""
    argv = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--", "/usr/bin/sleep", "1000"]
    with subprocess.Popen(argv) as theirs, subprocess.Popen(["/usr/bin/sleep", "1000"]) as roots:
        try:
            while Path(f"/proc/{theirs.pid}").stat().st_uid != 65534:
                os.sched_yield()
            kept = tmp_path / "job_7" / "kept"
            kept.mkdir(parents=True)
            (kept / "cgroup.procs").write_text(f"{theirs.pid}\n{roots.pid}\n")
            (kept / "freezer.state").write_text("FROZEN")
            epilog.clear([tmp_path / "job_7"], 0.0)
            assert theirs.wait(10) == -9
            assert roots.poll() is None
            assert (kept / "freezer.state").read_text() == "THAWED"
            assert epilog.clear([tmp_path / "job_7"], 0.0) == set()
        finally:
            roots.kill()
            theirs.kill()


def test_without_a_job_it_does_nothing() -> None:
    """By hand, or where Slurm names none; its exit status drains no node."""
    for job in ("", "x", "0", "7/../8"):
        done = subprocess.run(
            [sys.executable, "-I", str(epilog.__file__)], env={"SLURM_JOB_ID": job}, check=False
        )
        assert done.returncode == 0
