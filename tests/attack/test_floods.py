"""Floods by one person: what they cost another one, measured beside none."""

import json
import subprocess
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from tests.support.costs import Costs, visit
from tests.support.hub import HubClient
from tests.support.invariants import live_jobs
from tests.support.waiting import wait_until

_PERSON, _ATTACKER = "researcher1", "researcher2"
_ROWS = 9_600
"""Jobs that are handed in; Slurm takes 10,000 by default, ended ones included, and then none of anybody."""
_ARRAY = 960

_BODIES = """
import http.client, json, sys, threading, time

def send(port, method, path, token, length):
    piece = b" " * 65536
    while True:
        try:
            asked = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
            asked.putrequest(method, path)
            asked.putheader("Authorization", f"token {token}")
            asked.putheader("Content-Type", "application/json")
            if length:
                asked.putheader("Content-Length", str(length))
            else:
                asked.putheader("Transfer-Encoding", "chunked")
            asked.endheaders()
            for _ in range(50 * 16):
                asked.send(piece if length else b"10000\\r\\n" + piece + b"\\r\\n")
            asked.getresponse().read()
        except (OSError, http.client.HTTPException):
            time.sleep(0.05)

port, token, paths = json.loads(sys.stdin.readline())
for method, path in paths:
    for length in (50 * 2**20, 0):
        threading.Thread(target=send, args=(port, method, path, token, length)).start()
print("on", flush=True)
"""
"""Sends 50 MiB to each address again and again, with and without saying so before."""

_STOP = """
import os, signal, sys, time
from pathlib import Path

print("on", flush=True)
while True:
    for place in Path("/proc").glob("[0-9]*"):
        try:
            others = place.stat().st_uid != os.getuid() or int(place.name) == os.getpid()
            if not others and b"libexec/skiva-act" in (place / "cmdline").read_bytes():
                os.kill(int(place.name), signal.SIGSTOP)
                print("stopped", flush=True)
        except OSError:
            pass
    time.sleep(0.002)
"""
"""Stops whatever acts in the name of this account."""


@pytest.fixture(scope="module")
def cluster(_kept: Any) -> Any:
    """One of its own: Slurm remembers jobs that have ended for minutes."""
    return _kept.take("floods")


@pytest.fixture(scope="module")
def once(cluster: Any, hub: HubClient) -> Callable[[], dict[str, float]]:
    """A visit of the person who is not to notice anything."""
    return lambda: visit(cluster, hub, _PERSON)


@contextmanager
def _program(text: str, told: object = None) -> Iterator["subprocess.Popen[str]"]:
    """A program of the attacker's, for as long as it is wanted."""
    argv = ["/usr/bin/python3", "-I", "-c", text]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(argv, user=_ATTACKER, text=True, cwd="/", **pipes) as process:  # type: ignore[call-overload]
        try:
            process.stdin.write(json.dumps(told) + "\n")
            process.stdin.flush()
            assert process.stdout.readline() == "on\n"
            yield process
        finally:
            process.kill()


def test_bodies_of_50_mib_keep_nobody_waiting(
    cluster: Any, hub: HubClient, once: Callable[[], dict[str, float]]
) -> None:
    """Sent without end to the hub, the stream, one's own server and the other person's."""
    hub.start_server(_ATTACKER, {"slice": "cpu", "hours": 1})
    hub.wait_ready(_ATTACKER, 120)
    addresses = [
        ("POST", f"/hub/api/users/{_ATTACKER}/server"),
        ("POST", "/services/skiva/stream"),
        ("PUT", f"/user/{_ATTACKER}/api/contents/x.txt"),
        ("PUT", f"/user/{_PERSON}/api/contents/x.txt"),
    ]
    told = [cluster.port, hub.user_token(_ATTACKER), addresses]
    Costs.alternating(once, lambda: _program(_BODIES, told)).check("bodies of 50 MiB")
    hub.stop_server(_ATTACKER)
    hub.wait_stopped(_ATTACKER, 60)


def test_helpers_that_are_stopped_keep_nobody_waiting(
    hub: HubClient, once: Callable[[], dict[str, float]]
) -> None:
    """Each of the attacker's helpers hangs until its time is over; theirs are not everybody's turns."""

    @contextmanager
    def attack() -> Iterator[None]:
        with _program(_STOP) as process:
            hub.start_server(_ATTACKER, {"slice": "cpu", "hours": 1})
            assert process.stdout is not None
            assert process.stdout.readline() == "stopped\n"
            yield
        hub.stop_server(_ATTACKER)
        hub.wait_stopped(_ATTACKER, 120)

    Costs.alternating(once, attack).check("stopped helpers")


def test_ten_thousand_strays_keep_nobody_waiting_and_end_nothing(
    cluster: Any, hub: HubClient, once: Callable[[], dict[str, float]]
) -> None:
    """Held jobs that say to be sessions of the other person's: none is cancelled, none counts as theirs.

    Not in turns: Slurm does not forget them again within minutes.
    """
    once()
    costs = Costs(calm=[once() for _ in range(3)])
    log = cluster.dir / "log" / "hub.log"
    before = log.stat().st_size
    _flood(cluster, hub)
    costs.attacked = [once() for _ in range(3)]
    costs.check(f"{_ROWS} strays")
    assert len(_held(cluster)) == _ROWS
    assert log.stat().st_size - before < 100_000
    with hub.as_user(_PERSON) as own:
        shown = own.get("skiva/slices")
    assert shown["notice"] is None, shown
    assert _PERSON not in {job.user for job in live_jobs(cluster)}


def _flood(cluster: Any, hub: HubClient) -> None:
    """Arrays of held jobs, each task of which becomes a job of its own by being changed."""
    site = "skiva"
    for number in range(_ROWS // _ARRAY):
        tag = f"skiva:{site}:{_PERSON}/:stray{number:04}"
        held = ("--hold", f"--array=0-{_ARRAY}", "--partition=cpu", "--mem=50", "--output=/dev/null")
        job = cluster.submit(_ATTACKER, *held, f"--comment={tag}", script="true")
        change = ["/usr/bin/scontrol", "update", f"JobId={job}_[0-{_ARRAY - 1}]", f"Comment={tag}x"]
        done = cluster.run_as(_ATTACKER, change, timeout=120)
        assert done.returncode == 0, done.stderr
        cluster.run_as(_ATTACKER, ["/usr/bin/scancel", f"{job}_{_ARRAY}"])
    wait_until(lambda: len(_held(cluster)) == _ROWS, 60, lambda: f"rows: {Counter(map(str, _held(cluster)))}")


def _held(cluster: Any) -> list[list[str]]:
    return list(cluster.queue("-u", _ATTACKER, "-t", "PD", "-o", "%F"))
