"""Root in an image is nobody outside, whoever built the image and whatever is in it."""

import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from tests.support.waiting import wait_until

Job = Callable[..., tuple[str, str]]
FORMS = ("directory", "file")

_TRY = r"""
import ctypes, errno, glob, json, os, pathlib, re, signal, subprocess, sys
def attempt(call):
    try:
        found = call()
        return "done" if found is None else str(found)
    except OSError as problem:
        return errno.errorcode[problem.errno]
def opened(path, flags=os.O_RDWR):
    return attempt(lambda: os.close(os.open(path, flags)))
def said(*argv):
    done = subprocess.run(argv, capture_output=True, text=True)
    return done.stdout.strip() or f"refused {done.returncode}"
told = {
    "ids": [os.getuid(), os.geteuid(), os.getgid()],
    "cells": {path: opened(path) for path in sorted(glob.glob(sys.argv[1] + "/*/*"))},
    "planted": sorted({opened(path) for path in glob.glob("/evil/device*")}),
    "disk": opened("/evil/disk", os.O_RDONLY),
    "setuid": said("/evil/id", "-u"),
    "setuid secret": said("/evil/cat", os.path.expanduser("~/roots")),
    "own file": said("/evil/cat", os.path.expanduser("~/mine")),
    "setuid chown": said("/evil/chown", "root", os.path.expanduser("~/mine")),
    "setuid(0)": attempt(lambda: os.setuid(0)),
    "setgroups": attempt(lambda: os.setgroups([0])),
    "chroot": attempt(lambda: os.chroot("/tmp")),
    "namespace": said("/usr/bin/unshare", "--user", "--map-root-user", "/usr/bin/id", "-u"),
    "mount": ctypes.CDLL(None).mount(b"none", b"/mnt", b"tmpfs", 0, None),
    "others' home": attempt(lambda: os.listdir("/home/researcher2")),
    "root's file": opened("/etc/passwd"),
    "image": opened("/usr/bin/id"),
    "new file in the image": attempt(lambda: pathlib.Path("/usr/new").touch()),
    "init's environment": opened("/proc/1/environ", os.O_RDONLY),
    "init's root": attempt(lambda: os.listdir("/proc/1/root")),
    "other's process": attempt(lambda: os.kill(int(sys.argv[2]), signal.SIGTERM)),
    "other's memory": opened(f"/proc/{sys.argv[2]}/mem", os.O_RDONLY),
    "capabilities": re.findall(r"Cap(?:Eff|Prm):\s*(\S+)", open("/proc/self/status").read()),
}
print(json.dumps(told))
"""


def _process(command: bytes) -> str:
    """The number of a process with this command line, or an empty text."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if path.read_bytes() == command:
                return path.parent.name
    return ""


@pytest.fixture
def told(
    request: pytest.FixtureRequest, cluster: Any, hostile: dict[str, Path], job: Job, home: Path
) -> dict[str, Any]:
    """What a program found in the hostile image, in a job with one slice."""
    (home / "mine").write_text("mine")
    shutil.chown(home / "mine", "researcher1", "researcher1")
    (home / "roots").write_text("for root alone")
    (home / "roots").chmod(0o600)
    script = home / "try.py"
    script.write_text(_TRY)
    script.chmod(0o644)
    sleeper = cluster.submit(
        "researcher2", "--partition=cpu", "--mem=50", "--output=/dev/null", script="exec sleep 613"
    )
    try:
        cluster.wait_state(sleeper, "RUNNING")
        pid = wait_until(lambda: _process(b"sleep\x00613\x00"), 20, "the other's process")
        command = ["/usr/bin/python3", "-I", str(script), str(cluster.dir / "dev"), pid]
        state, printed = job(hostile[request.param], command, "--partition=slices", "--gres=gpu:1g.10gb:1")
    finally:
        cluster.run_as("root", ["/usr/bin/scancel", str(sleeper)])
    assert state == "COMPLETED", printed
    found: dict[str, Any] = json.loads(printed)
    found["uid"] = home.stat().st_uid
    found["gid"] = home.stat().st_gid
    return found


@pytest.mark.parametrize("told", FORMS, indirect=True)
def test_an_image_gives_nobody_more_than_they_have(told: dict[str, Any], home: Path) -> None:
    """Devices stay fenced, set-user-ID programs and device files do nothing, other accounts stay closed."""
    uid = told["uid"]
    assert told["ids"] == [uid, uid, told["gid"]]
    assert sorted(told["cells"].values()) == ["ENXIO"] + ["EPERM"] * 6
    assert told["planted"]
    assert set(told["planted"]) <= {"EACCES", "EPERM"}
    assert told["disk"] in {"EACCES", "EPERM"}
    assert told["setuid"] == str(uid)
    assert told["own file"] == "mine"
    assert told["setuid secret"] == told["setuid chown"] == "refused 1"
    assert told["setuid(0)"] in {"EINVAL", "EPERM"}
    assert told["setgroups"] == told["chroot"] == "EPERM"
    assert told["namespace"] == "refused 1"
    assert told["mount"] == -1
    assert told["others' home"] == "ENOENT"  # of the homes, one's own alone is in there
    assert set(told["capabilities"]) == {"0" * 16}
    assert told["image"] in {"EACCES", "EROFS"}
    assert told["root's file"] in {"EACCES", "EROFS"}
    assert told["new file in the image"] in {"EACCES", "EROFS"}
    assert told["init's environment"] == told["init's root"] == "EACCES"
    assert told["other's process"] == "EPERM"
    assert told["other's memory"] == "EACCES"
    assert (home / "mine").stat().st_uid == uid
