"""What keeps one job from another's slice, seen from inside real jobs."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.slurm, pytest.mark.skipif(os.geteuid() != 0, reason="only root can fence devices")]

_OPEN_ALL = """
/usr/bin/python3 -I - <<'END'
import errno, glob, json, os
found = {}
for path in sorted(glob.glob("%s/*/*")):
    try:
        os.close(os.open(path, os.O_RDWR))
        found[path] = "opened"
    except OSError as problem:
        found[path] = errno.errorcode[problem.errno]
print(json.dumps({"found": found, "gpus": os.environ.get("CUDA_VISIBLE_DEVICES", "")}), flush=True)
END
"""


@pytest.fixture
def job(cluster: Any) -> Iterator[Any]:
    """Runs a script as a researcher and returns what it printed; jobs are cancelled afterwards."""
    started: list[int] = []

    def run(user: str, *options: str, script: str) -> tuple[str, str]:
        output = Path("/home") / user / "output.txt"
        number = cluster.submit(user, f"--output={output}", *options, script=script)
        started.append(number)
        state = cluster.wait_state(number, "COMPLETED", "FAILED", "OUT_OF_MEMORY", "CANCELLED", "TIMEOUT")
        return state, output.read_text()

    yield run
    if started:
        cluster.run_as("root", ["/usr/bin/scancel", *map(str, started)])
    for output in Path("/home").glob("*/output.txt"):
        output.unlink()


def _opened(cluster: Any, job: Any, partition: str, gres: str | None) -> dict[str, Any]:
    options = [f"--partition={partition}", "--mem=300", *([f"--gres={gres}"] if gres else [])]
    _, printed = job("researcher1", *options, script=_OPEN_ALL % (cluster.dir / "dev"))
    found: dict[str, Any] = json.loads(printed)
    return found


def test_a_mig_job_opens_its_own_instance_only(cluster: Any, job: Any) -> None:
    """Of the node's seven devices the job's own answers (there is no driver) and six are forbidden."""
    answers = sorted(_opened(cluster, job, "slices", "gpu:1g.10gb:1")["found"].values())
    assert answers == ["ENXIO"] + ["EPERM"] * 6


def test_one_gpu_of_a_node_leaves_the_other_closed(cluster: Any, job: Any) -> None:
    """A job with one of a node's two GPUs cannot open the second."""
    assert sorted(_opened(cluster, job, "gpu", "gpu:h100:1")["found"].values()) == ["ENXIO", "EPERM"]


def test_two_gpus_are_both_open(cluster: Any, job: Any) -> None:
    """A job with both GPUs of a node opens both."""
    assert list(_opened(cluster, job, "gpu", "gpu:h100:2")["found"].values()) == ["ENXIO", "ENXIO"]


def test_a_shard_opens_its_gpu(cluster: Any, job: Any) -> None:
    """A shard is a place on one GPU, which all its holders can open."""
    assert list(_opened(cluster, job, "shared", "shard:1")["found"].values()) == ["ENXIO"]


def test_a_job_without_gres_finds_no_device(cluster: Any, job: Any) -> None:
    """On the CPU node, and on a GPU node without asking for a GPU, every device is hidden or closed."""
    assert _opened(cluster, job, "cpu", None)["found"] == {}
    assert list(_opened(cluster, job, "slices", None)["found"].values()) == ["EPERM"] * 7


def test_the_memory_limit_is_in_force(job: Any) -> None:
    """A job that takes more memory than it asked for is ended, and Slurm says why; with enough it is not."""
    script = "exec /usr/bin/python3 -c 'print(len(bytearray(400 * 2**20)))'"
    state, printed = job("researcher2", "--partition=cpu", "--mem=100", script=script)
    assert state == "OUT_OF_MEMORY"
    assert "419430400" not in printed
    assert job("researcher2", "--partition=cpu", "--mem=600", script=script) == ("COMPLETED", "419430400\n")


def test_ending_a_job_ends_all_its_processes(cluster: Any, wait_for: Any) -> None:
    """A process that leaves its session and parent is gone when its job is cancelled."""
    note = Path("/home/researcher3/escaped")
    note.unlink(missing_ok=True)
    script = f"setsid sh -c 'echo $$ >{note}; exec sleep 1000' </dev/null >/dev/null 2>&1 & sleep 1000"
    number = cluster.submit(
        "researcher3", "--partition=cpu", "--mem=100", "--output=/dev/null", script=script
    )
    cluster.wait_state(number, "RUNNING")
    pid = int(wait_for(lambda: note.exists() and note.read_text().strip()))
    assert Path(f"/proc/{pid}").exists()
    cluster.run_as("researcher3", ["/usr/bin/scancel", str(number)])
    wait_for(lambda: not Path(f"/proc/{pid}").exists())
    cluster.wait_state(number, "CANCELLED")
    note.unlink()


_LINGER = """
exec /usr/bin/python3 -I - <<'END'
import glob, os, sys, time
if os.fork():
    time.sleep(2)
    sys.exit()
os.setsid()
made = []
for line in open("/proc/self/cgroup"):
    _, controllers, path = line.strip().split(":", 2)
    for mount in {"/sys/fs/cgroup/" + (controllers.split(",")[0] or "."), "/sys/fs/cgroup"}:
        own = mount + path + "/kept"
        try:
            os.mkdir(own)
            open(own + "/cgroup.procs", "w").write(str(os.getpid()))
            made.append(own)
        except OSError:
            pass
note = open(os.path.expanduser("~/lingers"), "w")
note.write(" ".join([str(os.getpid()), *made]))
note.close()
time.sleep(1000)
END
"""


def test_what_a_job_hides_in_cgroups_of_its_own_ends_with_it(cluster: Any, wait_for: Any) -> None:
    """Its user may make cgroups below the job's, where Slurm does not look; the next one is alone."""
    note = Path("/home/researcher3/lingers")
    note.unlink(missing_ok=True)
    options = ("--partition=slices", "--gres=gpu:1g.10gb:1", "--mem=200", "--output=/dev/null")
    number = cluster.submit("researcher3", *options, script=_LINGER)
    pid, *made = wait_for(lambda: note.exists() and note.read_text().split())
    if not made:
        pytest.skip("this Slurm gives no cgroup to the job's user")
    assert Path(f"/proc/{pid}").exists()
    cluster.wait_state(number, "COMPLETED")
    wait_for(lambda: not Path(f"/proc/{pid}").exists(), seconds=20)
    wait_for(lambda: not any(Path(one).exists() for one in made), seconds=20)
    states = cluster.run_as("root", ["/usr/bin/sinfo", "-hN", "-o", "%T"]).stdout.split()
    assert not {"drained", "draining", "down"} & set(states)
    note.unlink()


def test_seven_people_get_the_seven_instances_and_the_eighth_waits(cluster: Any) -> None:
    """All seven MIG instances are out at the same time, each once; the eighth job waits and follows."""
    options = (
        "--partition=slices",
        "--gres=gpu:1g.10gb:1",
        "--mem=2048",
        "--cpus-per-task=2",
        "--output=/dev/null",
    )
    jobs = [cluster.submit(f"researcher{n % 3 + 1}", *options, script="sleep 1000") for n in range(8)]
    try:
        for number in jobs[:7]:
            cluster.wait_state(number, "RUNNING")
        assert cluster.job_state(jobs[7]) == "PENDING"
        assert cluster.status()["slices"]["1g.10gb"] == {"free": 0, "in_use": 7, "drained": 0, "total": 7}
        shown = cluster.run_as("root", ["/usr/bin/scontrol", "-d", "-o", "show", "job"]).stdout
        places = [word for word in shown.split() if word.startswith("GRES=gpu:1g.10gb:1(IDX:")]
        assert len(set(places)) == 7
        cluster.run_as("root", ["/usr/bin/scancel", str(jobs[0])])
        cluster.wait_state(jobs[7], "RUNNING")
    finally:
        cluster.run_as("root", ["/usr/bin/scancel", *map(str, jobs)])
        for number in jobs:
            cluster.wait_state(number, "CANCELLED")
