"""Memory: the job's own cgroup is found in either layout, and without one its processes are added up."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from skiva.server.memory import (
    CgroupPlace,
    Memory,
    cgroup_place,
    job_cgroup,
    read_cgroup,
    read_memory,
    read_processes,
)

V1_CGROUP = """\
9:name=systemd:/
4:memory:/slurm_n1/uid_1000/job_12/step_batch/task_0
5:devices:/slurm_n1/uid_1000/job_12/step_batch/task_0
0::/
"""
V1_MOUNTS = """\
30 20 0:26 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu
31 20 0:27 / /sys/fs/cgroup/memory rw,relatime shared:5 - cgroup cgroup rw,memory
32 20 0:28 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
"""
V2_CGROUP = "0::/system.slice/slurmstepd.scope/job_12/step_batch/user/task_0\n"
V2_MOUNTS = "29 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"


@pytest.mark.parametrize(
    ("cgroup", "mounts", "expected"),
    [
        (V1_CGROUP, V1_MOUNTS, CgroupPlace(Path("/sys/fs/cgroup/memory/slurm_n1/uid_1000/job_12"), 1)),
        (V2_CGROUP, V2_MOUNTS, CgroupPlace(Path("/sys/fs/cgroup/system.slice/slurmstepd.scope/job_12"), 2)),
        ("0::/user.slice/job_123\n", V2_MOUNTS, None),
        ("", V2_MOUNTS, None),
        ("garbage\n::::\n", "garbage - \n - - -\n", None),
    ],
)
def test_the_cgroup_of_the_job_is_found(cgroup: str, mounts: str, expected: CgroupPlace | None) -> None:
    """In both layouts it is the directory of this job, not of one of its steps, nor of another job."""
    place = cgroup_place(cgroup, mounts)
    assert (job_cgroup(place, 12) if place else None) == expected


def test_a_mount_of_a_part_of_the_tree_is_understood() -> None:
    """In a container only the part below the mount's root is seen, under a shorter path."""
    mounts = "31 20 0:27 /box/a /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n"
    place = cgroup_place("4:memory:/box/a/job_12\n", mounts)
    assert place == CgroupPlace(Path("/sys/fs/cgroup/memory/job_12"), 1)
    assert cgroup_place("4:memory:/box/ab/job_12\n", mounts) is None


def test_a_cgroup_of_the_old_layout_is_read(tmp_path: Path) -> None:
    """Cache that the kernel may drop is no use of memory, and its huge number is no limit."""
    (tmp_path / "memory.usage_in_bytes").write_text("5000\n")
    (tmp_path / "memory.stat").write_text("cache 100\ntotal_inactive_file 1000\n")
    (tmp_path / "memory.limit_in_bytes").write_text("9223372036854771712\n")
    assert read_cgroup(CgroupPlace(tmp_path, 1)) == Memory(4000, None)
    (tmp_path / "memory.limit_in_bytes").write_text("8000\n")
    assert read_cgroup(CgroupPlace(tmp_path, 1)) == Memory(4000, 8000)


def test_a_cgroup_of_the_new_layout_is_read(tmp_path: Path) -> None:
    """The word max is no limit, and a missing file is no reading."""
    assert read_cgroup(CgroupPlace(tmp_path, 2)) is None
    (tmp_path / "memory.current").write_text("5000\n")
    assert read_cgroup(CgroupPlace(tmp_path, 2)) == Memory(5000, None)
    (tmp_path / "memory.stat").write_text("inactive_file 6000\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert read_cgroup(CgroupPlace(tmp_path, 2)) == Memory(0, None)


def test_processes_of_the_session_are_added_up() -> None:
    """A child counts; a process that left the family counts when it was started with the job's number."""
    alone = read_processes(0)
    assert alone is not None
    script = "import time; block = bytearray(64 << 20); print('ready', flush=True); time.sleep(60)"
    env = {**os.environ, "SLURM_JOB_ID": "987654321"}
    with subprocess.Popen([sys.executable, "-c", script], env=env, stdout=subprocess.PIPE) as child:
        try:
            assert child.stdout is not None
            assert child.stdout.readline() == b"ready\n"
            family = read_processes(0)
            by_number = read_processes(987654321, server=child.pid + 10_000_000)
            stranger = read_processes(987654322, server=child.pid + 10_000_000)
        finally:
            child.kill()
    assert family is not None
    assert family.used > alone.used + (60 << 20)
    assert by_number is not None
    assert by_number.used > 60 << 20
    assert stranger is None


def test_without_a_cgroup_the_limit_is_what_was_asked_of_slurm() -> None:
    """The page says how much the session may use even where the node does not tell."""
    found = read_memory(987654321, 512)
    assert found is not None
    assert found.limit == 512 << 20
    assert found.used > 1 << 20


def test_without_proc_there_is_no_reading(tmp_path: Path) -> None:
    """A node that hides /proc shows no memory rather than a wrong one."""
    assert read_memory(1, 512, proc=tmp_path) is None
