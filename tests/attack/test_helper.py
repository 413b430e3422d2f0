"""The helper that acts as a person, who may trace it: where it runs, nothing is to be had."""

import json
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.support.hub import HubClient
from tests.support.waiting import wait_until

from skiva_hub.embedded import cgroups, hub_fence

pytestmark = pytest.mark.skipif(cgroups.version() != 1, reason="devices are denied on cgroup v1 alone")

_OPEN_ALL = """
import errno, glob, json, os, sys
sys.stdin.readline()
found = {}
for path in sys.argv[1:]:
    try:
        os.close(os.open(path, os.O_RDWR))
        found[path] = "opened"
    except OSError as problem:
        found[path] = errno.errorcode[problem.errno]
print(json.dumps(found))
"""

_LOOK = """
import os, sys, time
from pathlib import Path
end = time.monotonic() + 60
while time.monotonic() < end:
    for place in Path("/proc").glob("[0-9]*"):
        try:
            others = place.stat().st_uid != os.getuid() or int(place.name) == os.getpid()
            if not others and b"libexec/skiva-act" in (place / "cmdline").read_bytes():
                print((place / "cgroup").read_text())
                sys.exit()
        except OSError:
            pass
"""


def _hubs_cgroups(cluster: Any) -> tuple[Path, ...]:
    """Those that the hub really is in."""
    pid = cluster.status()["processes"]["hub"]["pid"]
    told = Path(f"/proc/{pid}/cgroup").read_text().split()
    return tuple(
        Path("/sys/fs/cgroup", controller, path.removeprefix("/"))
        for _, controllers, path in (line.split(":", 2) for line in told)
        for controller in controllers.split(",")
        if "skiva_hub" in path
    )


def test_a_helper_runs_where_no_device_opens(cluster: Any) -> None:
    """What a person makes their helper do opens no device of any node, whichever way it is reached."""
    places = _hubs_cgroups(cluster)
    assert {place.parent.name for place in places} >= {"devices", "memory"}
    devices = [str(path) for path in cluster.dir.glob("dev/*/*")]
    assert len(devices) > 8
    probe = subprocess.Popen(
        ["/usr/bin/python3", "-I", "-c", _OPEN_ALL, *devices, "/dev/null"],
        user="researcher1",
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    for place in places:
        (place / "cgroup.procs").write_text(str(probe.pid))
    told = json.loads(probe.communicate("go\n", timeout=30)[0])
    assert told == dict.fromkeys(devices, "EPERM") | {"/dev/null": "opened"}


def test_helpers_are_in_the_hubs_cgroups(cluster: Any, hub: HubClient) -> None:
    """sudo leads them out of nothing: seen by the person themselves, while a server starts."""
    with subprocess.Popen(
        ["/usr/bin/python3", "-I", "-c", _LOOK], user="researcher2", stdout=subprocess.PIPE, text=True
    ) as look:
        hub.start_server("researcher2", {"slice": "cpu", "hours": 1})
        told = look.communicate(timeout=90)[0]
    hub.stop_server("researcher2")
    hub.wait_stopped("researcher2", 60)
    for place in _hubs_cgroups(cluster):
        assert f":/{place.name}\n" in told, told


def test_what_stays_in_a_persons_name_is_ended(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """No request takes as long; the hub itself and its services stay."""
    [place, *_] = _hubs_cgroups(cluster)
    people = cluster.people
    layout: Any = SimpleNamespace(
        id=place.name.removeprefix("skiva_hub-"),
        fenced=True,
        owners=SimpleNamespace(hub=Path(f"/proc/{cluster.status()['processes']['hub']['pid']}").owner()),
    )
    with subprocess.Popen(["/usr/bin/sleep", "1000"], user=people[0]) as stays:
        (place / "cgroup.procs").write_text(str(stays.pid))
        hub_fence.end_lingering(layout)
        assert stays.poll() is None
        monkeypatch.setattr(hub_fence, "_LONGEST", 0.0)
        hub_fence.end_lingering(layout)
        wait_until(lambda: stays.poll() is not None, 10, "it is ended")
    left = {int(pid) for pid in (place / "cgroup.procs").read_text().split()}
    assert cluster.status()["processes"]["hub"]["pid"] in left
