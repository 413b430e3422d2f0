"""Exclusive means proved: from a running kernel, and on a node that does not fence."""

import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.support.faults import MINI, Faults
from tests.support.invariants import check, live_jobs
from tests.support.kernel import run_code
from tests.support.waiting import wait_until

_AT_ONCE = 7.5
"""Seconds: half of what a start may take on this site before it is given up, however busy the machine is."""
_OPEN_ALL = """
import errno, glob, json, os
found = {}
for path in glob.glob("%s/*/*"):
    try:
        os.close(os.open(path, os.O_RDWR))
        found[path] = "opened"
    except OSError as problem:
        found[path] = errno.errorcode[problem.errno]
print(json.dumps(found))
"""


def test_a_notebook_opens_its_own_device_and_no_other(faults: Faults) -> None:
    """In kernels of two people on one node: one device answers to each (it has no driver), six are closed."""
    people = ("researcher1", "researcher2")
    faults.start_all({(user, ""): {"slice": "1g.10gb", "hours": 1} for user in people})
    own = []
    for user in people:
        url, token = f"{faults.cluster.url}/user/{user}/", faults.client.user_token(user)
        found = json.loads(run_code(url, token, _OPEN_ALL % (faults.cluster.dir / "dev")))
        assert sorted(found.values()) == ["ENXIO"] + ["EPERM"] * 6, found
        own += [path for path, answer in found.items() if answer == "ENXIO"]
    assert len(set(own)) == 2
    check(faults.cluster, faults.client)


def _refused(faults: Faults, options: dict[str, Any]) -> float:
    """See that a start is refused because of the fence; seconds from the job's start to the refusal."""
    told = faults.start_and_see("researcher3", options, 30)
    refused = time.time()
    assert "its slice is not yours alone" in told
    assert "This node does not fence its devices" in told
    row = faults.owner("researcher3")
    assert row is not None
    started = faults.slurm("squeue", "-h", "-t", "all", "-o", "%S", "-j", str(row.failure["job_id"])).strip()
    wait_until(lambda: not live_jobs(faults.cluster), 10, "the job is ended")
    check(faults.cluster, faults.client)
    return refused - time.mktime(time.strptime(started, "%Y-%m-%dT%H:%M:%S"))


def test_a_device_that_everybody_can_open_is_refused_at_once(faults: Faults) -> None:
    """A device file outside the fence: the session is never opened, and it is said at once why."""
    (faults.openable / "device").touch(0o666)
    assert _refused(faults, dict(MINI)) < _AT_ONCE


@contextmanager
def _without_fence(faults: Faults, part: str) -> Iterator[None]:
    """Run a node with a cgroup.conf that constrains no devices, and let no job go to its twin."""
    name = next(node for node in faults.nodes("gpu") if node.startswith(part))
    others = [node for node in faults.nodes("gpu") if node != name]
    conf = faults.dir / "unfenced"
    conf.mkdir()
    for file in ("slurm.conf", "gres.conf", "cgroup.conf"):
        shutil.copy(faults.cluster.dir / "slurm" / file, conf / file)
    text = (conf / "cgroup.conf").read_text()
    (conf / "cgroup.conf").write_text(text.replace("ConstrainDevices=yes", "ConstrainDevices=no"))
    faults.slurm("scontrol", "update", f"NodeName={','.join(others)}", "State=DRAIN", "Reason=test")
    argv = ["/usr/sbin/slurmd", "-D", "-N", name, "-f", str(conf / "slurm.conf")]
    with faults.cluster.without(part), (faults.cluster.dir / "log" / "unfenced.log").open("ab") as log:
        daemon = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        try:
            yield
        finally:
            daemon.kill()
            daemon.wait()
            faults.slurm("scontrol", "update", f"NodeName={','.join(others)}", "State=RESUME")


def test_a_node_without_a_fence_is_refused_at_once(faults: Faults) -> None:
    """A real slurmd that constrains no devices: no session opens there, and at once it is said why."""
    with _without_fence(faults, "gpu2"):
        assert _refused(faults, {**MINI, "slice": "mini-gpu"}) < _AT_ONCE
