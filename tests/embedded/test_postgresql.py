"""The hub's database in PostgreSQL, for sites where SQLite no longer serves."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.hub import HubClient

pytestmark = pytest.mark.slurm


@pytest.fixture
def database(free_port: int) -> Iterator[str]:
    """The address of a database in a PostgreSQL of its own, on loopback."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if os.geteuid() != 0:
        pytest.skip("only root can become another account")
    assert programs, "Debian's postgresql is not there; ./skiva test installs it"
    port = free_port
    here = Path(tempfile.mkdtemp(prefix="skiva-postgresql-", dir="/var/tmp"))
    here.chmod(0o755)
    data = here / "data"
    data.mkdir()
    subprocess.run(["/usr/bin/chown", "postgres", str(data)], check=True)
    password = here / "password"
    password.write_text("only-on-loopback")
    password.chmod(0o644)

    def run(program: str, *arguments: str) -> None:
        command = [str(programs[-1] / program), *arguments]
        subprocess.run(command, check=True, user="postgres", cwd="/", env={}, capture_output=True, timeout=60)

    run(
        "initdb",
        f"--pgdata={data}",
        "--username=skiva",
        "--encoding=UTF8",
        "--auth=scram-sha-256",
        f"--pwfile={password}",
    )
    options = f"-c listen_addresses=127.0.0.1 -c port={port} -c unix_socket_directories= -c fsync=off"
    run("pg_ctl", "start", "--wait", f"--pgdata={data}", f"--options={options}", f"--log={data}/log")
    yield f"postgresql+psycopg://skiva:only-on-loopback@127.0.0.1:{port}/postgres"
    run("pg_ctl", "stop", "--mode=immediate", f"--pgdata={data}")
    shutil.rmtree(here)


def test_a_session_outlives_the_hub_with_its_database_in_postgresql(
    database: str,
    monkeypatch: pytest.MonkeyPatch,
    new_cluster: Callable[..., Any],
    wait_for: Callable[..., Any],
) -> None:
    """Start, kill -9 of the hub, and the session again, with records kept by PostgreSQL."""
    monkeypatch.setenv("SKIVA_DB_URL", database)
    cluster = new_cluster()
    with HubClient(cluster.url, cluster.admin_token) as hub:
        hub.add_user(cluster.people[0])
        hub.start_server(cluster.people[0], {"slice": "cpu", "hours": 1})
        hub.wait_ready(cluster.people[0], seconds=60)
        before = cluster.status()["processes"]["hub"]["pid"]
        os.kill(before, 9)
        wait_for(lambda: cluster.status()["processes"]["hub"]["pid"] not in {None, before}, seconds=30)
        hub.wait_ready(cluster.people[0], seconds=60)
        assert not (cluster.dir / "hub" / "jupyterhub.sqlite").exists()
        hub.stop_server(cluster.people[0])
