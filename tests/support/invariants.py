"""What must hold whatever has died: owners, routes and secrets of all sessions of a cluster."""

import json
import pwd
import sqlite3
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from tests.support.hub import HubClient
from tests.support.waiting import wait_until

from skiva_spawners.certificate import trust
from skiva_spawners.sealing import Seal

__all__ = [
    "LiveJob",
    "Owner",
    "assert_no_secret_in",
    "check",
    "live_jobs",
    "owners",
    "secrets_of",
    "violations",
]

_ALIVE = "PENDING,RUNNING,SUSPENDED,CONFIGURING,REQUEUED,REQUEUE_HOLD,STOPPED"


@dataclass(frozen=True)
class Owner:
    """One row of the hub's servers: its session's record and why its last one ended, where there are."""

    user: str
    server: str
    session: dict[str, Any]
    failure: dict[str, Any]


@dataclass(frozen=True)
class LiveJob:
    """A job of this hub that has not ended."""

    id: int
    user: str
    state: str
    node: str
    nonce: str


def owners(cluster: Any) -> list[Owner]:
    """What the hub's database says now."""
    path = cluster.dir / "hub" / "jupyterhub.sqlite"
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10) as database:
        rows = database.execute(
            "select users.name, spawners.name, spawners.state from spawners join users on users.id = user_id"
        ).fetchall()
    database.close()
    found, seal = [], Seal(cluster.dir / "hub" / "session-key")
    for user, server, text in rows:
        state = json.loads(text or "null") or {}
        session = seal.open(state["session"]) if state.get("session") else {}
        found.append(Owner(user, server, session, state.get("failure") or {}))
    return found


def live_jobs(cluster: Any) -> list[LiveJob]:
    """Every job with this hub's tag that waits, runs or is suspended."""
    argv = ["/usr/bin/squeue", "-h", "-o", "%A|%u|%T|%N|%k", "-t", _ALIVE]
    done = cluster.run_as("root", argv)
    assert done.returncode == 0, done.stderr
    rows = [line.split("|", 4) for line in done.stdout.splitlines()]
    return [
        LiveJob(int(number), user, state, node, tag.rpartition(":")[2])
        for number, user, state, node, tag in rows
        if tag.startswith("skiva:")
    ]


def violations(cluster: Any, client: HubClient) -> list[str]:
    """What does not hold now; a start or an end that is under way may be among it for a moment."""
    jobs, rows = live_jobs(cluster), owners(cluster)
    records = [row for row in rows if row.session]
    owned = Counter(str(row.session["nonce"]) for row in records)
    alive = {job.nonce for job in jobs}
    found = [f"job {j.id} ({j.state}) has {owned[j.nonce]} owners" for j in jobs if owned[j.nonce] != 1]
    found += [f"{n} jobs share one tag" for n in Counter(j.nonce for j in jobs).values() if n > 1]
    found += [f"{r.user}/{r.server} has no job" for r in records if r.session["nonce"] not in alive]
    return found + _routes(client, records)


def _routes(client: HubClient, records: list[Owner]) -> list[str]:
    certificates = {_prefix(row): str(row.session["certificate"]) for row in records}
    found = []
    for prefix, route in client.get("proxy").items():
        if not prefix.startswith("/user/"):
            continue
        if prefix not in certificates:
            found.append(f"{prefix} is routed without a session")
        elif not _is_ours(route["target"], certificates[prefix]):
            found.append(f"{prefix} leads to {route['target']}, which is not its server")
    return found


def _prefix(row: Owner) -> str:
    return f"/user/{row.user}/{row.server}/" if row.server else f"/user/{row.user}/"


def _is_ours(target: str, certificate: str) -> bool:
    try:
        httpx.get(target, timeout=10, trust_env=False, verify=trust(certificate))
    except httpx.HTTPError:
        return False
    return True


def check(cluster: Any, client: HubClient, seconds: float = 30.0) -> None:
    """Wait until all invariants hold.

    Raises:
        AssertionError: after `seconds` something still does not hold.
    """
    last: list[str] = []

    def holds() -> bool:
        last[:] = violations(cluster, client)
        return not last

    wait_until(holds, seconds, lambda: f"the invariants hold; {last}", every=0.3)


# -- secrets -----------------------------------------------------------------------------------


def secrets_of(cluster: Any) -> set[str]:
    """Tokens and keys of all sessions that the hub knows now: they may be in private files alone."""
    sessions = [row for row in owners(cluster) if row.session]
    found = {str(row.session["api_token"]) for row in sessions}
    for row in sessions:
        with suppress(OSError):  # it is not written yet, or gone again
            private = json.loads((_run_dir(cluster, row) / "server.json").read_text())
            # A line of it will do: whoever shows the key shows all its lines, however they are broken.
            found.add(private["private_key"].splitlines()[1])
    return found | {cluster.admin_token}


def assert_no_secret_in(cluster: Any, canaries: set[str], *, reader: str) -> None:
    """See that none of `canaries` is where somebody other than its owner could read it, nor in a log.

    Args:
        reader: an account that owns none of the sessions.
    """
    sinks = {**_command_lines(), **_logs(cluster), **_slurm_answers(cluster, reader)}
    assert sinks
    leaks = [name for name, text in sinks.items() if any(canary.encode() in text for canary in canaries)]
    assert not leaks, f"a secret is in {leaks}"


def _command_lines() -> dict[str, bytes]:
    return {str(path): _bytes(path) for path in Path("/proc").glob("[0-9]*/cmdline")}


def _run_dir(cluster: Any, row: Owner) -> Path:
    run_dirs = str(json.loads((cluster.dir / "etc" / "act.json").read_text())["run_dirs"])
    return Path(pwd.getpwnam(row.user).pw_dir) / run_dirs / str(row.session["nonce"])


def _logs(cluster: Any) -> dict[str, bytes]:
    runs = (_run_dir(cluster, row) for row in owners(cluster) if row.session)
    paths = [*(run / "log" for run in runs), *cluster.dir.glob("log/*"), cluster.dir / "munge" / "log"]
    # What Slurm keeps of each job: its script and its environment.
    paths += cluster.dir.glob("slurm/state/hash.*/job.*/*")
    paths += cluster.dir.glob("hub/jupyterhub.sqlite*")
    return {str(path): _bytes(path) for path in paths if path.is_file()}


def _slurm_answers(cluster: Any, reader: str) -> dict[str, bytes]:
    jobs = live_jobs(cluster)
    asked = [
        ["squeue", "-a", "-t", "all", "-O", "jobid,comment:300,name:300,command:300,stdout:300,workdir:300"]
    ]
    asked += [["scontrol", "-dd", "-o", "show", "job"]]
    answers = {}
    for argv in asked:
        done = cluster.run_as(reader, [f"/usr/bin/{argv[0]}", *argv[1:]])
        assert done.returncode == 0, done.stderr
        answers[" ".join(argv)] = done.stdout.encode()
    for job in jobs:
        for account in (reader, job.user):
            done = cluster.run_as(account, ["/usr/bin/scontrol", "write", "batch_script", str(job.id), "-"])
            assert account != job.user or "#!/bin/sh" in done.stdout, done.stderr
            answers[f"batch script of {job.id} as {account}"] = (done.stdout + done.stderr).encode()
    return answers


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (FileNotFoundError, ProcessLookupError):  # it has ended meanwhile
        return b""
