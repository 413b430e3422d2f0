"""The proxy dies, the disk is full, secrets are looked for where they must not be."""

import errno
import os
import pwd
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import httpx
import pytest
from tests.support.faults import LIGHT, MINI, Faults
from tests.support.invariants import assert_no_secret_in, check, live_jobs, owners, secrets_of
from tests.support.waiting import wait_until


def test_a_proxy_that_dies_comes_back_with_its_routes(faults: Faults) -> None:
    """Even while the hub is dead as well: sessions are untouched, and their addresses lead to them again."""
    faults.start_all({("researcher1", ""): LIGHT, ("researcher2", ""): MINI})
    jobs = live_jobs(faults.cluster)
    faults.hub.kill()
    proxy = faults.cluster.status()["processes"]["proxy"]["pid"]
    os.kill(proxy, signal.SIGKILL)
    wait_until(lambda: not Path(f"/proc/{proxy}").exists(), 5, "it is dead")
    wait_until(lambda: all(map(faults.says_hello, ("researcher1", "researcher2"))), 40, "they answer")
    faults.hub.start()
    assert live_jobs(faults.cluster) == jobs
    check(faults.cluster, faults.client)


@contextmanager
def _full(directory: Path, user: str) -> Iterator[None]:
    """A file system of one directory, without a byte left."""
    entry = pwd.getpwnam(user)
    shutil.rmtree(directory, ignore_errors=True)
    made = ["/usr/bin/mkdir", "--parents", str(directory)]
    subprocess.run(made, check=True, user=entry.pw_uid, group=entry.pw_gid, umask=0o077)
    mine = f"size=256k,mode=0700,uid={entry.pw_uid},gid={entry.pw_gid}"
    subprocess.run(["/usr/bin/mount", "-t", "tmpfs", "-o", mine, "tmpfs", directory], check=True)
    try:
        _fill(directory / "ballast")
        yield
    finally:
        subprocess.run(["/usr/bin/umount", "--lazy", directory], check=True)


def _fill(path: Path) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT, 0o600)
    try:
        while True:
            os.write(descriptor, bytes(4096))
    except OSError as problem:
        assert problem.errno == errno.ENOSPC  # noqa: PT017 - a full disk is what is wanted
    finally:
        os.close(descriptor)


def test_a_full_home_is_said_in_one_sentence(faults: Faults) -> None:
    """Nothing is submitted, nothing is left behind, and with space again a start succeeds."""
    home = Path(pwd.getpwnam("researcher3").pw_dir)
    runs = home / faults.run_dirs
    with _full(runs, "researcher3"):
        told = faults.start_and_see("researcher3", LIGHT)
        assert told.startswith("Your home directory is full")
        assert told.strip().count(".") == 1
        wait_until(lambda: len(list(runs.iterdir())) == 1, 10, "nothing but the ballast is left")
    assert not live_jobs(faults.cluster)
    check(faults.cluster, faults.client)
    faults.start_all({("researcher3", ""): LIGHT})


@contextmanager
def _locked(database: Path) -> Iterator[None]:
    """Another program that writes to the hub's database and does not come to an end; it can be read."""
    connection = sqlite3.connect(f"file:{database}?mode=rw", uri=True, isolation_level=None)
    connection.execute("begin immediate")
    try:
        with (
            closing(sqlite3.connect(database, timeout=0)) as other,
            pytest.raises(sqlite3.OperationalError, match="locked"),
        ):
            other.execute("begin immediate")
        yield
    finally:
        connection.rollback()
        connection.close()


def test_a_hub_that_cannot_write_to_its_database_kills_no_session(faults: Faults) -> None:
    """A start that cannot be recorded fails or waits, sessions stay, and afterwards all is in order."""
    faults.start_all({("researcher1", ""): LIGHT})
    faults.client.add_user("researcher2")
    job = faults.job_of("researcher1")
    with _locked(faults.hub.state_dir / "jupyterhub.sqlite"):
        status = 0
        with suppress(httpx.TimeoutException):
            status = faults.client.ask(
                "POST", "users/researcher2/server", json=dict(LIGHT), timeout=8
            ).status_code
        assert status in {0, 500}
        assert faults.says_hello("researcher1")
    check(faults.cluster, faults.client)
    assert faults.job_of("researcher1") == job
    assert faults.client.wait_ready("researcher1", 10)["ready"]
    assert faults.start_and_see("researcher2", LIGHT) == ""


def test_no_secret_of_a_session_is_where_others_look(faults: Faults) -> None:
    """Tokens and keys are in private files alone: in no command line, job, script, environment or log.

    Neither while sessions start, nor while they run, nor after a requeue and a restart of the hub.
    """
    faults.start_all({("researcher1", ""): {"slice": "1g.10gb", "hours": 1}, ("researcher2", ""): MINI})
    canaries = secrets_of(faults.cluster)
    assert len(canaries) == 5
    _would_be_seen(faults)
    assert_no_secret_in(faults.cluster, canaries, reader="researcher3")
    faults.requeue(faults.job_of("researcher2"))
    faults.hub.restart()
    faults.client.start_server("researcher3", MINI)
    for _ in range(20):
        canaries |= secrets_of(faults.cluster)
        assert_no_secret_in(faults.cluster, canaries, reader="instructor1")
    faults.client.wait_ready("researcher3", 30)
    faults.client.wait_ready("researcher2", 40)
    for user in ("researcher1", "researcher2", "researcher3"):
        faults.client.stop_server(user)
        faults.client.wait_stopped(user)
    assert_no_secret_in(faults.cluster, canaries, reader="instructor1")
    _is_forgotten(faults)


def _would_be_seen(faults: Faults) -> None:
    """What is no secret, a session's tag and how its script begins, is found wherever secrets are sought."""
    public = {str(row.session["nonce"]) for row in owners(faults.cluster) if row.session} | {"#!/bin/sh"}
    with pytest.raises(AssertionError) as seen:
        assert_no_secret_in(faults.cluster, public, reader="researcher3")
    for place in ("squeue -a", "scontrol -dd", "batch script of", "hub.log", "/slurm/state/hash."):
        assert place in str(seen.value)


def _is_forgotten(faults: Faults) -> None:
    """No private file outlives its session."""
    runs = [Path(pwd.getpwnam(user).pw_dir) / faults.run_dirs for user in ("researcher1", "researcher2")]
    wait_until(lambda: not any(list(run.glob("*/server.json")) for run in runs), 10, "they are removed")
