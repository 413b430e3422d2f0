"""What all suites share: a real embedded cluster, and accounts to act as."""

import itertools
import json
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tests.support.images import ImageBuild
from tests.support.ports import free_port

pytest_plugins = ["tests.support.side_by_side"]


def _wait_for(condition: Callable[[], object], *, seconds: float = 20.0, what: str = "") -> Any:
    """The first true answer of `condition`, asked again and again; fails after `seconds`."""
    end = time.monotonic() + seconds
    while not (answer := condition()):
        if time.monotonic() > end:
            pytest.fail(f"{what or condition} was not so after {seconds:.0f} s")
        time.sleep(0.05)
    return answer


@dataclass(frozen=True)
class Cluster:
    """A running embedded cluster.

    Attributes:
        dir: its state directory.
        port: of the proxy, on 127.0.0.1.
        url: where people sign in.
        password: of every demonstration account.
        admin_token: for the hub's API.
        env: what a shell needs to talk to its Slurm.
        people: who may sign in: researcher1 to researcher3 and instructor1 on the first cluster of a machine.
    """

    dir: Path
    port: int
    url: str
    password: str
    admin_token: str
    env: Mapping[str, str]
    people: tuple[str, ...]

    def run_as(
        self,
        user: str,
        argv: Sequence[str],
        *,
        stdin: str = "",
        timeout: float = 30.0,
        env: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command as an account, in its home, with this cluster's Slurm."""
        entry = pwd.getpwnam(user)
        groups = os.getgrouplist(user, entry.pw_gid)
        switch: dict[str, Any] = {}
        if entry.pw_uid != os.geteuid():
            switch = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": groups}
        return subprocess.run(
            list(argv),
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            cwd=entry.pw_dir,
            env={**self.env, "HOME": entry.pw_dir, "USER": user, "LANG": "C.UTF-8", **(env or {})},
            **switch,
        )

    def api(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> tuple[int, Any]:
        """Ask the hub's API as an administrator: the answer's status and its JSON."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            sent = None if body is None else json.dumps(body)
            head = {"Authorization": f"token {self.admin_token}", "Content-Type": "application/json"}
            connection.request(method, f"/hub/api/{path}", sent, head)
            answer = connection.getresponse()
            text = answer.read()
            return answer.status, json.loads(text) if text else None
        finally:
            connection.close()

    def submit(self, user: str, *options: str, script: str) -> int:
        """Hand a shell script to Slurm as an account; the job's number."""
        done = self.run_as(user, ["/usr/bin/sbatch", "--parsable", *options], stdin=f"#!/bin/sh\n{script}\n")
        assert done.returncode == 0, done.stderr
        return int(done.stdout)

    def queue(self, *options: str) -> list[list[str]]:
        """The words of each row that squeue prints without a heading.

        A Slurm that does not answer is no empty queue: it has some time to come back.
        """
        argv = ["/usr/bin/squeue", "--all", "--noheader", *options]
        user = "root" if os.geteuid() == 0 else _me()
        answers = (self.run_as(user, argv, timeout=60) for _ in itertools.count())
        done = _wait_for(
            lambda: (answer := next(answers)).returncode == 0 and answer, what="squeue has answered"
        )
        return [line.split() for line in done.stdout.splitlines()]

    def job_state(self, job: int) -> str:
        """Slurm's word for a job's state."""
        done = self.run_as(
            "root" if os.geteuid() == 0 else _me(),
            ["/usr/bin/squeue", "-ht", "all", "-o", "%T", "-j", str(job)],
        )
        return done.stdout.strip()

    def wait_state(self, job: int, *states: str, seconds: float = 20.0) -> str:
        """Wait until a job is in one of these states."""
        return str(
            _wait_for(
                lambda: (state := self.job_state(job)) in states and state,
                seconds=seconds,
                what=f"job {job} in {' or '.join(states)}",
            )
        )

    def skiva(self, *arguments: str, timeout: float = 150.0) -> subprocess.CompletedProcess[str]:
        """Run a command of `skiva` on this cluster's directory."""
        return skiva(self.dir, *arguments, timeout=timeout)

    def status(self) -> dict[str, Any]:
        """What `skiva status --json` says."""
        told: dict[str, Any] = json.loads(self.skiva("status", "--json").stdout)
        return told

    @contextmanager
    def without(self, part: str, *, by: signal.Signals = signal.SIGKILL) -> Iterator[None]:
        """Take a part (see `status()["processes"]`) down for a while.

        A slurmctld that is killed forgets the jobs of its last seconds; SIGTERM ends it in good order.
        """
        hold = self.dir / "hold" / part
        hold.parent.mkdir(exist_ok=True)
        hold.touch()
        try:
            pid = self.status()["processes"][part]["pid"]
            os.kill(pid, by)
            _wait_for(lambda: not Path(f"/proc/{pid}").exists(), seconds=30, what=f"{part} has ended")
            yield
        finally:
            hold.unlink()
            _wait_for(lambda: self.status()["processes"][part]["alive"], seconds=60, what=f"{part} is back")


def _me() -> str:
    return pwd.getpwuid(os.geteuid()).pw_name


def skiva(directory: Path, *arguments: str, timeout: float = 150.0) -> subprocess.CompletedProcess[str]:
    """Run `skiva COMMAND …` on a state directory, with the environment in it."""
    command, *rest = arguments
    python = str(directory / "venv/hub/bin/python")
    return subprocess.run(
        [python, "-I", "-m", "skiva_hub.cli", command, "--dir", str(directory), *rest],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
        cwd="/",
    )


def _new_dir(prefix: str = "test") -> Path:
    """A fresh state directory that has the test run's installed environments."""
    directory = Path(tempfile.mkdtemp(prefix=f"skiva-{prefix}-", dir="/var/tmp"))
    directory.chmod(0o755)
    _install(directory)
    return directory


def _install(directory: Path) -> None:
    installed = os.environ.get("SKIVA_TEST_DIR")
    if not installed:
        pytest.fail("SKIVA_TEST_DIR is not set: run the tests with ./skiva test")
    (directory / "venv").symlink_to(Path(installed) / "venv")


def start(directory: Path, *options: str) -> Cluster:
    """`up --detach` in a directory; fails with what it printed."""
    port = free_port()
    done = skiva(directory, "up", "--detach", f"--port={port}", *options)
    assert done.returncode == 0, done.stdout + done.stderr + _logs(directory)
    return running(directory, port)


def running(directory: Path, port: int) -> Cluster:
    """What runs in a directory."""
    return Cluster(
        dir=directory,
        port=port,
        url=f"http://127.0.0.1:{port}",
        password=(directory / "password").read_text().strip(),
        admin_token=(directory / "admin-token").read_text().strip(),
        env={"PATH": "/usr/bin:/bin", "SLURM_CONF": str(directory / "slurm" / "slurm.conf")},
        people=tuple(json.loads((directory / "run.json").read_text())["accounts"]),
    )


def remove(directory: Path) -> None:
    """End what runs in a directory, and everything that it wrote."""
    done = skiva(directory, "down", "--purge")
    shutil.rmtree(directory, ignore_errors=True)
    assert done.returncode == 0, done.stdout + done.stderr


def _logs(directory: Path) -> str:
    found = (
        f"\n== {path.name}\n{path.read_text(errors='replace')[-3000:]}"
        for path in sorted(directory.glob("log/*.log"))
    )
    return "".join(found)


@pytest.fixture(scope="session", name="wait_for")
def _wait_for_fixture() -> Callable[..., Any]:
    """`wait_for(condition, seconds=…, what=…)`: the first true answer, or a failed test."""
    return _wait_for


class _Kept:
    """The one cluster that a process of the tests keeps running, so that its people have plain names."""

    def __init__(self) -> None:
        self._kind = ""
        self._cluster: Cluster | None = None
        self._remove = True

    def take(self, kind: str, directory: Path | None = None) -> Cluster:
        """The cluster of a kind: what runs already, or a new one in place of that.

        `directory` is where it is to run, and is left there when it has ended; by default it has its own.
        """
        if self._cluster is None or self._kind != kind:
            self.let_go()
            self._kind, self._remove = kind, directory is None
            place = directory or _new_dir(kind)
            try:
                self._cluster = start(place)
            except BaseException:
                if self._remove:
                    remove(place)
                raise
            if self._cluster.people[0] != "researcher1":
                pytest.fail("another site on this machine has the accounts researcher1, …: use -n 1")
        return self._cluster

    def let_go(self) -> None:
        """End what runs."""
        cluster, self._cluster = self._cluster, None
        if cluster is not None and self._remove:
            remove(cluster.dir)
        elif cluster is not None:
            assert cluster.skiva("down", "--purge").returncode == 0
            _install(cluster.dir)  # as it was, for the next one


@pytest.fixture(scope="session")
def _kept() -> Iterator[_Kept]:
    kept = _Kept()
    yield kept
    kept.let_go()


@pytest.fixture(scope="module")
def cluster(_kept: _Kept) -> Cluster:
    """An embedded cluster with its hub, for many tests; leave it as you found it."""
    return _kept.take("test")


@pytest.fixture(scope="module")
def breakable_cluster(_kept: _Kept) -> Cluster:
    """Another one, for tests that break it: its site file, its hub and its commands may be replaced."""
    return _kept.take("faults")


@pytest.fixture(scope="session")
def image_build(_kept: _Kept) -> Iterator[ImageBuild]:
    """Images, which begin to be built as soon as this is asked for."""
    directory = _new_dir("images")
    try:
        with ImageBuild(directory) as build:
            yield build
    finally:
        _kept.let_go()  # it may be the one in this directory
        remove(directory)


@pytest.fixture(scope="module")
def image_cluster(image_build: ImageBuild, _kept: _Kept) -> Any:
    """Its attributes are a `cluster`, and the `images` that it offers as in `tests/support/images.py`."""
    images = image_build.wait()
    return SimpleNamespace(cluster=_kept.take("images", image_build.directory), images=images)


@pytest.fixture
def new_dir() -> Iterator[Callable[[], Path]]:
    """Makes fresh state directories, which are taken down and removed after the test."""
    made: list[Path] = []

    def make() -> Path:
        made.append(_new_dir())
        return made[-1]

    yield make
    for directory in made:
        if directory.exists():
            remove(directory)


@pytest.fixture
def new_cluster(new_dir: Callable[[], Path]) -> Callable[..., Cluster]:
    """Starts clusters of a test's own, e.g. `new_cluster("--no-hub")`."""

    def make(*options: str) -> Cluster:
        return start(new_dir(), *options)

    return make


@pytest.fixture(name="running")
def _running_fixture() -> Callable[[Path, int], Cluster]:
    """`running(directory, port)`: the cluster that a test has started there by itself."""
    return running


@pytest.fixture(name="free_port")
def _free_port_fixture() -> int:
    """A port for one server of the test."""
    return free_port()
