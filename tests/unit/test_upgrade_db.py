"""The command by which the manual upgrades the hub's database, on a database of an older JupyterHub."""

import os
import re
import shlex
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
CONFIG = str(ROOT / "hub_config" / "jupyterhub_config.py")


def documented() -> list[str]:
    """The words of the command in the manual."""
    text = (ROOT / "docs/operators/run.md").read_text()
    command = re.search(r"^# (systemd-run (?:.*\\\n)*.*)$", text, re.MULTILINE)
    assert command
    return shlex.split(command[1].replace("\\\n", " "))


def unit(key: str) -> str:
    """A setting of the hub's unit."""
    text = (ROOT / "packaging/systemd/skiva-hub.service").read_text()
    return str(re.findall(rf"^{key}=(.*)$", text, re.MULTILINE)[-1]).strip()


@pytest.fixture
def hub(tmp_path: Path) -> dict[str, str]:
    """The environment of a hub that is not the defaults': as its environment file has it."""
    site = (ROOT / "hub_config/examples/embedded.toml").read_text()
    (tmp_path / "site.toml").write_text(site)
    return {
        "SKIVA_SITE": str(tmp_path / "site.toml"),
        "SKIVA_STATE": str(tmp_path),
        "SKIVA_DB_URL": f"sqlite:///{tmp_path}/elsewhere.sqlite",
    }


def test_the_documented_command_upgrades_the_hubs_own_database_and_starts_nothing(
    hub: dict[str, str], tmp_path: Path
) -> None:
    """As the hub's account, with its environment file: the tables are new, and no watcher was started."""
    words = documented()
    at = words.index("/opt/skiva/hub/bin/jupyterhub")
    options, command = words[1:at], words[at:]
    assert f"--uid={unit('User')}" in options
    assert f"--property=EnvironmentFile={unit('EnvironmentFile')}" in options
    assert f"--working-directory={unit('WorkingDirectory')}" in options
    (path,) = [option.removeprefix("--setenv=PATH=") for option in options if "PATH=" in option]
    here = {"/opt/skiva/hub/bin": str(BIN), "/etc/skiva/jupyterhub_config.py": CONFIG}
    for installed, ours in here.items():
        path = path.replace(installed, ours)
        command = [word.replace(installed, ours) for word in command]
    env = {**hub, "PATH": path, "LANG": "C.UTF-8"}

    database = tmp_path / "elsewhere.sqlite"
    make = "import sys; from jupyterhub import orm; orm.new_session_factory(sys.argv[1])().close()"
    subprocess.run([sys.executable, "-c", make, hub["SKIVA_DB_URL"]], check=True)
    new = revision(database)
    alembic = [sys.executable, "-m", "jupyterhub.dbutil", "alembic", "downgrade", "-1"]
    settings = f"c.JupyterHub.db_url = {hub['SKIVA_DB_URL']!r}"
    (tmp_path / "jupyterhub_config.py").write_text(settings)
    subprocess.run(
        alembic, check=True, cwd=tmp_path, env={**env, "HOME": os.environ["HOME"]}, capture_output=True
    )
    assert revision(database) != new

    done = subprocess.run(
        command, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    assert revision(database) == new
    assert not (tmp_path / "jupyterhub.sqlite").exists()
    assert "Task was destroyed" not in done.stderr, done.stderr
    assert "never awaited" not in done.stderr, done.stderr


def revision(database: Path) -> str:
    """Which JupyterHub's tables a database has."""
    with sqlite3.connect(database) as connection:
        ((found,),) = connection.execute("select version_num from alembic_version")
    connection.close()
    return str(found)
