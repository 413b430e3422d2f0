"""What others on the same node see of a cluster: closed ports, closed files, and no task in clear text."""

import json
import os
import secrets
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
from tests.support.cluster_owner import cluster_owner, clusters_of, program_of
from tests.support.run_owner import RunOwner
from tests.support.waiting import wait_until

pytestmark = [pytest.mark.slurm, pytest.mark.skipif(os.geteuid() != 0, reason="acts as another account")]

_MARK = f"a-word-that-only-tasks-carry-{secrets.token_hex(6)}"
"""The loopback device is everybody's: another run of this test may be heard on it too."""
_EVERY_PROTOCOL = 3
_HOLDS = """
from distributed import Client, LocalCluster
go = {go!r}
def told(word):
    return word[::-1]
with skiva.cluster("mine", slice="1g.10gb", workers=1, hours=0.2) as c, Client(c) as client:
    c.wait_for_workers(1, 90)
    print(c.place.id, client.submit(told, {mark!r}).result(), flush=True)
    while not os.path.exists(go): time.sleep(0.1)
if {plain}:
    with LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None, host="127.0.0.1") as c:
        with Client(c) as client: print(client.submit(told, {mark!r}).result(), flush=True)
"""


@pytest.fixture(scope="module")
def owner(cluster: Any) -> Iterator[RunOwner]:
    """A researcher with slices for workers."""
    with cluster_owner(cluster, "researcher3") as made:
        yield made


class _Ear:
    """Hears every packet on the loopback device, and keeps which marks came by."""

    def __init__(self, marks: list[bytes]) -> None:
        self.heard: dict[bytes, int] = dict.fromkeys(marks, 0)
        self.packets = 0

    def listen(self, wire: socket.socket, end: threading.Event) -> None:
        while not end.is_set():
            try:
                packet = wire.recv(1 << 17)
            except TimeoutError:
                continue
            self.packets += 1
            for mark in self.heard:
                self.heard[mark] += mark in packet


@contextmanager
def _overheard(*marks: bytes) -> Iterator[_Ear]:
    ear, end = _Ear(list(marks)), threading.Event()
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_EVERY_PROTOCOL)) as wire:
        wire.bind(("lo", 0))
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 << 20)
        wire.settimeout(0.2)
        thread = threading.Thread(target=ear.listen, args=(wire, end))
        thread.start()
        try:
            yield ear
        finally:
            end.set()
            thread.join()


def _listening(owner: RunOwner) -> dict[tuple[str, int], str]:
    """Every address at which a process of the owner's listens, and what that is."""
    found = {}
    for process in psutil.process_iter(["username"]):
        if process.info["username"] != owner.name:
            continue
        try:
            # Others of theirs may be on this machine; workers begin where their kernel is.
            if Path(process.cwd()) != owner.place:
                continue
            words = " ".join(process.cmdline())
            for one in process.net_connections("inet"):
                if one.status == psutil.CONN_LISTEN:
                    found[str(one.laddr.ip), int(one.laddr.port)] = words[:200]
        except psutil.Error:
            continue
    return found


_TRIES = """
import socket, ssl, tempfile
from distributed.security import Security
told = []
nobody, somebody = (ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT) for _ in range(2))
for one in (nobody, somebody): one.check_hostname, one.verify_mode = False, ssl.CERT_NONE
if {keys!r}:
    somebody.load_cert_chain({keys!r} + "/cert.pem", {keys!r} + "/key.pem")
else:
    own = Security.temporary().get_tls_config_for_role("client")
    with tempfile.NamedTemporaryFile("w") as file:
        file.write(own["key"] + own["cert"])
        file.flush()
        somebody.load_cert_chain(file.name)
requests = (b"GET / HTTP/1.0\\r\\n\\r\\n", b"GET /metrics HTTP/1.0\\r\\n\\r\\n")
for host, port in {ports!r}:
    for how, secret in (("plain", None), ("no key", nobody), ("own key", somebody)):
        for words in requests:
            got = b""
            try:
                with socket.create_connection((host, port), 5) as plain:
                    plain.settimeout(1)
                    wire = secret.wrap_socket(plain) if secret else plain
                    wire.sendall(words)
                    while len(got) < 4000 and (piece := wire.recv(4000)): got += piece
            except OSError: pass
            told.append([port, how, got.decode("latin-1")])
for path in {paths!r}:
    try: os.listdir(path) if os.path.isdir(path) else open(path).read(); told.append([path, "", "read"])
    except PermissionError: pass
"""


def test_a_second_account_reaches_nothing_and_no_task_is_in_clear_text(owner: RunOwner) -> None:
    """Scheduler, pages, worker and nanny refuse whoever lacks the key; packets show the task nowhere.

    The same task on a plain LocalCluster does show, so the ear hears.
    """
    go, mark = owner.place / "go", _MARK.encode()
    with _overheard(mark, mark[::-1]) as ear:
        program = program_of(owner, _HOLDS.format(go=str(go), mark=_MARK, plain=True))
        assert program.stdout
        try:
            told = program.stdout.readline().split()
            assert told[1:] == [_MARK[::-1]], program.stderr and program.stderr.read()
            cluster = told[0]
            assert ear.packets > 100
            assert ear.heard == {mark: 0, mark[::-1]: 0}
            _strangers_fail(owner, cluster)
            assert ear.heard == {mark: 0, mark[::-1]: 0}
            go.touch()
            out, problem = program.communicate(timeout=60)
            assert program.returncode == 0, problem
            assert out.split() == [_MARK[::-1]]
            wait_until(lambda: min(ear.heard.values()) > 0, 5, "a plain cluster's tasks are heard")
        finally:
            program.kill()
            program.communicate()


def _strangers_fail(owner: RunOwner, cluster: str) -> None:
    place = clusters_of(owner) / cluster
    ports = _listening(owner)
    scheduler = json.loads((place / "scheduler.json").read_text())
    known = {int(scheduler[name].rpartition(":")[2]) for name in ("address", "http")}
    assert known <= {port for _, port in ports}
    assert len(ports) >= 4, ports
    elsewhere = {where: words for where, words in ports.items() if where[0] != "127.0.0.1"}
    assert not elsewhere, elsewhere
    paths = [str(place), str(place / "tls"), str(place / "tls" / "key.pem"), str(place / "status.json")]
    other = RunOwner(owner.cluster, "researcher2", Path("/nonexistent"))
    told = other.do(_TRIES.format(ports=sorted(ports), paths=paths, keys=""), timeout=200)
    for port, how, answer in told:
        # A worker's own pages do not exist, whoever asks.
        harmless = not answer or answer.startswith(("HTTP/1.1 404", "HTTP/1.0 404"))
        assert harmless, (port, how, answer, ports)
        assert cluster not in answer
    assert len(told) == 6 * len(ports)
    # The same tries with the cluster's key, by its owner, show what there was to find.
    http = [where for where in ports if where[1] == int(scheduler["http"].rpartition(":")[2])]
    told = owner.do(_TRIES.format(ports=http, paths=paths, keys=str(place / "tls")), timeout=200)
    assert [answer for _, how, answer in told if answer == "read"] == ["read"] * len(paths)
    assert any(how == "own key" and answer.startswith("HTTP/1.1 200") for _, how, answer in told), told
